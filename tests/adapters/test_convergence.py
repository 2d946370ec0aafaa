"""Converging runs, watched: operations, events, metrics, cancels, pauses, the older progress vocabulary."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import otel_agents
from otel_agents.adapters.convergence import ADAPTER
from otel_agents.bus.event import Event
from otel_agents.patching.apply import apply
from otel_agents.recorder import RECORDER
from otel_agents.runtime.convergence import Answer, Delivery, Gate, Loop, Turn
from otel_agents.testing import Telemetry, capture
from tests.adapters.converging import Stuck, approve, build, cancelled, loop, suite_passes, task, with_a_human
from tests.adapters.watching import scraped, watched

OF_PROCESS = ("yolo_cpu_usage_percent", "yolo_memory_usage_mb")
MARKS = {"iteration_started": "+{iteration}", "iteration_completed": "-{iteration}", "phase_started": "+{phase}",
         "phase_completed": "-{phase}", "gate_checked": "{gate}={passed}"}  # fmt: skip

TREE = """\
run patch: ok
  iteration: ok
    phase build: ok
    phase snapshot: ok
    phase verify: ok
      gate tests: ok
      gate lint: ok
    phase feedback: ok
  iteration: ok
    phase build: ok
    phase snapshot: ok
    phase verify: ok
      gate tests: ok
      gate lint: ok
  delivery: ok
""".splitlines()

STORY = """
start
+1 +build -build +snapshot -snapshot +verify tests=False lint=True -verify +feedback -feedback -1
+2 +build -build +snapshot -snapshot +verify tests=True lint=True -verify -2
delivery_started delivery_completed complete
"""

METRICS = {
    "flex.run.status{runtime=convergence,status=completed}": 1,
    "flex.run.duration_count{runtime=convergence,status=completed}": 1,
    "flex.run.transitions{runtime=convergence,state=start}": 1,
    "flex.run.transitions{runtime=convergence,state=complete}": 1,
    "flex.iteration.duration_count{outcome=ok,runtime=convergence}": 2,
    "flex.phase.duration_count{outcome=ok,phase=build,runtime=convergence}": 2,
    "flex.phase.duration_count{outcome=ok,phase=snapshot,runtime=convergence}": 2,
    "flex.phase.duration_count{outcome=ok,phase=verify,runtime=convergence}": 2,
    "flex.phase.duration_count{outcome=ok,phase=feedback,runtime=convergence}": 1,
    "flex.gate.checks{gate=tests,passed=false,runtime=convergence}": 1,
    "flex.gate.checks{gate=tests,passed=true,runtime=convergence}": 1,
    "flex.gate.checks{gate=lint,passed=true,runtime=convergence}": 2,
    "flex.delivery.duration_count{outcome=ok,runtime=convergence}": 1,
}


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    """Watch converging runs."""
    with watched(ADAPTER) as recorded:
        yield recorded


def _words(events: list[Event]) -> list[str]:
    return [MARKS.get(event.type, event.type).format(**event.payload) for event in events]


def _counted(telemetry: Telemetry) -> dict[str, float]:
    return {name: n for name, n in telemetry.metrics().items() if "_sum{" not in name and name not in OF_PROCESS}


def _last(telemetry: Telemetry, type_: str) -> Event:
    return next(event for event in reversed(telemetry.events) if event.type == type_)


def test_a_run_is_a_tree_a_story_and_numbers(telemetry: Telemetry) -> None:
    """Operations, events and metrics are exactly those of what happened, each once."""
    asyncio.run(loop().run(task()))

    assert telemetry.tree() == TREE
    assert _words(telemetry.events) == STORY.split()
    assert _counted(telemetry) == METRICS


def test_ids_stand_on_every_event_and_span(telemetry: Telemetry) -> None:
    """Run, correlation id, runtime and work order are those of the task; one run is one trace."""
    asyncio.run(loop().run(task()))

    ids = {(each.run_id, each.correlation_id, each.runtime, each.work_order_id) for each in telemetry.events}
    assert ids == {("run-7", "corr-7", "convergence", "wo-7")}
    assert len({span.context.trace_id for span in telemetry.spans}) == 1
    assert {span.attributes["flex.run.id"] for span in telemetry.spans if span.attributes} == {"run-7"}


def test_the_end_of_a_run_has_its_sums(telemetry: Telemetry) -> None:
    """Counts, and durations by the run's own clock, which here goes on by a millisecond at each look."""
    asyncio.run(loop().run(task()))
    ended = _last(telemetry, "complete")

    assert ended.payload == {
        "status": "completed",
        "reason": "converged",
        "iterations": 2,
        "metrics": {
            "iterationCount": 2,
            "totalDurationMs": 15.0,
            "phaseDurationsMs": {"build": 2.0, "snapshot": 2.0, "verify": 2.0, "feedback": 1.0},
            "gatesPassed": 3,
            "gatesFailed": 1,
        },
    }


