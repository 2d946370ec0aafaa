from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_agents.serve.vitals import HOUR_S, KEPT, Context, LastHour, Vitals
from tests.bus.making import event


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def seen(*events) -> Vitals:
    vitals = Vitals()
    for each in events:
        vitals.see(each)
    return vitals


def status(agent: str, status: str):
    return event("agent_status", payload={"agent": agent, "status": status})


def node(type_: str, agent: str, run: str = "run-1", kind: str = "agent"):
    return event(type_, run_id=run, node_id=f"n-{agent}", capability_id=agent, payload={"kind": kind})


@given(st.lists(st.integers(0, 2000), max_size=200))
def test_the_hour_slides(steps) -> None:
    """At any moment exactly the errors of the last 3600 seconds are counted."""
    clock = Clock()
    hour, times = LastHour(clock), []
    for step in steps:
        clock.now_s += step
        hour.add()
        times.append(clock.now_s)
        assert hour.total() == sum(time > clock.now_s - HOUR_S for time in times)


def test_an_hour_of_a_million_errors_is_small() -> None:
    """Memory does not grow with the number of errors: a number for each second is all that is kept."""
    clock = Clock()
    hour = LastHour(clock)
    for number in range(1_000_000):
        clock.now_s = number / 100
        hour.add()

    assert hour.total() == HOUR_S * 100
    assert len(hour._seconds) == HOUR_S


def test_errors_are_agent_errors_and_failed_runs() -> None:
    """One that an agent reports and one that ends a run count; a cancelled run and a retried attempt do not."""
    vitals = seen(
        event("agent_error", payload={"agent": "a", "severity": "warning"}),
        event("complete", status="failed"),
        event("complete", status="cancelled"),
        event("complete", status="completed"),
        event("node_error"),
    )

    assert vitals.look().errors_last_hour == 2


def test_mode_is_what_was_last_said() -> None:
    """Without an orchestrator there is no mode."""
    assert seen().look().mode is None
    assert seen(event("mode_changed", payload={"mode": "active"}), event("mode_changed", payload={"mode": "paused"})
                ).look().mode == "paused"  # fmt: skip


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], None),
        ([status("a", "active")], "a"),
        ([status("a", "active"), status("b", "active")], "b"),
        ([status("a", "active"), status("b", "active"), status("b", "idle")], "a"),
        ([status("a", "active"), status("a", "gone")], None),
        ([node("node_start", "a")], "a"),
        ([node("node_start", "a"), node("node_start", "t", kind="tool")], "a"),
        ([node("node_start", "a"), node("node_complete", "a")], None),
        ([node("node_start", "a"), event("complete", status="failed")], None),
        ([node("node_start", "a"), event("complete", run_id="run-2", status="completed")], "a"),
        ([event("handoff", payload={"fromAgent": "a", "toAgent": "b"})], "b"),
        ([event("handoff", payload={"toAgent": "b"}), event("handoff", payload={"toAgent": "c"})], "c"),
        ([event("handoff", payload={"toAgent": "b"}), status("b", "idle")], None),
        ([event("handoff", payload={"toAgent": "b"}), event("complete", status="completed")], None),
    ],
)
def test_the_current_agent_became_active_last_and_still_is(events, expected) -> None:
    """By its status, by a node of it that runs, or since work was handed to it."""
    assert seen(*events).look().current_agent == expected


def test_contexts_are_those_of_living_agents() -> None:
    """What a refresh does not say stays as it was; who is gone is forgotten."""
    vitals = seen(
        event("context_refreshed", payload={"agent": "a", "items": 3, "tokens": 90, "limit": 100}),
        event("context_refreshed", payload={"agent": "a", "tokens": 95}),
        event("context_refreshed", payload={"agent": "b", "tokens": 5, "limit": "many"}),
        event("context_refreshed", payload={"agent": "c", "tokens": 5, "limit": 0}),
        event("context_refreshed", payload={"agent": "d", "tokens": 5}),
        status("d", "gone"),
        event("context_refreshed", payload={"agent": "d"}),
    )

    contexts = vitals.look().contexts
    assert contexts == {"a": Context(3, 95, 100), "b": Context(None, 5, None), "c": Context(None, 5, 0)}
    assert [contexts[name].used for name in "abc"] == [0.95, None, None]


def test_memory_is_bounded_in_names() -> None:
    """However many agents and runs a program makes up, a thousand of each are kept."""
    vitals = seen(
        *(node("node_start", f"a{n}", f"run-{n}") for n in range(KEPT + 10)),
        *(event("context_refreshed", payload={"agent": f"a{n}", "tokens": 1}) for n in range(KEPT + 10)),
    )

    assert len(vitals._active) == len(vitals._contexts) == KEPT


def test_uptime_counts_from_the_beginning() -> None:
    """Seconds since the observation began."""
    clock = Clock()
    vitals = Vitals(clock)
    clock.now_s = 12.5

    assert vitals.look().uptime_s == 12.5
