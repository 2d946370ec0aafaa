"""A stream: a bounded buffer that wakes its reader, in a thread or in an event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from queue import Empty, SimpleQueue

import pytest

from otel_agents.bus.event import Event
from otel_agents.bus.hub import Hub
from otel_agents.bus.stream import Stream
from tests.bus.making import event, numbered, numbers

LONG_S = 5.0


def test_a_reader_waits_for_the_next_event(hub: Hub) -> None:
    """A thread that waits is woken by the publication."""
    stream = hub.stream()
    read: list[Event | None] = []
    reader = threading.Thread(target=lambda: read.append(stream.get(LONG_S)))
    reader.start()
    hub.publish(numbered(1))
    reader.join(LONG_S)

    assert numbers(one for one in read if one is not None) == [1]


@pytest.mark.parametrize("timeout_s", [-1.0, 0.0, 0.01])
def test_a_reader_gets_nothing_when_the_time_is_over(hub: Hub, timeout_s: float) -> None:
    """No event is None, not an exception."""
    assert hub.stream().get(timeout_s) is None


def test_the_oldest_are_dropped_and_counted(hub: Hub) -> None:
    """The reader can tell how many it missed; so can the hub, under the stream's name."""
    stream = hub.stream(name="sse", queue_size=2)
    for number in range(5):
        hub.publish(numbered(number))

    assert (len(stream), stream.dropped, hub.dropped) == (2, 3, {"sse": 3})
    assert numbers(stream.take()) == [3, 4]


def test_what_is_buffered_can_be_read_after_closing_and_nothing_more_comes(hub: Hub) -> None:
    """Then every reader gets None, as often as it asks."""
    stream = hub.stream()
    hub.publish(numbered(1))
    stream.close()
    hub.publish(numbered(2))

    assert len(stream) == 1
    assert numbers([one for one in (stream.get(LONG_S),) if one]) == [1]
    assert [stream.get(LONG_S), stream.get(LONG_S), stream.take(), stream.poll()] == [None, None, [], None]
    assert (stream.closed, hub.active) == (True, False)


def test_a_stream_that_is_closed_amid_a_publication_does_not_get_it(hub: Hub) -> None:
    """Closing counts at once, also for an event that is just being handed out."""
    streams: list[Stream] = []

    def close_last() -> None:
        streams[-1].close()

    streams = [hub.stream(wake=close_last), hub.stream()]
    hub.publish(event())

    assert (len(streams[-1]), streams[-1].take()) == (0, [])


def test_closing_wakes_all_who_wait(hub: Hub) -> None:
    """Several readers of one stream all come back."""
    stream = hub.stream()
    readers = [threading.Thread(target=stream.get) for _ in range(3)]
    for reader in readers:
        reader.start()
    stream.close()
    for reader in readers:
        reader.join(LONG_S)

    assert not any(reader.is_alive() for reader in readers)


def test_a_wake_comes_once_until_the_reader_has_looked(hub: Hub) -> None:
    """A burst costs one wake-up; the next event after `take` wakes again."""
    wakes: list[int] = []
    stream = hub.stream(wake=lambda: wakes.append(len(stream)))
    for number in range(3):
        hub.publish(numbered(number))
    stream.take()
    hub.publish(numbered(3))
    stream.close()

    assert wakes == [1, 1]


def test_a_poll_that_finds_nothing_asks_for_the_next_wake(hub: Hub) -> None:
    """A poll that finds something does not: its reader will poll again."""
    wakes: list[int] = []
    stream = hub.stream(wake=lambda: wakes.append(1))
    hub.publish(numbered(0))
    stream.poll()
    hub.publish(numbered(1))
    assert len(wakes) == 1
    stream.poll()
    stream.poll()
    hub.publish(numbered(2))

    assert len(wakes) == 2


class LateQueue(SimpleQueue[Event | None]):
    """A queue into which an event comes just after somebody found it empty."""

    def __init__(self, late: Callable[[], None]) -> None:
        super().__init__()
        self._late = [late]

    def get_nowait(self) -> Event | None:
        try:
            return super().get_nowait()
        except Empty:
            if self._late:
                self._late.pop()()
            raise


def test_a_poll_does_not_miss_what_comes_while_it_looks(hub: Hub) -> None:
    """The event woke nobody, since the reader seemed awake: so the reader has to see it."""
    wakes: list[int] = []
    stream = hub.stream(wake=lambda: wakes.append(1))
    hub.publish(numbered(1))
    stream.take()
    hub.publish(numbered(2))
    stream.poll()
    stream._queue = LateQueue(lambda: hub.publish(numbered(3)))

    assert numbers([one for one in (stream.poll(),) if one]) == [3]
    assert len(wakes) == 2


def test_a_reader_whose_wake_raises_is_gone(hub: Hub) -> None:
    """The stream is closed, the publisher and the others notice nothing."""
    loop = asyncio.new_event_loop()
    loop.close()
    orphan = hub.stream(wake=partial(loop.call_soon_threadsafe, print))
    other = hub.stream()
    hub.publish(numbered(1))

    assert (orphan.closed, numbers(other.take())) == (True, [1])
    hub.publish(numbered(2))
    assert (numbers(orphan.take()), numbers(other.take())) == ([1], [2])


def test_an_interrupt_in_a_wake_reaches_the_host(hub: Hub) -> None:
    """Ctrl-C while an event is handed out is not taken for a failure of the reader; the hub goes on."""
    interrupts = iter([KeyboardInterrupt])

    def interrupted() -> None:
        for interrupt in interrupts:
            raise interrupt

    stream = hub.stream(wake=interrupted)
    with pytest.raises(KeyboardInterrupt):
        hub.publish(numbered(1))
    hub.publish(numbered(2))

    assert numbers(stream.take()) == [1, 2]


class Reader:
    """The way a server reads: in an event loop, woken from whatever thread publishes."""

    def __init__(self, hub: Hub) -> None:
        self._ready = asyncio.Event()
        self._stream = hub.stream(wake=partial(asyncio.get_running_loop().call_soon_threadsafe, self._ready.set))

    async def read(self, amount: int) -> list[Event]:
        """Return so many events."""
        events: list[Event] = []
        with self._stream:
            while len(events) < amount:
                await asyncio.wait_for(self._ready.wait(), LONG_S)
                self._ready.clear()
                events.extend(self._stream.take())
        return events


async def _read(hub: Hub, amount: int, meet: threading.Barrier) -> list[Event]:
    reader = Reader(hub)
    await asyncio.to_thread(meet.wait, LONG_S)
    return await reader.read(amount)


def test_several_event_loops_read_what_threads_publish() -> None:
    """Each loop gets everything in order, and no wake-up is lost."""
    hub = Hub(queue_size=10_000)
    meet = threading.Barrier(4)
    read: list[list[Event]] = []
    loops = [
        threading.Thread(target=lambda: read.append(asyncio.run(_read(hub, 2000, meet)))) for _ in range(3)
    ]  # fmt: skip
    for loop in loops:
        loop.start()
    meet.wait(LONG_S)
    for number in range(2000):
        hub.publish(numbered(number))
    for loop in loops:
        loop.join(30.0)

    assert [numbers(events) for events in read] == [list(range(2000))] * 3
    assert not hub.active


def _publish(hub: Hub, amount: int) -> None:
    for number in range(amount):
        hub.publish(event(payload={"number": number}))


async def test_the_loop_that_publishes_may_also_read() -> None:
    """Publishing inside the loop does not block it."""
    hub = Hub()
    reader = Reader(hub)
    _publish(hub, 10)

    assert numbers(await reader.read(10)) == list(range(10))
