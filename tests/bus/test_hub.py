"""The hub: who gets what, in which order, and what happens to those who fail, lag or call back."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Callable
from itertools import count

import pytest

from otel_agents.bus.event import Event
from otel_agents.bus.filters import Filter
from otel_agents.bus.hub import Hub
from tests.bus.making import event, numbered, numbers

LONG_S = 5.0


class Blocked:
    """A listener that holds the first event until it is let go."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.go = threading.Event()
        self.seen: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.reached.set()
        assert self.go.wait(LONG_S)
        self.seen.append(event)


class Raising:
    """A listener that raises whatever it is given."""

    def __init__(self, error: BaseException) -> None:
        self.error = error
        self.calls = 0

    def __call__(self, event: Event) -> None:
        self.calls += 1
        raise self.error


def test_a_listener_gets_every_event_in_order_and_in_another_thread(hub: Hub) -> None:
    """All events, once each, outside the publisher's thread."""
    seen: list[Event] = []
    threads: set[str] = set()

    def hear(one: Event) -> None:
        seen.append(one)
        threads.add(threading.current_thread().name)

    hub.subscribe(hear)

    for number in range(50):
        hub.publish(numbered(number))

    assert hub.flush(LONG_S)
    assert numbers(seen) == list(range(50))
    assert threads == {"otel-agents-bus"}
    assert hub.published == 50


def test_ids_are_given_in_the_order_in_which_everybody_sees_the_events(hub: Hub) -> None:
    """The hub stamps what has no id, and leaves the id that an event brings."""
    hub = Hub(new_id=(f"id-{number}" for number in count(1)).__next__)
    stream = hub.stream()

    for one in (event(), event(id="run-1:1"), event()):
        hub.publish(one)

    assert [one.id for one in stream.take()] == ["id-1", "run-1:1", "id-2"]


def test_nobody_listening_means_inactive(hub: Hub) -> None:
    """`active` follows subscriptions and the ring."""
    states = [hub.active]
    leave = hub.subscribe(lambda one: None)
    states.append(hub.active)
    leave()
    states.append(hub.active)
    with hub.stream():
        states.append(hub.active)
    states.append(hub.active)
    hub.keep_ring()
    states.append(hub.active)

    assert states == [False, True, False, True, False, True]


def test_no_thread_runs_before_a_listener_has_something_to_hear(hub: Hub) -> None:
    """Streams and the ring need no thread; subscribing and leaving again does not start one."""
    before = set(threading.enumerate())
    hub.keep_ring()
    hub.stream()
    hub.subscribe(lambda one: None)()
    hub.publish(event())

    assert hub.flush(LONG_S)
    assert set(threading.enumerate()) == before


@pytest.mark.parametrize(
    ("types", "lifecycle", "expected"),
    [
        (None, False, ["start", "plan_requested", "node_start", "policy_triggered", "complete"]),
        (None, True, ["plan_requested", "policy_triggered"]),
        (["node_start", "complete"], False, ["node_start", "complete"]),
        (["node_start", "plan_requested"], True, ["plan_requested"]),
        ([], False, []),
    ],
)
def test_types_and_lifecycle_select_together(
    hub: Hub, types: list[str] | None, lifecycle: bool, expected: list[str]
) -> None:
    """A subscriber, and a replay, get what both conditions leave."""
    seen: list[str] = []
    hub.keep_ring()
    hub.subscribe(lambda one: seen.append(one.type), types, lifecycle=lifecycle)

    for name in ("start", "plan_requested", "node_start", "policy_triggered", "complete"):
        hub.publish(event(name))

    assert hub.flush(LONG_S)
    assert seen == expected
    assert [one.type for one in hub.replay(types=types, lifecycle=lifecycle)] == expected


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        (Filter(run_id="a"), [0, 1]),
        (Filter(correlation_id="x"), [0, 2]),
        (Filter(work_order_id="w"), [1]),
        (Filter(run_id="a", correlation_id="x"), [0]),
        (Filter(run_id="none"), []),
    ],
)
def test_a_stream_is_filtered_by_run_correlation_and_work_order(hub: Hub, only: Filter, expected: list[int]) -> None:
    """All conditions of a filter must hold."""
    stream = hub.stream(only)

    hub.publish(event(run_id="a", correlation_id="x", payload={"number": 0}))
    hub.publish(event(run_id="a", correlation_id="y", work_order_id="w", payload={"number": 1}))
    hub.publish(event(run_id="b", correlation_id="x", payload={"number": 2}))

    assert numbers(stream.take()) == expected