def _raises(turn: Turn) -> None:
    raise ConnectionError("secret")


@pytest.mark.parametrize(
    ("changes", "payload", "red"),
    [
        ({"gates": [Gate("g", lambda turn: False)]}, {"reason": "max_iterations", "errorType": "max_iterations"},
         ["flex.run patch"]),
        ({"deliver": lambda turn: Delivery(success=False)},
         {"reason": "delivery_failed", "errorType": "delivery_failed"}, ["flex.delivery", "flex.run patch"]),
        ({"build": _raises}, {"errorType": "ConnectionError"}, ["flex.phase build", "flex.run patch"]),
        ({"gates": [Gate("g", _raises)]}, {"errorType": "ConnectionError"}, ["flex.gate g", "flex.run patch"]),
        ({"deliver": _raises}, {"errorType": "ConnectionError"}, ["flex.delivery", "flex.run patch"]),
    ],
)  # fmt: skip
def test_a_run_may_fail(changes: dict[str, Any], payload: dict[str, Any], red: list[str], telemetry: Telemetry) -> None:
    """The innermost that failed and the run are red; what was raised is recorded once; a gate may just not pass."""
    try:
        asyncio.run(loop(**changes).run(task(max_iterations=1, strategy="fixed") if "gates" in changes else task()))
    except ConnectionError:
        pass
    ended = _last(telemetry, "complete")

    assert ended.status == "failed"
    assert {name: ended.payload.get(name) for name in payload} == payload
    assert ended.payload["iterations"] == ended.payload["metrics"]["iterationCount"]  # type: ignore[index]
    assert [span.name for span in telemetry.spans if not span.status.is_unset] == red
    raised = [span.name for span in telemetry.spans for event in span.events]
    assert raised == (red[:1] if payload["errorType"] == "ConnectionError" else [])


def test_what_did_not_end_well_says_so(telemetry: Telemetry) -> None:
    """Phase, iteration and delivery have no success when an exception came; a gate that raised said nothing."""
    with pytest.raises(ConnectionError):
        asyncio.run(loop(gates=[Gate("g", _raises)]).run(task()))
    told = [(each.type, each.payload.get("success")) for each in telemetry.events if "completed" in each.type]
    assert told[-2:] == [("phase_completed", False), ("iteration_completed", False)]
    assert "gate_checked" not in telemetry.event_types()

    with pytest.raises(ConnectionError):
        asyncio.run(loop(deliver=_raises).run(task(run_id="run-8")))
    assert _last(telemetry, "delivery_completed").payload == {"success": False}


# Cancels


def test_a_cancel_is_wished_for_and_obeyed(telemetry: Telemetry) -> None:
    """The wish is told before the run obeys, from whatever thread; the latency is in the event and the metric."""
    stuck = Stuck()
    asyncio.run(cancelled(stuck, loop(build=stuck).start(task())))

    assert telemetry.tree() == ["run patch: cancelled", "  iteration: cancelled", "    phase build: cancelled"]
    assert _words(telemetry.events) == [
        "start", "+1", "+build", "cancel_requested", "-build", "-1", "cancel_acknowledged", "complete",
    ]  # fmt: skip
    assert _last(telemetry, "cancel_requested").payload == {"source": "operator"}
    assert _last(telemetry, "cancel_acknowledged").payload == {"source": "operator", "latencyMs": 2.0}
    assert _last(telemetry, "complete").payload["reason"] == "cancelled by operator"
    assert all(span.status.is_unset for span in telemetry.spans)
    found = _counted(telemetry)
    assert found["flex.run.cancel.latency_count{runtime=convergence,source=operator}"] == 1
    assert telemetry.metrics()["flex.run.cancel.latency_sum{runtime=convergence,source=operator}"] == 0.002
    states = {name: n for name, n in found.items() if name.startswith("flex.run.transitions")}
    assert states == {
        f"flex.run.transitions{{runtime=convergence,state={state}}}": 1
        for state in ("start", "cancel_requested", "cancelled")
    }


