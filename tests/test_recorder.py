"""Operations and runs through the recorder, seen by every signal."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from dataclasses import replace
from typing import Any

import pytest
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import StatusCode

import otel_agents
from otel_agents import questions
from otel_agents.config import Config
from otel_agents.content import Capture
from otel_agents.operation import Identity, Operation, current
from otel_agents.recorder import RECORDER, Recorder
from otel_agents.semconv import agents as a
from otel_agents.semconv import events as e
from otel_agents.semconv import kinds as k
from otel_agents.testing import Telemetry, capture

OUTCOMES = [
    # raised, outcome asked for, outcome, span status, run status
    (None, "", "ok", StatusCode.UNSET, "completed"),
    (ValueError("x"), "", "error", StatusCode.ERROR, "failed"),
    (None, "error", "error", StatusCode.ERROR, "failed"),
    (asyncio.CancelledError(), "", "cancelled", StatusCode.UNSET, "cancelled"),
    (KeyboardInterrupt(), "", "cancelled", StatusCode.UNSET, "cancelled"),
    (GeneratorExit(), "", "abandoned", StatusCode.UNSET, "cancelled"),
    (None, "paused", "paused", StatusCode.UNSET, "awaiting_hitl"),
]


def run(body: Callable[[Operation], None], runtime: str = "langgraph", error: BaseException | None = None) -> None:
    operation = RECORDER.start_run("brief", Identity(runtime))
    assert operation is not None
    entered = RECORDER.enter(operation)
    body(operation)
    RECORDER.leave(operation, entered)
    RECORDER.end(operation, error)


def node(name: str, body: Callable[[], None] = lambda: None, error: BaseException | None = None) -> None:
    operation = RECORDER.start(k.NODE, name, {a.FLEX_NODE_ID: name, a.FLEX_NODE_KIND: "agent"})
    assert operation is not None
    entered = RECORDER.enter(operation)
    body()
    RECORDER.leave(operation, entered)
    RECORDER.end(operation, error)


def raised(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as caught:
        return caught


@pytest.mark.parametrize(("error", "asked", "outcome", "span_status", "run_status"), OUTCOMES)
def test_outcomes(
    error: BaseException | None, asked: str, outcome: str, span_status: StatusCode, run_status: str
) -> None:
    """Each way to end gives the outcome, span status and run status of the table, and one complete event."""
    with capture() as telemetry:
        operation = RECORDER.start_run("brief", Identity("langgraph"))
        assert operation is not None
        RECORDER.end(operation, error, asked)
        RECORDER.end(operation, ValueError("late"))
    span = telemetry.span("flex.run brief")
    assert span.attributes is not None
    assert (span.attributes["flex.outcome"], span.attributes["flex.run.status"]) == (outcome, run_status)
    assert span.status.status_code is span_status
    assert [(event.type, event.status) for event in telemetry.events] == [("start", None), ("complete", run_status)]
    assert telemetry.metrics()[f"flex.run.status{{runtime=langgraph,status={run_status}}}"] == 1
    reason = "abandoned" if outcome == "abandoned" else None
    assert telemetry.events[-1].payload.get("reason") == reason
    named = {ValueError: "ValueError", type(None): "_OTHER"}[type(error)] if outcome == "error" else None
    assert telemetry.events[-1].payload.get("errorType") == span.attributes.get("error.type") == named


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("caf\udce9", "caf?"),
        ("café", "café"),
        ("x" * 300, "x" * 255 + "…"),
        (5, "5"),
        (object(), ""),
    ],
)
def test_a_name_is_one_that_every_exporter_can_carry(given: Any, name: str) -> None:
    """One name that UTF-8 cannot carry would cost the whole batch that its span leaves in."""
    with capture() as telemetry:
        operation = RECORDER.start(k.NODE, given)
        assert operation is not None
        RECORDER.end(operation)

    (span,) = telemetry.spans
    assert span.name == f"flex.node {name}".rstrip()
    assert span.attributes is not None
    assert span.attributes["flex.capability.id"] == name
    assert [event.capability_id for event in telemetry.events] == [name] * 2


def test_an_exception_is_recorded_once() -> None:
    """Of a chain of operations that one exception leaves, the innermost records it; the run is red, the rest is not."""
    error = raised(ValueError("canary"))

    def body(_: Operation) -> None:
        node("outer", lambda: node("inner", error=error), error=error)

    with capture() as telemetry:
        run(body, error=error)
    status = {span.name: (span.status.status_code, len(span.events)) for span in telemetry.spans}
    assert status == {
        "flex.node inner": (StatusCode.ERROR, 1),
        "flex.node outer": (StatusCode.UNSET, 0),
        "flex.run brief": (StatusCode.ERROR, 0),
    }
    assert "canary" not in repr([span.to_json() for span in telemetry.spans])


def test_a_new_exception_of_the_outer_operation_is_recorded_there() -> None:
    """An outer operation that swallows one exception and fails by another of its own records its own."""

    def body(_: Operation) -> None:
        node("outer", lambda: node("inner", error=raised(ValueError("a"))), error=raised(ValueError("b")))

    with capture() as telemetry:
        run(body)
    assert {span.name: len(span.events) for span in telemetry.spans} == {
        "flex.node inner": 1,
        "flex.node outer": 1,
        "flex.run brief": 0,
    }


def again() -> None:
    raise ValueError("again")


def test_an_exception_raised_where_one_was_raised_before_is_another() -> None:
    """One that is raised after a swallowed one, by the same line and at the same address, is recorded as well."""
    with capture() as telemetry, suppress(ValueError), otel_agents.run("brief"), otel_agents.node("outer"):
        with suppress(ValueError), otel_agents.node("inner"):
            again()
        again()
    status = {span.name: (span.status.status_code, len(span.events)) for span in telemetry.spans}
    assert status == {
        "flex.node inner": (StatusCode.ERROR, 1),
        "flex.node outer": (StatusCode.ERROR, 1),
        "flex.run brief": (StatusCode.ERROR, 0),
    }


def test_an_exception_that_is_raised_again_is_the_same() -> None:
    """An exception that somebody kept and raises again, as futures do, was recorded already."""

    def kept() -> BaseException:
        with otel_agents.node("inner"):
            again()
        raise AssertionError

    with capture() as telemetry, suppress(ValueError), otel_agents.run("brief"), otel_agents.node("outer"):
        with ThreadPoolExecutor(1) as pool:
            failed = pool.submit(copy_context().run, kept)
        failed.result()
    assert {span.name: len(span.events) for span in telemetry.spans} == {
        "flex.node inner": 1,
        "flex.node outer": 0,
        "flex.run brief": 0,
    }


def test_exceptions_live_no_longer_than_without_us() -> None:
    """No operation keeps an exception of the host alive after its end."""

    class Failure(Exception):
        pass

    with capture():
        error = Failure()
        seen = weakref.ref(error)
        node("inner", error=error)
        del error
        gc.collect()
        assert seen() is None


def test_same_runtime_joins_other_runtime_nests() -> None:
    """A run inside a run of its runtime is that run; one of another runtime is a child with the same correlation."""

    def body(operation: Operation) -> None:
        assert RECORDER.start_run("again", Identity("langgraph")) is None
        run(lambda _: None, runtime="flex")

    with capture() as telemetry:
        run(body)
    assert telemetry.tree() == ["run brief: ok", "  run brief: ok"]
    assert [(event.run_id, event.correlation_id, event.runtime) for event in telemetry.events] == [
        ("run-1", "run-1", "langgraph"),
        ("run-2", "run-1", "flex"),
        ("run-2", "run-1", "flex"),
        ("run-1", "run-1", "langgraph"),
    ]


def test_a_run_after_the_end_of_its_surroundings_is_its_own() -> None:
    """A task that outlives the run that started it starts a run of its own."""
    with capture() as telemetry:
        operation = RECORDER.start_run("first", Identity("langgraph"))
        assert operation is not None
        entered = RECORDER.enter(operation)
        RECORDER.end(operation)
        run(lambda _: None)
        RECORDER.leave(operation, entered)
    assert [event.run_id for event in telemetry.events] == ["run-1", "run-1", "run-2", "run-2"]


def test_handoff_lasts_until_its_target_starts() -> None:
    """A handoff ends when a node of its target's name starts, with the time between as its duration."""

    def body(_: Operation) -> None:
        node("triage", lambda: RECORDER.start_handoff("triage", "writer"))
        node("other")
        node("writer")

    with capture() as telemetry:
        run(body)
    handoffs = [event for event in telemetry.events if event.type == "handoff"]
    assert [(event.payload, event.status) for event in handoffs] == [
        ({"fromAgent": "triage", "toAgent": "writer"}, "ok")
    ]
    assert telemetry.metrics()["yolo_handoffs_total{from_agent=triage,to_agent=writer}"] == 1
    span = telemetry.span("yolo.handoff writer")
    started = telemetry.span("flex.node writer").start_time
    assert span.end_time is not None
    assert started is not None
    assert abs(span.end_time - started) < 10_000_000