async def _coroutine(event: Event) -> None:
    """Nobody would await it."""


class _CoroutineObject:
    async def __call__(self, event: Event) -> None:
        """Nobody would await it."""


@pytest.mark.parametrize("listener", [None, "text", _coroutine, _CoroutineObject()])
def test_a_listener_that_cannot_be_called_is_refused(hub: Hub, listener: Callable[[Event], object]) -> None:
    """The mistake is told at once, to the one who makes it, also when a name is given."""
    with pytest.raises(TypeError, match="listener is"):
        hub.subscribe(listener, name="named")

    assert not hub.active


def test_wrong_types_and_sizes_are_refused_with_value_and_cure(hub: Hub) -> None:
    """The message names the value and what to give instead."""
    with pytest.raises(TypeError, match=r"types is 'log', one string; give .* such as \['log'\]"):
        hub.subscribe(print, "log")
    with pytest.raises(ValueError, match=r"types has \['nodestart'\], no event type; known are start, complete,"):
        hub.subscribe(print, ["nodestart", "log"])
    with pytest.raises(ValueError, match="queue_size is 0;"):
        hub.subscribe(print, queue_size=0)
    with pytest.raises(ValueError, match="ring_size is -1;"):
        Hub(ring_size=-1)


def test_a_slow_listener_loses_the_oldest_and_the_loss_is_counted(hub: Hub) -> None:
    """The publisher does not wait; the newest events are kept, in order."""
    slow = Blocked()
    hub.subscribe(slow, name="slow", queue_size=3)
    hub.publish(numbered(0))
    assert slow.reached.wait(LONG_S)

    for number in range(1, 10):
        hub.publish(numbered(number))
    slow.go.set()

    assert hub.flush(LONG_S)
    assert numbers(slow.seen) == [0, 7, 8, 9]
    assert hub.dropped == {"slow": 6}


def test_a_slow_listener_costs_streams_nothing(hub: Hub) -> None:
    """While a listener is stuck, streams get everything at once."""
    slow = Blocked()
    hub.subscribe(slow)
    stream = hub.stream()
    hub.publish(numbered(0))
    assert slow.reached.wait(LONG_S)
    hub.publish(numbered(1))

    assert numbers(stream.take()) == [0, 1]
    slow.go.set()


def test_listeners_take_turns(hub: Hub) -> None:
    """A listener with much to hear does not make the others wait until it has heard it all."""
    first = Blocked()
    heard: list[str] = []
    hub.subscribe(first)
    hub.publish(numbered(0))
    assert first.reached.wait(LONG_S)
    hub.subscribe(lambda one: heard.append("a"))
    hub.subscribe(lambda one: heard.append("b"))
    for number in range(1, 4):
        hub.publish(numbered(number))
    first.go.set()

    assert hub.flush(LONG_S)
    assert heard == ["a", "b"] * 3


@pytest.mark.parametrize("error", [ValueError("canary"), SystemExit("canary"), KeyboardInterrupt("canary")])
def test_a_listener_that_raises_is_dropped_and_the_others_are_told(hub: Hub, error: BaseException) -> None:
    """One call, one failure, one log event of the same run, without what the exception said."""
    raising = Raising(error)
    seen: list[Event] = []
    hub.subscribe(raising, name="raising")
    hub.subscribe(seen.append, name="other")

    hub.publish(event(run_id="run-7", correlation_id="corr-7", runtime="langgraph"))
    hub.flush(LONG_S)
    hub.publish(event())

    assert hub.flush(LONG_S)
    assert raising.calls == 1
    assert hub.failed == {"raising": 1}
    assert [one.type for one in seen] == ["node_start", "log", "node_start"]
    complaint = seen[1]
    assert (complaint.run_id, complaint.correlation_id, complaint.runtime) == ("run-7", "corr-7", "langgraph")
    assert complaint.message == f"subscriber raising raised {type(error).__name__} and was dropped"
    assert complaint.payload == {"message": complaint.message}
    assert "canary" not in complaint.to_json()


def test_a_listener_may_be_kept_in_spite_of_failures_and_is_complained_of_once(hub: Hub) -> None:
    """Two such listeners that also fail on each other's complaints do not talk for ever."""
    first, second = Raising(ValueError()), Raising(KeyError())
    seen: list[str | None] = []
    hub.subscribe(first, name="first", keep_on_error=True)
    hub.subscribe(second, name="second", keep_on_error=True)
    hub.subscribe(lambda one: seen.append(one.message), ["log"])

    hub.publish(event())
    while not (hub.flush(LONG_S) and first.calls == second.calls == 3):
        assert first.calls <= 3

    assert seen == [
        "subscriber first raised ValueError and stays, and its next failures are only counted",
        "subscriber second raised KeyError and stays, and its next failures are only counted",
    ]
    assert hub.failed == {"first": 3, "second": 3}


