"""The progress of running runs, kept for who comes late and handed to who is there; must not know HTTP.

One lock holds both together, so that a client gets each step exactly once: in the state it finds, or as it comes.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

from otel_agents.bus.attempt import Attempt
from otel_agents.bus.event import Event, to_json
from otel_agents.bus.hub import Hub
from otel_agents.bus.projections import ENDINGS, Record, progress_frame

NAME: Final = "progress"
QUEUE_SIZE: Final = 1000
MAX_CLIENTS: Final = 100
MAX_RUNS: Final = 1000
RUN_STARTED: Final = "run:started"
RUN_ENDINGS: Final = frozenset(row.frame for row in ENDINGS)
INSIDE: Final = {"iteration": ("phase",)}  # what is over when this starts or ends


class Client:
    """The frames that wait for one client. From the frame too many on it gets no more, and is slow.

    Args:
        wants: Says whether the client wants a frame; called in the hub's thread.
        wake: Called there when something has come, then not again before the next `take`.
    """

    def __init__(self, wants: Callable[[Record], bool], wake: Callable[[], object]) -> None:
        self._wants = wants
        self._wake = wake
        self._before: list[str] = []  # bounded by the board; it makes nobody slow
        self._texts: deque[str] = deque()
        self._is_woken = False
        self.is_slow = False
        self.is_gone = False

    def take(self) -> list[str]:
        """Return all that waits."""
        self._is_woken = False  # before looking: what comes in between wakes once for nothing
        texts, self._before = self._before, []
        while self._texts:
            texts.append(self._texts.popleft())
        return texts

    def prime(self, frame: Record) -> None:
        """Put in what was there before the client."""
        if self._wants(frame):
            self._before.append(to_json({**frame, "replayed": True}))

    def put(self, frame: Record) -> None:
        """Put in a frame, if it is wanted."""
        if self._wants(frame):
            self.answer(frame)

    def answer(self, frame: Record) -> None:
        """Put in a frame for this client alone."""
        if len(self._texts) >= QUEUE_SIZE:
            self.is_slow = True
        if not self.is_slow:
            self._texts.append(to_json(frame))
        self.rouse()

    def rouse(self) -> None:
        """Have the client look."""
        if self._is_woken:
            return
        self._is_woken = True
        attempt = Attempt()
        with attempt:
            self._wake()
        self.is_gone = self.is_gone or bool(attempt.failure)  # its event loop is closed


class Board:
    """What runs now, and who watches."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._running: OrderedDict[str, dict[str, Record]] = OrderedDict()
        self._clients: list[Client] = []
        self._dropped = 0
        self._slow = 0
        self._bad = 0
        self.is_open = True
        self.renew()

    def renew(self) -> None:
        """Begin anew in a forked child: the clients are the parent's, and so is the thread that may hold the lock."""
        self._lock = threading.Lock()
        self._clients = []

    def see(self, event: Event) -> None:
        """Take in an event."""
        frame = progress_frame(event)
        if frame is None:
            return
        if frame["type"] == RUN_STARTED:  # beside what the older dashboards read: what people know a run by
            frame |= {"name": event.payload.get("name"), "runtime": event.runtime}
        with self._lock:
            self._tell_losses()
            self._keep(frame)
            self._tell(frame)

    def join(self, client: Client) -> bool:
        """Let a client watch: first what runs already. False when there are too many, or it is over."""
        with self._lock:
            if not self.is_open or len(self._clients) >= MAX_CLIENTS:
                return False
            for steps in self._running.values():
                for frame in steps.values():
                    client.prime(frame)
            self._clients.append(client)
        client.rouse()
        return True

    def leave(self, client: Client) -> None:
        """Forget a client."""
        with self._lock:
            if client in self._clients:
                self._clients.remove(client)
            self._slow += client.is_slow

    def reject(self) -> None:
        """Count a message of a client that was none."""
        with self._lock:
            self._bad += 1

    def clients(self) -> dict[str, int]:
        """Return how many watch, how many were too slow so far, and how many messages were bad."""
        with self._lock:
            return {"watching": len(self._clients), "slow": self._slow, "bad_messages": self._bad}

    def close(self) -> None:
        """Send everybody home."""
        with self._lock:
            self.is_open = False
            clients = list(self._clients)
        for client in clients:
            client.rouse()

    def _tell(self, frame: Record) -> None:
        for client in self._clients:
            client.put(frame)
        if any(client.is_gone for client in self._clients):
            self._clients = [client for client in self._clients if not client.is_gone]

    def _tell_losses(self) -> None:
        """Say what the hub dropped since we were too slow; what it was nobody knows."""
        dropped = self._hub.dropped.get(NAME, 0)
        if dropped > self._dropped:
            for client in self._clients:
                client.answer({"type": "gap", "reason": "overload", "dropped": dropped - self._dropped})
        self._dropped = dropped

    def _keep(self, frame: Record) -> None:
        run_id, kind = str(frame["runId"]), str(frame["type"])
        if kind in RUN_ENDINGS:
            self._running.pop(run_id, None)
        elif kind == RUN_STARTED:
            self._running[run_id] = {kind: frame}
            if len(self._running) > MAX_RUNS:
                self._running.popitem(last=False)
        elif run_id in self._running:
            _step(self._running[run_id], kind, frame)


def _step(steps: dict[str, Record], kind: str, frame: Record) -> None:
    """Keep the starts of what goes on: a step's start until its end, or until what it is inside of goes on."""
    subject, _, verb = kind.partition(":")
    for name in (subject, *INSIDE.get(subject, ())):
        steps.pop(f"{name}:started", None)
    if verb == "started":
        steps[kind] = frame