def test_handoff_to_nobody_ends_with_the_run() -> None:
    """A handoff whose target never starts ends with the run and as the run."""
    with capture() as telemetry:
        run(lambda _: RECORDER.start_handoff("triage", "nobody"), error=asyncio.CancelledError())
    assert telemetry.tree() == ["run brief: cancelled", "  handoff nobody: cancelled"]


def test_handoffs_back_and_forth_are_a_loop_unless_work_was_done() -> None:
    """A to B to A counts as a loop when no tool was used between, else not."""

    def tool() -> None:
        operation = RECORDER.start(k.NODE, "search", {a.FLEX_NODE_KIND: "tool"})
        assert operation is not None
        RECORDER.end(operation)

    def searched() -> None:
        tool()
        RECORDER.start_handoff("b", "a")

    def body(_: Operation) -> None:
        node("a", lambda: RECORDER.start_handoff("a", "b"))
        node("b", lambda: RECORDER.start_handoff("b", "a"))
        node("a", lambda: RECORDER.start_handoff("a", "b"))
        node("b", searched)
        node("a")

    with capture() as telemetry:
        run(body)
    loops = {name: value for name, value in telemetry.metrics().items() if name.startswith("yolo_handoff_loops")}
    assert loops == {"yolo_handoff_loops_total{agent=a}": 1, "yolo_handoff_loops_total{agent=b}": 1}