def test_a_wish_is_told_once_and_only_of_a_run_that_goes_on(telemetry: Telemetry) -> None:
    """One before the run goes on is told when it does; a second one, and one that comes too late, are not."""
    run = loop().start(task())
    run.cancel("early")
    run.cancel("again")
    assert telemetry.events == []
    asyncio.run(run.go())
    run.cancel("late")
    assert telemetry.event_types() == ["start", "cancel_requested", "cancel_acknowledged", "complete"]
    assert _last(telemetry, "cancel_requested").payload == {"source": "early"}


def test_whoever_cancels_the_task_cancels_the_run(telemetry: Telemetry) -> None:
    """Nobody asked the run, so there is no wish and no acknowledgement."""

    async def leave() -> None:
        stuck = Stuck()
        going = asyncio.ensure_future(loop(build=stuck).run(task()))
        await stuck.entered.wait()
        going.cancel()
        await asyncio.wait([going])

    asyncio.run(leave())
    assert _last(telemetry, "complete").status == "cancelled"
    assert not {"cancel_requested", "cancel_acknowledged"} & {*telemetry.event_types()}


# Pauses

ASKING = (Gate("tests", suite_passes), Gate("approval", approve))


def test_a_pause_and_its_answer_are_two_segments_of_one_run(telemetry: Telemetry) -> None:
    """The second is linked to the first, under the same id; it takes up where the first stopped."""
    asyncio.run(with_a_human(loop(gates=ASKING).start(task())))

    assert telemetry.tree()[8:] == [
        "  iteration: paused",
        "    phase build: ok",
        "    phase snapshot: ok",
        "    phase verify: paused",
        "      gate tests: ok",
        "      gate approval: paused",
        "run patch: ok",
        "  iteration: ok",
        "    phase verify: ok",
        "      gate approval: ok",
        "  delivery: ok",
    ]
    assert " ".join(_words(telemetry.events)[-15:]) == (
        "tests=True -verify -2 hitl_request complete "
        "start hitl_resolved +2 +verify approval=True -verify -2 delivery_started delivery_completed complete"
    )
    paused, resumed = [span for span in telemetry.spans if span.name == "flex.run patch"]
    assert [link.context.span_id for link in resumed.links] == [paused.context.span_id]
    assert resumed.attributes is not None
    assert (resumed.attributes["flex.run.id"], resumed.attributes["flex.run.resumed"]) == ("run-7", True)
    asked, answered = _last(telemetry, "hitl_request").payload, _last(telemetry, "hitl_resolved").payload
    assert asked == {"requestId": "run-7:2:approval:1", "origin": "approval"}
    assert (answered["requestId"], answered["decision"]) == ("run-7:2:approval:1", "approved")
    assert _last(telemetry, "complete").payload["iterations"] == 2
    found = _counted(telemetry)
    assert found["flex.hitl.wait.duration_count{decision=approved,runtime=convergence}"] == 1
    assert found["flex.gate.checks{gate=approval,passed=true,runtime=convergence}"] == 1
    assert not [name for name in found if "unknown" in name]


def test_a_run_that_goes_on_in_another_process_is_the_same_run(telemetry: Telemetry) -> None:
    """Restored from its data it has its id, its link and its wait; who decided otherwise is told, too."""
    first = loop(gates=ASKING).start(task())
    asyncio.run(first.go())
    again = loop(gates=ASKING).restore(json.loads(json.dumps(first.as_dict())))
    again.answer(Answer("rejected"))
    asyncio.run(again.go())

    starts = [event for event in telemetry.events if event.type == "start"]
    assert [(event.run_id, event.payload.get("resumed")) for event in starts] == [("run-7", None), ("run-7", True)]
    assert len(telemetry.spans[-1].links) == 1
    assert _last(telemetry, "hitl_resolved").payload["decision"] == "rejected"


