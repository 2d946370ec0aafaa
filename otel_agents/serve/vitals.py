"""How the observed system fares, as far as its events tell; must not know what is healthy, nor HTTP."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

from otel_agents.bus.event import Event
from otel_agents.semconv import events as e

HOUR_S: Final = 3600
KEPT: Final = 1000  # agents, and operations of agents, that are remembered
MOST: Final = 1 << 53  # items or tokens; larger integers are none in JSON
ACTIVE, GONE = "active", "gone"

Key = tuple[str, str, str]


class LastHour:
    """A count of the last 3600 seconds, to the second, however many there are. Not for several threads at once."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._seconds: deque[list[int]] = deque()  # second and count

    def add(self) -> None:
        """Count one now."""
        now_s = int(self._clock_s())
        if self._seconds and self._seconds[-1][0] == now_s:
            self._seconds[-1][1] += 1
        else:
            self._seconds.append([now_s, 1])
        self._forget(now_s)

    def total(self) -> int:
        """Return the count."""
        self._forget(int(self._clock_s()))
        return sum(count for _, count in self._seconds)

    def _forget(self, now_s: int) -> None:
        while self._seconds and self._seconds[0][0] <= now_s - HOUR_S:
            self._seconds.popleft()


@dataclass(frozen=True, slots=True)
class Context:
    """What an agent's context holds, and may hold, as far as it was told."""

    items: int | float | None = None
    tokens: int | float | None = None
    limit: int | float | None = None

    @property
    def used(self) -> float | None:
        """The part of the limit that is used; None when either is not known."""
        if self.tokens is None or not self.limit:
            return None
        return self.tokens / self.limit


@dataclass(frozen=True, slots=True)
class Vital:
    """What is known at one moment."""

    mode: str | None
    current_agent: str | None
    uptime_s: float
    errors_last_hour: int
    contexts: Mapping[str, Context]


class Vitals:
    """Takes events in, one after the other, and can be looked at from any thread.

    An error is an `agent_error`, or a run that failed. The current agent is the one that became active last and still
    is: by its status, by a node of an agent that runs, or because work was handed to it.
    """

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._began_s = clock_s()
        self._errors = LastHour(clock_s)
        self._mode: str | None = None
        self._active: OrderedDict[Key, str] = OrderedDict()
        self._contexts: OrderedDict[str, Context] = OrderedDict()
        self.renew()

    def renew(self) -> None:
        """Begin anew in a forked child, which does not have the thread that may hold the lock."""
        self._lock = threading.Lock()

    def see(self, event: Event) -> None:
        """Take in an event."""
        take = self._TAKE.get(event.type)
        if take is not None:
            with self._lock:
                take(self, event)

    def look(self) -> Vital:
        """Return what is known now."""
        with self._lock:
            return Vital(
                mode=self._mode,
                current_agent=next(reversed(self._active.values()), None),
                uptime_s=self._clock_s() - self._began_s,
                errors_last_hour=self._errors.total(),
                contexts=dict(self._contexts),
            )

    def _mode_changed(self, event: Event) -> None:
        self._mode = str(event.payload.get("mode"))

    def _failed(self, event: Event) -> None:
        self._errors.add()

    def _completed(self, event: Event) -> None:
        for key in [key for key in self._active if key[0] == event.run_id]:
            del self._active[key]
        if event.status == "failed":
            self._errors.add()

    def _status(self, event: Event) -> None:
        name, status = str(event.payload.get("agent")), event.payload.get("status")
        if status == GONE:
            self._contexts.pop(name, None)
        for key in [key for key, agent in self._active.items() if agent == name and status != ACTIVE]:
            del self._active[key]
        if status == ACTIVE:
            self._enter(("", "agent", name), name)

    def _started(self, event: Event) -> None:
        if event.payload.get("kind") == "agent":
            self._enter((event.run_id, "node", str(event.node_id)), str(event.capability_id))

    def _ended(self, event: Event) -> None:
        self._active.pop((event.run_id, "node", str(event.node_id)), None)

    def _handed(self, event: Event) -> None:
        for key in [key for key in self._active if key[:2] == (event.run_id, "handoff")]:
            del self._active[key]
        name = str(event.payload.get("toAgent"))
        self._enter((event.run_id, "handoff", name), name)

    def _refreshed(self, event: Event) -> None:
        name = str(event.payload.get("agent"))
        before = self._contexts.get(name, Context())
        told = [event.payload.get(field) for field in ("items", "tokens", "limit")]
        known = (before.items, before.tokens, before.limit)
        after = Context(*(_number(new, old) for new, old in zip(told, known, strict=True)))
        if after != Context():  # nothing is told of an agent who is gone
            self._contexts[name] = after
            _bound(self._contexts)

    def _enter(self, key: Key, name: str) -> None:
        self._active[key] = name
        self._active.move_to_end(key)
        _bound(self._active)

    _TAKE: ClassVar[Mapping[str, Callable[[Vitals, Event], None]]] = {
        e.MODE_CHANGED.name: _mode_changed,
        e.AGENT_ERROR.name: _failed,
        e.COMPLETE.name: _completed,
        e.AGENT_STATUS.name: _status,
        e.NODE_START.name: _started,
        e.NODE_COMPLETE.name: _ended,
        e.HANDOFF.name: _handed,
        e.CONTEXT_REFRESHED.name: _refreshed,
    }


def _number(new: object, old: float | None) -> float | None:
    """Return what was told if it is an amount, else what was known before."""
    return new if isinstance(new, int | float) and not isinstance(new, bool) and 0 <= new <= MOST else old


def _bound(known: OrderedDict[Key, str] | OrderedDict[str, Context]) -> None:
    while len(known) > KEPT:
        known.popitem(last=False)
