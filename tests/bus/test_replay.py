"""Replay: what came before, without a gap and without anything twice."""

from __future__ import annotations

import threading

import pytest

from otel_agents.bus.event import Event
from otel_agents.bus.hub import Hub
from tests.bus.making import event, numbered, numbers

LONG_S = 5.0


def _filled(hub: Hub, amount: int) -> list[Event]:
    """Publish events and return them as the hub has them."""
    hub.keep_ring()
    stream = hub.stream(queue_size=amount)
    for number in range(amount):
        hub.publish(numbered(number))
    stream.close()
    return stream.take()


def test_nothing_is_kept_before_somebody_asks(hub: Hub) -> None:
    """The ring begins with the first event after `keep_ring`; asking twice forgets nothing."""
    hub.publish(numbered(0))
    hub.keep_ring()
    hub.publish(numbered(1))
    hub.keep_ring()
    hub.publish(numbered(2))

    assert numbers(hub.replay()) == [1, 2]


def test_the_ring_keeps_the_newest(hub: Hub) -> None:
    """Of fifteen events, a ring of ten has the last ten."""
    _filled(hub, 15)

    assert numbers(hub.replay()) == list(range(5, 15))


@pytest.mark.parametrize(("position", "first"), [(0, 5), (4, 5), (5, 6), (9, 10), (14, 15)])
def test_replay_starts_after_the_given_event(hub: Hub, position: int, first: int) -> None:
    """What the caller has seen is not repeated; after an event that the ring has lost, all that is left is told."""
    events = _filled(hub, 15)

    assert numbers(hub.replay(events[position].id)) == list(range(first, 15))


def test_ids_that_the_caller_gave_are_found_too(hub: Hub) -> None:
    """Frames of a run carry ids that do not sort with ours."""
    hub.keep_ring()
    for number in (9, 10, 11):
        hub.publish(event(id=f"run-1:{number}", payload={"number": number}))

    assert numbers(hub.replay("run-1:9")) == [10, 11]


@pytest.mark.parametrize(
    ("after", "gap", "expected"),
    [(None, False, []), ("", False, list(range(5, 15))), ("elsewhere", True, list(range(5, 15)))],
)
def test_a_stream_begins_where_it_is_asked_to(hub: Hub, after: str | None, gap: bool, expected: list[int]) -> None:
    """None begins now, "" with all there is, an unknown event with all there is and a word about the gap."""
    _filled(hub, 15)
    stream = hub.stream(after_id=after)
    hub.publish(numbered(15))

    assert numbers(stream.take()) == [*expected, 15]
    assert stream.gap is gap


def test_a_replay_without_a_ring_is_a_gap(hub: Hub) -> None:
    """Who asks for what was never kept is told."""
    hub.publish(event(id="seen"))

    assert hub.stream(after_id="seen").gap is True
    assert hub.stream(after_id="").gap is False


def test_a_listener_may_replay_and_gets_its_types_only(hub: Hub) -> None:
    """The replay goes through the same filter as the rest."""
    seen: list[str] = []
    hub.keep_ring()
    for name in ("start", "plan_requested"):
        hub.publish(event(name))
    hub.subscribe(lambda one: seen.append(one.type), lifecycle=True, after_id="")
    for name in ("plan_generated", "complete"):
        hub.publish(event(name))

    assert hub.flush(LONG_S)
    assert seen == ["plan_requested", "plan_generated"]


def test_a_replay_longer_than_the_queue_is_not_cut(hub: Hub) -> None:
    """The ring bounds a replay; only what comes later may push it out, and is counted."""
    _filled(hub, 10)
    stream = hub.stream(queue_size=2, after_id="")

    assert (len(stream), stream.dropped) == (10, 0)
    hub.publish(numbered(10))
    assert (len(stream), stream.dropped) == (10, 1)


def test_whoever_comes_late_while_others_publish_has_no_gap_and_nothing_twice() -> None:
    """A client that reconnects again and again with its last id reads one unbroken stream."""
    hub, amount = Hub(ring_size=5000, queue_size=5000), 5000
    hub.keep_ring()

    def publish() -> None:
        for number in range(amount):
            hub.publish(numbered(number))

    publisher = threading.Thread(target=publish)
    publisher.start()
    read: list[Event] = []
    while len(read) < amount:
        with hub.stream(after_id=read[-1].id if read else "") as stream:
            first = stream.get(LONG_S)
        assert first is not None
        read.extend([first, *stream.take()])
    publisher.join()

    assert numbers(read) == list(range(amount))