def test_a_run_that_is_stopped_while_it_waits_lets_its_question_expire(telemetry: Telemetry) -> None:
    """A segment is opened for it, which says so, and that it obeyed."""
    run = loop(gates=ASKING).start(task())
    asyncio.run(run.go())
    telemetry.reset()
    run.cancel("operator")
    asyncio.run(run.go())
    assert telemetry.event_types() == ["start", "hitl_resolved", "cancel_requested", "cancel_acknowledged", "complete"]
    assert _last(telemetry, "hitl_resolved").payload["decision"] == "expired"


def test_a_run_that_cannot_go_on_is_no_run(telemetry: Telemetry) -> None:
    """A mistake of the caller leaves no trace but its exception."""
    run = loop(gates=ASKING).start(task())
    asyncio.run(run.go())
    telemetry.reset()
    with pytest.raises(RuntimeError):
        asyncio.run(run.go())
    assert (telemetry.events, telemetry.tree()) == ([], [])


@pytest.mark.parametrize("where", ["build", "deliver"])
def test_any_phase_and_the_delivery_may_ask(where: str, telemetry: Telemetry) -> None:
    """What asked is paused, has no success yet, and is called again."""

    def ask(turn: Turn) -> Delivery | None:
        return Delivery(ci_status=str(turn.ask("Which?").value)) if where == "deliver" else turn.ask("Which?").value

    asyncio.run(with_a_human(loop(**{"gates": [Gate("g", lambda turn: True)], where: ask}).start(task())))
    told = [event for event in telemetry.events if event.status == "paused"]
    kinds = {"build": ["phase_completed", "iteration_completed"], "deliver": ["delivery_completed"]}[where]
    assert [(event.type, event.payload.get("success")) for event in told] == [(kind, None) for kind in kinds]
    assert _last(telemetry, "complete").status == "completed"


# Among others


def test_a_run_inside_another_runtimes_run_is_its_child(telemetry: Telemetry) -> None:
    """It has its own id, and the correlation id of the run around it where the task gives none."""
    with otel_agents.run("order", correlation_id="order-17"):
        asyncio.run(loop().run(task(correlation_id="")))
    assert telemetry.tree() == ["run order: ok", *(f"  {line}" for line in TREE)]
    assert {event.correlation_id for event in telemetry.events} == {"order-17"}
    assert {event.run_id for event in telemetry.events if event.runtime == "convergence"} == {"run-7"}


def test_a_loop_in_a_phase_of_a_loop_belongs_to_its_run(telemetry: Telemetry) -> None:
    """A run inside a run of the same runtime is that run: it is not counted twice."""

    async def nested(turn: Turn) -> str:
        inner = await Loop(build, [Gate("inner", lambda turn: True)]).run(task(run_id="inner"))
        return inner.status

    asyncio.run(loop(build=nested, gates=[Gate("g", lambda turn: True)]).run(task()))
    assert telemetry.event_types().count("start") == telemetry.event_types().count("complete") == 1
    assert {event.run_id for event in telemetry.events} == {"run-7"}


def test_runs_at_the_same_time_are_told_apart(telemetry: Telemetry) -> None:
    """Each has its own tree, also when they take turns on one event loop; a cancel meets the one that it means."""

    async def both() -> None:
        stuck = Stuck()
        stopped, other = loop(build=stuck).start(task(run_id="a")), loop().start(task(run_id="b"))
        going = [asyncio.ensure_future(each.go()) for each in (stopped, other)]
        await stuck.entered.wait()
        stopped.cancel("operator")
        await asyncio.gather(*going)

    asyncio.run(both())
    ended = {event.run_id: event.status for event in telemetry.events if event.type == "complete"}
    assert ended == {"a": "cancelled", "b": "completed"}
    assert {event.run_id for event in telemetry.events if event.type.startswith("cancel")} == {"a"}
    assert [line for line in telemetry.tree() if line.startswith("run")] == ["run patch: cancelled", "run patch: ok"]


def test_watching_begins_with_a_run_and_not_in_the_middle_of_one() -> None:
    """What was not seen to start is not seen to go on."""
    with capture() as telemetry:
        stuck = Stuck()

        async def late() -> None:
            run = loop(build=stuck).start(task())
            going = asyncio.ensure_future(run.go())
            await stuck.entered.wait()
            applied = apply(ADAPTER)
            run.cancel("operator")
            await going
            applied.undo()

        asyncio.run(late())
        assert (telemetry.tree(), telemetry.events) == ([], [])