def test_a_listener_is_named_after_itself(hub: Hub) -> None:
    """Without a name, drops and failures are counted under the qualified name."""
    hub.subscribe(_fail)
    hub.subscribe(Raising(ValueError()))

    hub.publish(event())
    hub.flush(LONG_S)

    assert hub.failed == {"tests.bus.test_hub._fail": 1, "tests.bus.test_hub.Raising": 1}


def _fail(event: Event) -> None:
    raise ValueError


def test_a_listener_that_publishes_is_heard_by_all(hub: Hub) -> None:
    """An event published inside a listener comes after the one that led to it."""
    seen: list[Event] = []

    def answer(one: Event) -> None:
        if one.type == "plan_requested":
            hub.publish(event("plan_generated"))

    hub.subscribe(answer)
    hub.subscribe(seen.append)
    hub.publish(event("plan_requested"))
    hub.flush(LONG_S)

    assert hub.flush(LONG_S)
    assert [one.type for one in seen] == ["plan_requested", "plan_generated"]


def test_a_listener_that_leaves_inside_its_call_hears_no_more(hub: Hub) -> None:
    """What waited for it is not delivered, and is not counted as dropped."""
    seen: list[Event] = []

    def once(one: Event) -> None:
        seen.append(one)
        leave()

    leave = hub.subscribe(once)
    for number in range(5):
        hub.publish(numbered(number))

    assert hub.flush(LONG_S)
    assert numbers(seen) == [0]
    assert (hub.dropped, hub.active) == ({}, False)


def test_a_listener_that_subscribes_another_inside_its_call_is_obeyed(hub: Hub) -> None:
    """The new listener hears what comes after."""
    seen: list[Event] = []
    leave = hub.subscribe(lambda one: (leave(), hub.subscribe(seen.append)))
    hub.publish(numbered(0))
    assert hub.flush(LONG_S)
    hub.publish(numbered(1))

    assert hub.flush(LONG_S)
    assert numbers(seen) == [1]


def test_a_listener_that_flushes_does_not_wait_for_itself(hub: Hub) -> None:
    """It is told at once that this cannot be."""
    answers: list[bool] = []
    hub.subscribe(lambda one: answers.append(hub.flush(LONG_S)))
    hub.publish(event())

    assert hub.flush(LONG_S)
    assert answers == [False]


def test_a_flush_waits_for_the_call_and_not_only_for_the_delivery(hub: Hub) -> None:
    """While the listener is still at work, nothing is flushed."""
    slow = Blocked()
    hub.subscribe(slow)
    hub.publish(event())
    assert slow.reached.wait(LONG_S)

    assert not hub.flush(0.02)
    slow.go.set()
    assert hub.flush(LONG_S)
    assert len(slow.seen) == 1


def test_leaving_twice_is_leaving_once(hub: Hub) -> None:
    """The second call does nothing, also not to a later subscription of the same listener."""
    seen: list[Event] = []
    leave = hub.subscribe(seen.append)
    leave()
    hub.subscribe(seen.append)
    leave()
    hub.publish(event())

    assert hub.flush(LONG_S)
    assert len(seen) == 1


def test_closing_delivers_what_waits_and_ends_the_thread(hub: Hub) -> None:
    """Nothing is lost, nobody is left, and a reader that waits is told."""
    seen: list[Event] = []
    hub.subscribe(seen.append)
    hub.keep_ring()
    stream = hub.stream()
    for number in range(20):
        hub.publish(numbered(number))

    assert hub.close(LONG_S)
    assert numbers(seen) == list(range(20))
    assert (hub.active, hub.replay(), hub.dropped) == (False, [], {})
    assert stream.closed
    assert "otel-agents-bus" not in {thread.name for thread in threading.enumerate()}


def test_closing_counts_what_a_stuck_listener_did_not_hear(hub: Hub) -> None:
    """The host does not wait longer than it said."""
    slow = Blocked()
    hub.subscribe(slow, name="slow")
    for number in range(5):
        hub.publish(numbered(number))
    assert slow.reached.wait(LONG_S)

    assert not hub.close(0.02)
    assert hub.dropped == {"slow": 4}
    slow.go.set()


