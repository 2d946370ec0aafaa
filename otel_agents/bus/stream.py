"""A bounded buffer of events between the hub and one reader; must not know what the reader does with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Self

from otel_agents.bus.attempt import Attempt
from otel_agents.bus.event import Event
from otel_agents.bus.filters import EVERYTHING, Filter

Wake = Callable[[], object]


def _nothing() -> None:
    """Do nothing: the wake-up of a reader that waits in `get`."""


class Stream:
    """Events for one reader, oldest first; the hub drops the oldest when the reader is too slow.

    Reading is safe from any thread. A reader in an event loop gives a `wake` that may be called from any thread, such
    as `functools.partial(loop.call_soon_threadsafe, ready.set)`: it is called after events have come, then not again
    before the next `take()`. Public: `name`, `filter`, `dropped` (events lost), `delivered` (events read), `gap`
    (whether the replay could not start where it was asked to), `closed`.
    """

    # SimpleQueue and no lock of ours: its put may be interrupted by the garbage collector running a finalizer that
    # publishes, in the same thread and inside the very same put, which would deadlock on a lock.
    __slots__ = (
        "__weakref__", "_leave", "_queue", "_size", "_woken", "closed", "delivered", "dropped", "filter", "gap",
        "name", "offered", "wake",
    )  # fmt: skip

    def __init__(self, name: str, size: int, *, only: Filter = EVERYTHING, wake: Wake | None = None) -> None:
        self.name = name
        self.filter = only
        self.wake: Wake = wake or _nothing
        self.dropped = 0
        self.offered = 0
        self.delivered = 0
        self.gap = False
        self.closed = False
        self._size = size
        self._leave: Callable[[Stream], None] | None = None
        self.renew()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __len__(self) -> int:
        return self._queue.qsize() - self.closed  # without the mark of the end

    def get(self, timeout_s: float | None = None) -> Event | None:
        """Wait for the next event; None when the time is over, or the stream is closed and read to its end."""
        timeout_s = timeout_s if timeout_s is None else max(0.0, timeout_s)
        try:
            event = self._queue.get(timeout=timeout_s)
        except Empty:
            return None
        return self._read(event)

    def take(self) -> list[Event]:
        """Return all that has come, without waiting, and have `wake` called again for what comes from now on."""
        self._woken = False  # before looking: what comes in between is in the list, and wakes once for nothing
        events: list[Event] = []
        while (event := self._next()) is not None:
            events.append(event)
        return events

    def poll(self) -> Event | None:
        """Return the next event without waiting; only a None has `wake` called again."""
        event = self._next()
        if event is None:
            self._woken = False
            event = self._next()  # an event may have come before the line above and have woken nobody
        return event

    def close(self) -> None:
        """Get no more events. What is buffered can still be read. May be called twice, from anywhere."""
        leave, self._leave = self._leave, None
        self.finish()
        if leave is not None:
            leave(self)

    # What follows is for the hub alone, which calls it for one event at a time.

    def attach(self, leave: Callable[[Stream], None]) -> None:
        """Set what `close` tells."""
        self._leave = leave

    def prime(self, events: Iterable[Event]) -> None:
        """Put in what the reader missed: all of it, even beyond the size; the replay ring bounds it."""
        for event in events:
            if self.filter.matches(event):
                self._put(event)

    def offer(self, event: Event) -> bool:
        """Put in one event if the reader wants it; False when an older one had to go."""
        if self.closed or not self.filter.matches(event):
            return True
        lost = self._queue.qsize() >= self._size and self._next(lost=True) is not None
        self._put(event)
        return not lost

    def finish(self) -> None:
        """Tell the reader that nothing more will come."""
        if not self.closed:
            self.closed = True
            self._queue.put(None)
            self._rouse()

    def abandon(self) -> None:
        """Close without a word to the reader, who is in another process."""
        self.wake = _nothing
        self.finish()

    def renew(self) -> None:
        """Start with an empty buffer; in a forked child the old one may be locked for ever."""
        self._queue: SimpleQueue[Event | None] = SimpleQueue()
        self._woken = False
        self.offered = self.delivered = self.dropped = 0

    def _put(self, event: Event) -> None:
        self.offered += 1
        self._queue.put(event)
        self._rouse()

    def _rouse(self) -> None:
        if self._woken:
            return
        self._woken = True
        attempt = Attempt()
        with attempt:
            self.wake()
        if attempt.failure:  # the reader's event loop is gone, and the reader with it
            self.wake = _nothing
            self.close()

    def _next(self, *, lost: bool = False) -> Event | None:
        try:
            event = self._queue.get_nowait()
        except Empty:
            return None
        if lost and event is not None:
            self.dropped += 1
            return event
        return self._read(event)

    def _read(self, event: Event | None) -> Event | None:
        if event is None:
            self._queue.put(None)  # the mark of the end stays, for whoever else waits
        else:
            self.delivered += 1
        return event