# Scraped


def test_the_page_has_the_numbers_of_the_runs() -> None:
    """States start at zero before the first run; names, labels and values are as they should be afterwards."""
    with scraped(ADAPTER) as page:
        zero = page.samples("flex_run_transitions_total", "flex_run_status_total", "flex_run_active")
        assert set(zero.values()) == {0}
        assert len(zero) == 12
        stuck = Stuck()
        asyncio.run(cancelled(stuck, loop(build=stuck).start(task())))
        asyncio.run(with_a_human(loop(gates=ASKING).start(task(run_id="run-8"))))
        states = page.samples("flex_run_transitions_total")
        assert states == {
            f"flex_run_transitions_total{{runtime=convergence,state={state}}}": count
            for state, count in (("start", 2), ("complete", 1), ("cancel_requested", 1), ("cancelled", 1),
                                 ("error", 0), ("paused", 1), ("resumed", 1))
        }  # fmt: skip
        assert page.samples("flex_run_cancel_latency_seconds_bucket") == {
            f"flex_run_cancel_latency_seconds_bucket{{le={bound},runtime=convergence,source=operator}}": 1
            for bound in ("0.05", "0.1", "0.5", "1.0", "2.0", "5.0", "10.0", "30.0", "+Inf")
        }
        assert page.samples("flex_gate_checks_total", "flex_iteration_duration_seconds_count") == {
            "flex_gate_checks_total{gate=tests,passed=false,runtime=convergence}": 1,
            "flex_gate_checks_total{gate=tests,passed=true,runtime=convergence}": 1,
            "flex_gate_checks_total{gate=approval,passed=false,runtime=convergence}": 1,
            "flex_gate_checks_total{gate=approval,passed=true,runtime=convergence}": 1,
            "flex_iteration_duration_seconds_count{outcome=cancelled,runtime=convergence}": 1,
            "flex_iteration_duration_seconds_count{outcome=ok,runtime=convergence}": 2,
            "flex_iteration_duration_seconds_count{outcome=paused,runtime=convergence}": 1,
        }


# Content

CANARY = "c4n4ry"


def _leaky(call: Callable[..., Any] = loop) -> None:
    def shout(turn: Turn) -> str:
        return CANARY

    def approve_loudly(turn: Turn) -> tuple[bool, str]:
        return turn.ask(CANARY).value == CANARY and turn.iteration.number > 1, CANARY

    def fall(turn: Turn) -> None:
        raise ValueError(CANARY)

    run = call(build=shout, snapshot=shout, gates=[Gate("g", approve_loudly)], feedback=shout, deliver=fall).start(
        task(goal=CANARY)
    )
    for _ in range(2):
        asyncio.run(run.go())
        run.answer(Answer("responded", CANARY))
    with pytest.raises(ValueError, match=CANARY):
        asyncio.run(run.go())


def test_no_content_is_in_any_signal() -> None:
    """Neither goal nor feedback, results, notes, questions, answers, messages of exceptions."""
    with watched(ADAPTER) as telemetry:
        _leaky()
        shown = [event.to_json() for event in telemetry.events]
        shown += [span.to_json() for span in telemetry.spans] + [each.to_json() for each in telemetry.logs]
        shown += [*telemetry.metrics(zero=True)]
    assert [line for line in shown if CANARY in line] == []


def test_content_is_there_when_asked_for() -> None:
    """Goal, feedback and the message of the exception, and nothing else of it."""
    with watched(ADAPTER, capture="SPAN_AND_EVENT") as telemetry:
        _leaky()
        found = {
            (event.type, name) for event in telemetry.events for name, value in event.payload.items() if value == CANARY
        }
    assert found == {("start", "goal"), ("iteration_started", "feedback"), ("complete", "error")}


def test_ids_are_counted_by_nobody_when_they_are_given(telemetry: Telemetry) -> None:
    """The recorder makes no id of its own for a run that has one."""
    asyncio.run(loop().run(task(correlation_id="")))
    assert {(event.run_id, event.correlation_id) for event in telemetry.events} == {("run-7", "run-7")}
    assert RECORDER.new_id() == "run-1"
