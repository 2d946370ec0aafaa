"""Takes events in and hands them to whoever subscribed; must not know what an event means nor who made it.

Publishing never waits and runs no code of a subscriber but the `wake` of a stream. All that changes the hub goes
through one inbox, so there is one order of events for all, and a subscriber starts exactly between two events.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from otel_agents.bus.counts import Counts
from otel_agents.bus.courier import Courier, Flush, Listener, Subscription, complaint, name_of
from otel_agents.bus.event import Event, next_id
from otel_agents.bus.filters import EVERYTHING, Filter, select
from otel_agents.bus.inbox import Inbox
from otel_agents.bus.ring import Ring
from otel_agents.bus.stream import Stream, Wake
from otel_agents.semconv.events import LIFECYCLE

RING_SIZE: Final = 1000
QUEUE_SIZE: Final = 1000
FLUSH_S: Final = 5.0
MAX_NAME: Final = 100
INBOX: Final = "inbox"  # the name under which events are counted that not even the inbox could hold

_hubs: weakref.WeakSet[Hub] = weakref.WeakSet()


class Hub:
    """The stream of events of a process. Safe from any thread, event loop, finalizer and forked child.

    Args:
        ring_size: Events that can be replayed, once `keep_ring` was called.
        queue_size: Events that a subscriber may lag behind, unless it says otherwise; then the oldest are dropped.
        new_id: Makes the ids; called once per event, in the order of events.

    Raises:
        ValueError: A size is less than 1.
    """

    def __init__(
        self,
        *,
        ring_size: int = RING_SIZE,
        queue_size: int = QUEUE_SIZE,
        new_id: Callable[[], str] = next_id,
    ) -> None:
        self._ring = Ring(_positive("ring_size", ring_size))
        self._queue_size = _positive("queue_size", queue_size)
        self._new_id = new_id
        self._inbox: Inbox[Event | Callable[[], None]] = Inbox(self._take_in)
        self._open: dict[Stream, Subscription | None] = {}
        self._streams: tuple[Stream, ...] = ()
        self._courier = Courier()
        self._dropped, self._failed, self._published = Counts(), Counts(), 0
        _hubs.add(self)
        # A hub that nobody holds any more does not leave its thread behind; at exit the thread simply stops.
        weakref.finalize(self, self._courier.stop).atexit = False

    @property
    def active(self) -> bool:
        """Whether anybody would see an event: who makes events asks this first."""
        return self._ring.is_kept or bool(self._open)

    @property
    def published(self) -> int:
        """Events published in this process."""
        return self._published

    @property
    def dropped(self) -> dict[str, int]:
        """Events lost, by name of the subscriber that was too slow; at most 65 names."""
        lost = dict(self._dropped)
        if self._inbox.overflowed:
            lost[INBOX] = self._inbox.overflowed
        return lost

    @property
    def failed(self) -> dict[str, int]:
        """Calls of a listener that raised, by name of the subscriber; at most 65 names."""
        return dict(self._failed)

    def publish(self, event: Event) -> None:
        """Hand the event to all who want it; gives it an id, unless it has one. Never raises, waits or blocks."""
        self._inbox.put(event)

    def subscribe(
        self,
        listener: Listener,
        types: Iterable[str] | None = None,
        *,
        lifecycle: bool = False,
        name: str = "",
        queue_size: int | None = None,
        after_id: str | None = None,
        keep_on_error: bool = False,
    ) -> Callable[[], None]:
        """Have `listener(event)` called for each event from now on, in order, in a thread of the hub.

        Args:
            listener: A plain callable. All listeners share one thread, each in its turn.
            types: Event types to deliver; None delivers all.
            lifecycle: Deliver the planner and policy families only.
            name: Under what drops and failures are counted; the listener's own name when empty.
            queue_size: Events that may wait for the listener.
            after_id: First replay what came after this event ("": all that the ring still has).
            keep_on_error: Stay after a failure. Otherwise the first exception ends the subscription.

        Returns:
            A function that ends the subscription; what still waits is not delivered. May be called anywhere, often.

        Raises:
            TypeError: The listener is no plain callable, or `types` is one string.
            ValueError: An unknown type, or a size less than 1.
        """
        own_name = name_of(listener)
        stream = self._new_stream(name or own_name, queue_size, self._select(types, lifecycle=lifecycle))
        subscription = Subscription(listener, stream, self._report, keep=keep_on_error)
        stream.wake = partial(subscription.wake, self._courier)
        self._join(stream, subscription, after_id)
        return stream.close

    def stream(
        self,
        only: Filter | None = None,
        *,
        name: str = "stream",
        queue_size: int | None = None,
        after_id: str | None = None,
        wake: Wake | None = None,
    ) -> Stream:
        """Return a buffer of events that its owner reads and closes; arguments as for `subscribe`.

        Raises:
            ValueError: A size less than 1.
        """
        stream = self._new_stream(name, queue_size, only or EVERYTHING, wake)
        self._join(stream, None, after_id)
        return stream

    def keep_ring(self) -> None:
        """Keep the newest events for replay from now on; without this call an unobserved process pays nothing."""
        self._ring.is_kept = True

    def replay(self, after_id: str = "", types: Iterable[str] | None = None, *, lifecycle: bool = False) -> list[Event]:
        """Return what the ring has after this event, oldest first; all of it when it does not know the event.

        Raises:
            TypeError: `types` is one string.
            ValueError: An unknown type.
        """
        only = self._select(types, lifecycle=lifecycle)
        return [event for event in self._ring.after(after_id)[0] if only.matches(event)]

    def flush(self, timeout_s: float = FLUSH_S) -> bool:
        """Wait until the listeners have seen all that was published; False when time ran out.

        Streams are not waited for. A listener that calls this would wait for itself: it gets False at once.
        """
        if self._courier.is_here():
            return False
        flush = Flush()
        self._inbox.push(partial(self._flush, flush))
        return flush.wait(timeout_s)

    def close(self, timeout_s: float = FLUSH_S) -> bool:
        """Flush, end all subscriptions, streams, the ring and the thread; False when events were lost over it.

        Not for ever: who subscribes afterwards starts the hub anew.
        """
        thread = self._courier.thread
        is_flushed = self.flush(timeout_s)
        self._inbox.push(self._end)
        if is_flushed and thread is not None:
            thread.join(timeout_s)
        return is_flushed

    def fork(self) -> None:
        """Begin anew in a forked child: listeners stay, what waits for them and all streams belong to the parent."""
        self._inbox.renew()
        self._courier.renew()
        self._dropped, self._failed, self._published = Counts(), Counts(), 0
        self._ring.clear()
        streams, self._open = self._open, {s: task for s, task in self._open.items() if task is not None}
        self._streams = tuple(self._open)
        for stream in streams:
            stream.renew()
            if stream not in self._open:
                stream.abandon()

    def _select(self, types: Iterable[str] | None, *, lifecycle: bool) -> Filter:
        return Filter(select(types, LIFECYCLE if lifecycle else None))

    def _new_stream(self, name: str, size: int | None, only: Filter, wake: Wake | None = None) -> Stream:
        size = self._queue_size if size is None else _positive("queue_size", size)
        return Stream(name[:MAX_NAME], size, only=only, wake=wake)

    def _join(self, stream: Stream, subscription: Subscription | None, after_id: str | None) -> None:
        stream.attach(self._leave)
        self._open[stream] = subscription  # at once, for whoever asks `active` next
        self._inbox.push(partial(self._admit, stream, after_id))

    def _leave(self, stream: Stream) -> None:
        self._open.pop(stream, None)
        self._inbox.push(self._forget)

    # What follows runs for one thread at a time.

    def _take_in(self, item: Event | Callable[[], None]) -> None:
        if isinstance(item, Event):
            self._distribute(item)
        else:
            item()

    def _distribute(self, event: Event) -> None:
        if not event.id:
            event = event.stamped(self._new_id())
        self._published += 1
        if self._ring.is_kept:
            self._ring.add(event)
        for stream in self._streams:
            if not stream.offer(event):
                self._dropped.add(stream.name)

    def _admit(self, stream: Stream, after_id: str | None) -> None:
        if after_id is not None:
            missed, is_known = self._ring.after(after_id)
            stream.gap = not is_known
            stream.prime(missed)
        self._streams = (*self._streams, stream)

    def _forget(self) -> None:
        self._streams = tuple(stream for stream in self._streams if not stream.closed)

    def _flush(self, flush: Flush) -> None:
        flush.begin(stream for stream in self._streams if self._open.get(stream) is not None)
        if flush.is_idle:
            flush.look()
        else:  # there, since only between two deliveries what is read has also been listened to
            self._courier.call(flush.look)

    def _end(self) -> None:
        for stream in self._streams:
            if self._open.pop(stream, None) is not None and len(stream):
                self._dropped.add(stream.name, len(stream))
            stream.finish()
        self._streams = ()
        self._ring.is_kept = False
        self._ring.clear()
        self._courier.stop()

    def _report(self, subscription: Subscription, event: Event, failure: str) -> None:
        """Answer a listener that raised; runs in the courier's thread."""
        self._failed.add(subscription.stream.name)
        if not subscription.keep:
            subscription.stream.close()
        if subscription.failed == 1:  # one that stays may fail on the next complaint as well
            self.publish(complaint(subscription, event, failure))


def _positive(name: str, size: int) -> int:
    if size < 1:
        raise ValueError(f"{name} is {size}; at least one event has to fit, so give 1 or more")
    return size


def _after_fork() -> None:
    for hub in list(_hubs):
        hub.fork()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_after_fork)