def test_tokens_are_summed_on_agents_and_run() -> None:
    """Model tokens appear on the agent that asked and on the run, and are counted once."""

    def called() -> None:
        RECORDER.use(10, 3)
        RECORDER.use(5, 1)

    with capture() as telemetry:
        run(lambda _: node("writer", called))
    for name in ("flex.node writer", "flex.run brief"):
        attributes = telemetry.span(name).attributes
        assert attributes is not None
        assert (attributes["gen_ai.usage.input_tokens"], attributes["gen_ai.usage.output_tokens"]) == (15, 4)
    metrics = telemetry.metrics()
    assert metrics["flex.model.tokens{direction=input,runtime=langgraph}"] == 15
    assert metrics["flex.model.tokens{direction=output,runtime=langgraph}"] == 4


def test_metrics_and_events_do_not_depend_on_sampling() -> None:
    """With everything sampled out there is no span, yet every metric and event."""
    with capture(sampler=ALWAYS_OFF) as telemetry:
        run(lambda _: node("writer"))
    assert telemetry.spans == []
    assert telemetry.event_types() == ["start", "node_start", "node_complete", "complete"]
    assert len(telemetry.logs) == 4
    assert (
        telemetry.metrics()["flex.node.duration_count{capability=writer,kind=agent,outcome=ok,runtime=langgraph}"] == 1
    )


