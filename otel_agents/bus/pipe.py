"""Events as JSON lines into a pipe, for a process that watches this one; must not know what it draws.

A line is the event's JSON form and, beside it, `operation`: where in the tree of operations it happened, as `id`,
`parent`, `kind`, `name` and `tokens`. Two lines are no events: `{"hello": pid}` comes first, and `{"lost": n}` says
how many lines are missing before the next one. Numbers of operations count within one process; the first 19
characters of an event's id tell processes apart.
"""

from __future__ import annotations

import atexit
import os
import select
import stat
import time
import weakref
from collections.abc import Callable, Mapping
from typing import Final

from otel_agents import guard
from otel_agents.bus.event import Event, to_json
from otel_agents.bus.hub import Hub

NAME: Final = "live"
QUEUE_SIZE: Final = 10_000
FLUSH_S: Final = 2.0
PATIENCE_S: Final = 1.0  # how long one line may wait for a reader that does not read; the lines after it do not wait
LINE_BYTES: Final = 262_144
SHARED_LINE_BYTES: Final = 4096  # what Linux writes at once, so that lines of forked processes never mix
TEXT: Final = 200

_pipes: weakref.WeakSet[Pipe] = weakref.WeakSet()


def attach(hub: Hub, fd: int, path: str | None = None) -> Callable[[], None] | None:
    """Have all events of a hub written to the pipe `fd`, from the hub's thread; flushed at exit within two seconds.

    A number that is not the writing end of a pipe is left alone: in a process that did not inherit the pipe, some
    other file may have got it. Such a process finds the pipe by its name, `path`.

    Returns:
        A function that ends it, or None when there is no such pipe.
    """
    pipe = Pipe.open(hub, fd) or (Pipe.named(hub, path) if path else None)
    if pipe is None:
        return None
    _pipes.add(pipe)
    pipe.write(to_json({"hello": os.getpid()}))
    pipe.leave = hub.subscribe(pipe.send, name=NAME, queue_size=QUEUE_SIZE)
    atexit.register(_flush, weakref.ref(hub))
    return pipe.leave


def line(event: Event) -> dict[str, object]:
    """Return what is written of an event."""
    fields = event.as_dict()
    place = event.place
    if place is not None:
        operation: dict[str, object] = {"id": place.operation, "kind": place.kind, "name": place.name}
        operation |= {"parent": place.parent} if place.parent else {}
        operation |= {"tokens": place.tokens} if place.tokens else {}
        fields["operation"] = operation
    return fields


class Pipe:
    """The writing end of a pipe. Never blocks for longer than its patience, never raises for a pipe that is gone."""

    __slots__ = (
        "__weakref__",
        "_dropped",
        "_fd",
        "_hub",
        "_limit",
        "_lost",
        "_poll",
        "_rest",
        "_same",
        "_stalled",
        "leave",
    )

    def __init__(self, hub: Hub, fd: int) -> None:
        self._hub = weakref.ref(hub)  # which holds us
        self._fd = fd
        self._same = os.fstat(fd)
        self._limit = LINE_BYTES
        self._rest = b""  # of a line that was written in part
        self._dropped = 0  # by the hub, since we were too slow; among the lost ones
        self._lost = 0
        self._stalled = False
        self._poll = select.poll()
        self._poll.register(fd, select.POLLOUT)
        self.leave: Callable[[], None] = _nothing
        os.set_blocking(fd, False)

    @classmethod
    def open(cls, hub: Hub, fd: int) -> Pipe | None:
        """Return the pipe behind a file descriptor, or None when that is not the writing end of one."""
        if os.name != "posix":
            return None
        import fcntl

        try:
            is_pipe = stat.S_ISFIFO(os.fstat(fd).st_mode)
            return cls(hub, fd) if is_pipe and fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE == os.O_WRONLY else None
        except (OSError, OverflowError, ValueError):
            return None

    @classmethod
    def named(cls, hub: Hub, path: str) -> Pipe | None:
        """Return the pipe of this name, which other processes write to as well, or None when nobody reads it."""
        try:
            fd = os.open(path, os.O_WRONLY | getattr(os, "O_NONBLOCK", 0))
        except OSError:
            return None
        pipe = cls.open(hub, fd)
        if pipe is None:
            os.close(fd)
        else:
            pipe.fork()
        return pipe

    def send(self, event: Event) -> None:
        """Write an event."""
        self._count_dropped()
        fields = line(event)
        text = to_json(fields)
        if len(text) >= self._limit:
            text = to_json(_shortened(fields))
        if len(text) >= self._limit:
            self._lost += 1
        else:
            self.write(text)

    def write(self, text: str) -> None:
        """Write a line of ASCII, or count it as lost when nobody reads. Once the pipe is closed, leave the hub."""
        try:
            self._write(text)
        except OSError:
            self.leave()

    def fork(self) -> None:
        """Share the pipe with a forked process: shorter lines from now on."""
        self._limit = SHARED_LINE_BYTES

    def renew(self) -> None:
        """Begin anew in a forked child: the rest of a line and the count of lost ones are the parent's."""
        self.fork()
        self._rest, self._lost, self._dropped = b"", 0, 0

    def _count_dropped(self) -> None:
        hub = self._hub()
        dropped = hub.dropped.get(NAME, 0) if hub is not None else 0
        self._lost += max(dropped - self._dropped, 0)
        self._dropped = dropped

    def _write(self, text: str) -> None:
        if not os.path.samestat(self._same, os.fstat(self._fd)):  # closed by the host, and the number used again
            raise OSError(self._fd, "not our pipe any more")
        deadline_s = time.monotonic() + (0.0 if self._stalled else PATIENCE_S)
        told = to_json({"lost": self._lost}) + "\n" if self._lost else ""
        own = f"{told}{text}\n".encode("ascii")
        left = self._push(self._rest + own, deadline_s)
        self._stalled = bool(left)
        if len(left) >= len(own):  # nothing of it went out
            self._rest, self._lost = left[: len(left) - len(own)], self._lost + 1
        else:
            self._rest, self._lost = left, 0

    def _push(self, data: bytes, deadline_s: float) -> bytes:
        """Return what could not be written in time."""
        while data:
            try:
                data = data[os.write(self._fd, data) :]
            except BlockingIOError:
                wait_ms = max(0.0, deadline_s - time.monotonic()) * 1000
                if not self._poll.poll(wait_ms):
                    break
        return data


def _shortened(fields: Mapping[str, object]) -> dict[str, object]:
    short = {name: _short(value) for name, value in fields.items() if name != "facetProvenance"}
    payload = fields.get("payload")
    if isinstance(payload, Mapping):
        short["payload"] = {
            name: _short(value) for name, value in payload.items() if not isinstance(value, dict | list)
        }
    return short


def _short(value: object) -> object:
    return value[:TEXT] if isinstance(value, str) else value


def _nothing() -> None:
    pass


def _flush(hub: weakref.ref[Hub]) -> None:
    alive = hub()
    if alive is not None:
        guard.run("bus.pipe", alive.flush, FLUSH_S)


def _fork() -> None:
    for pipe in list(_pipes):
        pipe.fork()


def _renew() -> None:
    for pipe in list(_pipes):
        pipe.renew()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_parent=_fork, after_in_child=_renew)