def test_a_closed_hub_starts_anew_with_the_next_subscriber(hub: Hub) -> None:
    """Instrument, uninstrument, instrument."""
    seen: list[Event] = []
    hub.subscribe(seen.append)
    hub.close(LONG_S)
    hub.publish(numbered(1))
    hub.subscribe(seen.append)
    hub.publish(numbered(2))

    assert hub.flush(LONG_S)
    assert numbers(seen) == [2]


def test_a_hub_that_nobody_holds_leaves_no_thread() -> None:
    """Its thread ends when the hub is collected."""
    mine = Hub()
    mine.subscribe(lambda one: None)
    mine.publish(event())
    assert mine.flush(LONG_S)
    (thread,) = (one for one in threading.enumerate() if one.name == "otel-agents-bus")
    gone = weakref.ref(mine)

    del mine
    gc.collect()

    thread.join(LONG_S)
    assert gone() is None
    assert not thread.is_alive()


def test_names_of_subscribers_are_bounded(hub: Hub) -> None:
    """Names become metric labels: from the 65th on all are counted together."""
    for number in range(70):
        with hub.stream(name=f"{'x' * 200}" if number == 0 else f"stream-{number}", queue_size=1):
            hub.publish(event())
            hub.publish(event())

    assert len(hub.dropped) == 65
    assert hub.dropped["_other"] == 6
    assert hub.dropped["x" * 100] == 1


def test_publishing_from_inside_a_publication_keeps_one_order_for_all(hub: Hub) -> None:
    """A finalizer may publish while the very same thread hands out an event; nobody waits, nobody sees them swapped."""
    first = hub.stream(wake=lambda: hub.publish(numbered(2)))
    second = hub.stream()

    hub.publish(numbered(1))

    assert numbers(first.take()) == [1, 2]
    assert numbers(second.take()) == [1, 2]


class Dying:
    """Publishes when the garbage collector finds it, wherever that is."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.cycle = self

    def __del__(self) -> None:
        self.hub.publish(event("complete"))
        self.hub.stream().close()


def test_finalizers_publish_wherever_the_collector_runs_them(hub: Hub) -> None:
    """Collections at every allocation, in the publisher and in the listener's thread: no deadlock, nothing lost."""
    seen: list[Event] = []
    hub.subscribe(seen.append, queue_size=10_000)
    hub.keep_ring()
    before = gc.get_threshold()
    gc.set_threshold(1, 1, 1)
    try:
        for number in range(100):
            Dying(hub)
            hub.publish(numbered(number))
    finally:
        gc.set_threshold(*before)
        gc.collect()

    assert hub.flush(LONG_S)
    assert numbers(one for one in seen if one.type == "node_start") == list(range(100))
    assert len([one for one in seen if one.type == "complete"]) == 100


def test_many_threads_lose_nothing_and_agree_on_one_order(hub: Hub) -> None:
    """Every subscriber sees the same events in the same order, in which each thread's own events keep theirs."""
    each, publishers = 2000, 8
    seen: list[Event] = []
    hub.subscribe(seen.append, queue_size=each * publishers)
    stream = hub.stream(queue_size=each * publishers)

    def publish(who: int) -> None:
        for number in range(each):
            hub.publish(event(run_id=str(who), payload={"number": number}))

    threads = [threading.Thread(target=publish, args=(who,)) for who in range(publishers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert hub.flush(30.0)
    assert hub.dropped == {}
    assert stream.take() == seen
    assert [one.id for one in seen] == sorted({one.id for one in seen})
    for who in range(publishers):
        assert numbers(one for one in seen if one.run_id == str(who)) == list(range(each))


def test_subscribers_come_and_go_while_others_publish(hub: Hub) -> None:
    """Whoever comes and goes meanwhile sees an unbroken part of the stream, and nobody else misses anything."""
    seen: list[Event] = []
    hub.subscribe(seen.append, queue_size=20_000)
    stop = threading.Event()
    parts: list[list[object]] = []

    def visit() -> None:
        while not stop.is_set():
            with hub.stream(queue_size=20_000) as stream:
                time.sleep(0)
                part = numbers(stream.take())
            parts.append(part)

    visitors = [threading.Thread(target=visit) for _ in range(3)]
    for visitor in visitors:
        visitor.start()
    for number in range(5000):
        hub.publish(numbered(number))
    stop.set()
    for visitor in visitors:
        visitor.join()

    assert hub.flush(LONG_S)
    assert numbers(seen) == list(range(5000))
    for part in filter(None, parts):
        assert part == list(range(part[0], part[0] + len(part)))  # type: ignore[call-overload, operator]