def test_pause_and_answer() -> None:
    """A question is pending until its answer, which is told once with the wait."""
    with capture() as telemetry:
        run(lambda operation: questions.ask(operation, "thread-1", "q1", origin="node", node_id="review"))
        (waiting,) = RECORDER.pauses.find("thread-1")
        pending = telemetry.metrics()["flex.hitl.pending{runtime=langgraph}"]
        again = Identity("langgraph", waiting.run_id, waiting.correlation_id)
        resumed = RECORDER.start_run("brief", again, {a.FLEX_RUN_RESUMED: True}, links=(waiting.traceparent,))
        assert resumed is not None
        questions.answer("thread-1", "q1", "approved", operation=resumed)
        questions.answer("thread-1", "q1", "approved", operation=resumed)
        RECORDER.end(resumed)
    assert pending == 1
    assert {event.run_id for event in telemetry.events} == {"run-1"}
    assert telemetry.event_types() == ["start", "hitl_request", "complete", "start", "hitl_resolved", "complete"]
    first, second = telemetry.spans
    assert [link.context.span_id for link in second.links] == [first.context.span_id]
    metrics = telemetry.metrics()
    assert metrics["flex.hitl.resolved{decision=approved,runtime=langgraph}"] == 1
    assert metrics["flex.run.transitions{runtime=langgraph,state=resumed}"] == 1


def test_a_phase_knows_its_iteration() -> None:
    """A phase and a gate carry the number of the iteration around them, unless they are given another."""
    with capture() as telemetry:
        iteration = RECORDER.start(k.ITERATION, "", {a.FLEX_ITERATION_NUMBER: 3})
        assert iteration is not None
        for kind, values in ((k.PHASE, {}), (k.GATE, {}), (k.GATE, {a.FLEX_ITERATION_NUMBER: 4})):
            inner = RECORDER.start(kind, "x", {**values, a.FLEX_GATE_PASSED: True}, parent=iteration)
            assert inner is not None
            RECORDER.end(inner)
        RECORDER.end(iteration)
    told = [event.payload["iteration"] for event in telemetry.events]
    assert told == [3, 3, 3, 3, 4, 3]


def test_nothing_is_current_afterwards() -> None:
    """After the operations no operation is current, and what is left out of turn does not disturb others."""
    with capture():
        outer = RECORDER.start(k.NODE, "outer")
        inner = RECORDER.start(k.NODE, "inner")
        assert outer is not None
        assert inner is not None
        first = RECORDER.enter(outer)
        second = RECORDER.enter(inner)
        RECORDER.leave(outer, first)
        assert current() is inner
        RECORDER.leave(inner, second)
        RECORDER.leave(outer, first)
        assert current() is None


def test_measured_elsewhere() -> None:
    """An operation that is recorded afterwards has span, metric and end event, but no start event."""
    with capture() as telemetry:
        RECORDER.completed(k.PHASE, "build", {a.FLEX_PHASE_SUCCESS: True}, duration_ns=2_000_000_000)
    assert telemetry.event_types() == ["phase_completed"]
    span = telemetry.span("flex.phase build")
    assert span.end_time is not None
    assert span.start_time is not None
    assert 2.0 <= (span.end_time - span.start_time) / 1e9 < 2.1
    assert telemetry.metrics()["flex.phase.duration_count{outcome=ok,phase=build,runtime=manual}"] == 1


def test_content_is_left_out() -> None:
    """Content attributes reach no signal while content is off."""
    with capture() as telemetry:
        operation = RECORDER.start_run("brief", Identity("langgraph", session_id="canary"), {a.FLEX_RUN_GOAL: "canary"})
        assert operation is not None
        RECORDER.fact(e.REACTION_MATCHED, {a.FLEX_REACTION_SENDER: "canary", a.FLEX_REACTION_RULE: "r"})
        RECORDER.end(operation, raised(ValueError("canary")))
    assert "canary" not in repr([span.to_json() for span in telemetry.spans])
    assert "canary" not in repr([record.to_json() for record in telemetry.logs])
    assert "canary" not in repr([event.to_json() for event in telemetry.events])


def test_hostile_attributes() -> None:
    """Attributes that cannot be shown, measured or compared do not disturb, and are cut."""

    class Hostile:
        def __repr__(self) -> str:
            raise RuntimeError

        __str__ = __eq__ = __len__ = __iter__ = __repr__  # type: ignore[assignment]
        __hash__ = None  # type: ignore[assignment]

    with capture(strict=False) as telemetry:
        operation = RECORDER.start(k.NODE, "n", {a.FLEX_NODE_LABEL: Hostile(), a.FLEX_NODE_ID: "x" * 100_000})
        assert operation is not None
        RECORDER.end(operation)
    attributes = telemetry.span("flex.node n").attributes
    assert attributes is not None
    assert len(str(attributes["flex.node.id"])) < 1000


def test_ids_of_a_run_are_text_whatever_the_host_gave() -> None:
    """Ids that are numbers, too long or no ids at all are made to fit, and disturb neither the run nor a signal."""

    class Hostile:
        def __repr__(self) -> str:
            raise RuntimeError

    given: list[Any] = [7, "x" * 1000, Hostile(), "lone \ud800"]
    with capture() as telemetry:
        for each in given:
            identity = Identity("flex", each, each, each, each, each, plan_version=each)
            operation = RECORDER.start_run("brief", identity)
            assert operation is not None
            RECORDER.end(operation)
    started = [event for event in telemetry.events if event.type == "start"]
    long = "x" * 255 + "…"
    assert [(each.run_id, each.correlation_id, each.work_order_id, each.channel) for each in started] == [
        ("7",) * 4,
        (long,) * 4,
        ("run-1", "run-1", None, None),
        ("lone ?",) * 4,
    ]
    assert [each.plan_version for each in started] == [7, None, None, None]
    assert all(each.session_id is None for each in started)
    assert [span.attributes["flex.run.id"] for span in telemetry.spans if span.attributes] == [
        each.run_id for each in started
    ]


@pytest.mark.parametrize(("mode", "spans", "events"), [("SPAN_ONLY", 1, 0), ("EVENT_ONLY", 0, 1)])
def test_the_message_of_an_exception_is_cut_and_redacted(mode: str, spans: int, events: int) -> None:
    """Where content is asked for, an exception's message is there; its secrets and its length are not."""
    error = raised(ValueError("told password=hunter2 " + "x" * 10_000))
    content = Capture.of(mode, 100)
    with capture(config=replace(Config.load(environ={}), capture=content)) as telemetry:
        run(lambda _: node("n", error=error))
    shown = [str(event.attributes) for span in telemetry.spans for event in span.events]
    told = [event.to_json() for event in telemetry.events if event.type == "node_error"]
    assert (sum("told" in each for each in shown), sum("told" in each for each in told)) == (spans, events)
    for each in (*shown, *told):
        assert "hunter2" not in each
        assert len(each) < 2000


def test_telemetry_type() -> None:
    """The kit gives its telemetry as one object."""
    with capture() as telemetry:
        assert isinstance(telemetry, Telemetry)


def test_a_fact_outside_any_run_of_its_runtime_is_told_as_who_it_says() -> None:
    """With an identity a fact stands for itself, or as a child of another runtime's run; inside its own it joins."""
    mine = Identity("gateway", channel="mail", session_id="s-1")
    with capture() as telemetry:
        RECORDER.fact(e.REACTION_SKIPPED, identity=mine)
        for around in (Identity("flex", "r-1", "c-1"), Identity("gateway", "r-2")):
            run = RECORDER.start_run("x", around)
            assert run is not None
            RECORDER.fact(e.REACTION_SKIPPED, operation=run, identity=mine)
            RECORDER.end(run)
    told = [event for event in telemetry.events if event.type == "reaction_skipped"]
    assert [(event.runtime, event.run_id, event.correlation_id, event.channel) for event in told] == [
        ("gateway", "run-1", "run-1", "mail"),
        ("gateway", "run-2", "c-1", "mail"),
        ("gateway", "r-2", "r-2", None),
    ]


def test_ids_are_not_taken_from_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host's test that has replaced uuid4 by a sequence of its own finds all of that sequence."""
    monkeypatch.setattr("uuid.uuid4", iter(()).__next__)
    made = {Recorder().new_id() for _ in range(100)}

    assert len(made) == 100
    assert all(len(each) == 32 and int(each, 16) >= 0 for each in made)
