"""The manual API as a program uses it."""

from __future__ import annotations

import asyncio
import gc
import inspect
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from opentelemetry import trace

import otel_agents
from otel_agents import guard, record
from otel_agents.operation import current
from otel_agents.scopes import KEYWORDS, Scope
from otel_agents.semconv import kinds as k
from otel_agents.semconv.events import EVENTS
from otel_agents.testing import capture
from tests.content.material import hostile

SCOPES: dict[str, Scope] = {
    "run": otel_agents.run("brief"),
    "plan": otel_agents.plan(),
    "node": otel_agents.node("research"),
    "policy": otel_agents.policy("budget", action="fail"),
    "hitl": otel_agents.hitl("q1"),
    "validation": otel_agents.validation("output"),
    "iteration": otel_agents.iteration(1),
    "phase": otel_agents.phase("build"),
    "gate": otel_agents.gate("tests"),
    "delivery": otel_agents.delivery(),
    "handoff": otel_agents.handoff("triage", "writer"),
    "decision": otel_agents.decision("triage", "route"),
    "context_refresh": otel_agents.context_refresh("triage"),
    "state_save": otel_agents.state_save(),
    "state_load": otel_agents.state_load(),
}
SPANS = {
    "run": "flex.run brief",
    "plan": "flex.plan",
    "node": "flex.node research",
    "policy": "flex.policy budget",
    "hitl": "flex.hitl",
    "validation": "flex.validation",
    "iteration": "flex.iteration",
    "phase": "flex.phase build",
    "gate": "flex.gate tests",
    "delivery": "flex.delivery",
    "handoff": "yolo.handoff writer",
    "decision": "yolo.decision route",
    "context_refresh": "yolo.context_refresh",
    "state_save": "yolo.state_save",
    "state_load": "yolo.state_load",
}


def test_every_kind_has_a_scope() -> None:
    """The manual API offers every kind of the vocabulary."""
    assert set(SCOPES) == {kind.name for kind in k.KINDS}


@pytest.mark.parametrize("name", SCOPES)
def test_as_context_manager(name: str) -> None:
    """Each kind, as a context manager, is a span of the contract's name, current inside the block only."""
    with capture() as telemetry:
        with SCOPES[name]:
            inside = trace.get_current_span()
        assert current() is None
    span = telemetry.span(SPANS[name])
    assert span.context.span_id == inside.get_span_context().span_id
    assert trace.get_current_span() is trace.INVALID_SPAN


@pytest.mark.parametrize("name", SCOPES)
def test_as_decorator(name: str) -> None:
    """Each kind, as a decorator, makes every call an operation and leaves the function as it looked."""

    def work(amount: int) -> int:
        """Work."""
        return amount + 1

    with capture() as telemetry:
        decorated = SCOPES[name](work)
        assert [decorated(1), decorated(amount=2)] == [2, 3]
    assert [span.name for span in telemetry.spans] == [SPANS[name]] * 2
    assert (decorated.__name__, decorated.__doc__) == ("work", "Work.")
    assert inspect.signature(decorated) == inspect.signature(work)


async def test_decorator_in_every_shape() -> None:
    """Coroutine functions, generators and async generators stay what they are, and last as long as they run."""

    @otel_agents.node("coroutine")
    async def coroutine() -> str:
        await asyncio.sleep(0)
        return "done"

    @otel_agents.node("generator")
    def generator() -> Iterator[int]:
        yield 1
        yield 2

    @otel_agents.node("stream")
    async def stream() -> AsyncIterator[int]:
        yield 1
        yield 2

    with capture() as telemetry:
        assert await coroutine() == "done"
        assert list(generator()) == [1, 2]
        assert [item async for item in stream()] == [1, 2]
        generator()
        assert current() is None
    assert inspect.iscoroutinefunction(coroutine)
    assert inspect.isgeneratorfunction(generator)
    assert inspect.isasyncgenfunction(stream)
    assert telemetry.tree() == ["node coroutine (step): ok", "node generator (step): ok", "node stream (step): ok"]


async def test_async_with() -> None:
    """A scope works with ``async with``, and operations of tasks started inside hang under it."""

    async def child() -> None:
        with otel_agents.node("child"):
            await asyncio.sleep(0)

    with capture() as telemetry:
        async with otel_agents.run("brief"):
            await asyncio.gather(child(), child())
    assert telemetry.tree() == ["run brief: ok", "  node child (step): ok", "  node child (step): ok"]


async def test_inside_an_async_generator_closed_by_another_task() -> None:
    """A scope held across a yield, closed by another task, logs nothing, and the next span has the right parent."""

    async def events() -> AsyncIterator[int]:
        with otel_agents.node("held"):
            yield 1
            yield 2

    with capture() as telemetry:
        with otel_agents.run("brief"):
            stream = events()
            assert await anext(stream) == 1
            await asyncio.create_task(stream.aclose())  # type: ignore[attr-defined]
        with otel_agents.run("next"):
            pass
    assert telemetry.span("flex.run next").parent is None
    assert telemetry.tree() == ["run brief: ok", "  node held (step): abandoned", "run next: ok"]


def test_a_collected_generator_ends_its_operation() -> None:
    """A scope held by a generator in a cycle ends as abandoned when the collector closes it, in another thread."""

    class Holder:
        generator: Iterator[int]

    def events(holder: Holder) -> Iterator[int]:
        with otel_agents.node("held"):
            yield 1

    with capture() as telemetry:
        holder = Holder()
        holder.generator = events(holder)
        next(holder.generator)
        del holder
        gc.collect()
        deadline = time.monotonic() + 5
        while not telemetry.spans and time.monotonic() < deadline:
            time.sleep(0.01)
        assert telemetry.tree() == ["node held (step): abandoned"]


def test_exceptions_pass() -> None:
    """The program's exception comes out of the block as it is."""
    error = ValueError("x")
    with capture() as telemetry, pytest.raises(ValueError, match="x") as caught, otel_agents.node("research"):
        raise error
    assert caught.value is error
    assert telemetry.tree() == ["node research (step): error"]


def test_set_by_keyword_and_by_name() -> None:
    """Attributes are set by payload field in snake_case or by full name, and reach span and event."""
    with capture() as telemetry, otel_agents.plan() as plan:
        plan.set({"acme.ticket": "T-7"}, version=1, node_count=3)
    attributes = telemetry.span("flex.plan").attributes
    assert attributes is not None
    assert (attributes["flex.plan.version"], attributes["flex.plan.node_count"]) == (1, 3)
    assert attributes["acme.ticket"] == "T-7"
    assert telemetry.events[-1].type == "plan_generated"
    assert telemetry.events[-1].payload == {"version": 1, "nodeCount": 3}


def test_a_wrong_keyword_is_counted_and_harms_nobody() -> None:
    """A keyword that a kind does not have is ignored and counted; the right ones beside it are set."""
    guard.reset()
    with capture(strict=False) as telemetry, otel_agents.gate("tests") as gate:
        gate.set(passed=True, passd=False)
    attributes = telemetry.span("flex.gate tests").attributes
    assert attributes is not None
    assert attributes["flex.gate.passed"] is True
    assert guard.errors() == {"api.set": 1}
    guard.reset()


def test_a_plan_that_is_rejected_then_accepted_then_replaced() -> None:
    """The end of a plan is told by what was set: rejected, generated or updated, each counted once."""
    with capture() as telemetry, otel_agents.run("brief"):
        with otel_agents.plan() as plan:
            plan.set(diagnostic_count=2, codes=["cycle", "unknown_capability"])
        with otel_agents.plan(attempt=2) as plan:
            plan.set(version=1)
        with otel_agents.plan(phase="replan") as plan:
            plan.set(previous_version=1, version=2, trigger="budget")
        with otel_agents.node("research"):
            pass
    assert [(event.type, event.plan_version) for event in telemetry.events] == [
        ("start", None),
        ("plan_requested", None),
        ("plan_rejected", None),
        ("plan_requested", None),
        ("plan_generated", 1),
        ("plan_requested", 1),
        ("plan_updated", 2),
        ("node_start", 2),
        ("node_complete", 2),
        ("complete", 2),
    ]
    metrics = telemetry.metrics()
    assert metrics["flex.planner.rejections{runtime=manual}"] == 1
    assert metrics["flex.planner.generated{runtime=manual}"] == 1
    assert metrics["flex.planner.updated{runtime=manual,trigger=budget}"] == 1


def test_the_plan_of_a_resumed_run_is_not_counted_again() -> None:
    """A plan that is asked for again after a pause, and is the one that was there, is requested and nothing more."""
    with capture() as telemetry, otel_agents.run("brief"), otel_agents.plan(phase="resume") as plan:
        plan.set(version=3, node_count=2)
    assert [(event.type, event.plan_version) for event in telemetry.events] == [
        ("start", None),
        ("plan_requested", None),
        ("complete", 3),
    ]
    metrics = telemetry.metrics()
    assert metrics["flex.planner.requests{phase=resume,runtime=manual}"] == 1
    assert "flex.planner.generated{runtime=manual}" not in metrics


def test_a_policy_without_action_did_not_trigger() -> None:
    """Only a policy that names an action is a policy_triggered event."""
    with capture() as telemetry:
        with otel_agents.policy("budget"):
            pass
        with otel_agents.policy("budget", trigger="onNodeComplete") as policy:
            policy.set(action="fail")
    assert telemetry.event_types() == ["policy_triggered"]
    assert telemetry.metrics() == {"flex.policy.triggers{action=fail,policy=budget,runtime=manual}": 1}


def test_pause_and_resume_by_thread() -> None:
    """A run that asks ends paused; the next one of its thread is the same run, linked, and its answer is measured."""
    with capture() as telemetry:
        with otel_agents.run("brief", thread_id="t1") as first:
            first.ask("q1", origin="review", node_id="publish")
        with otel_agents.run("brief", thread_id="t1") as second:
            second.answer("q1", "approved")
        with otel_agents.run("brief", thread_id="t1") as third:
            pass
        assert "flex.hitl.pending{runtime=manual}" not in telemetry.metrics()
    assert first.run_id == second.run_id
    assert third.run_id != first.run_id
    statuses = [event.status for event in telemetry.events if event.type == "complete"]
    assert statuses == ["awaiting_hitl", "completed", "completed"]
    assert [len(span.links) for span in telemetry.spans] == [0, 1, 0]


def test_joined_run() -> None:
    """A run inside a run of the same runtime is that run: its handle speaks for it, and nothing is counted twice."""
    with capture() as telemetry, otel_agents.run("outer") as outer, otel_agents.run("inner") as inner:
        inner.set(reason="done")
    assert inner.run_id == outer.run_id
    attributes = telemetry.span("flex.run outer").attributes
    assert attributes is not None
    assert attributes["flex.run.reason"] == "done"
    assert telemetry.metrics()["flex.run.status{runtime=manual,status=completed}"] == 1


def test_identity_in_threads() -> None:
    """What a copied context carries into a thread hangs under the run."""
    import contextvars

    def child() -> None:
        with otel_agents.node("child"):
            pass

    with capture() as telemetry, otel_agents.run("brief", run_id="r", correlation_id="c"), ThreadPoolExecutor() as pool:
        pool.submit(contextvars.copy_context().run, child).result()
    assert telemetry.tree() == ["run brief: ok", "  node child (step): ok"]
    assert {(event.run_id, event.correlation_id) for event in telemetry.events} == {("r", "c")}


@pytest.mark.parametrize("name", [row.name for row in EVENTS])
def test_every_event_type_can_be_recorded(name: str) -> None:
    """``record.<type>`` takes the payload fields as keywords and tells exactly that event."""
    function = getattr(record, name)
    fields = [parameter for parameter in inspect.signature(function).parameters if parameter != "outcome"]
    values = dict.fromkeys(fields, 1)
    with capture() as telemetry:
        function(**values)
    assert telemetry.event_types() == [name]
    assert len(telemetry.logs) == 1


def test_a_handoff_told_by_hand_may_be_a_loop() -> None:
    """Work that comes back with nothing done between counts, by the block or measured elsewhere; else it does not."""
    with capture() as telemetry:
        with otel_agents.run("brief"):
            for from_agent, to_agent in (("a", "b"), ("b", "a")):
                with otel_agents.handoff(from_agent, to_agent):
                    pass
            record.handoff("a", "b", 0.1)
            with otel_agents.node("search", kind="tool"):
                pass
            record.handoff("b", "a", 0.1)
        record.handoff("a", "b", 0.1)
    loops = {name: value for name, value in telemetry.metrics().items() if name.startswith("yolo_handoff_loops")}
    assert loops == {"yolo_handoff_loops_total{agent=a}": 1, "yolo_handoff_loops_total{agent=b}": 1}


def test_record_measures() -> None:
    """What was measured elsewhere has span, duration and count, as if it had been measured here."""
    with capture() as telemetry:
        record.handoff("triage", "writer", 0.2)
        record.decision("triage", "route")
        record.context_refreshed("triage", 3, 900)
        record.context_tokens("triage", 1200)
        metrics = telemetry.metrics()
    assert metrics["yolo_handoffs_total{from_agent=triage,to_agent=writer}"] == 1
    total = metrics["yolo_handoff_duration_seconds_sum{from_agent=triage,to_agent=writer}"]
    assert total == pytest.approx(0.2, abs=0.01)
    assert metrics["yolo_decisions_total{agent=triage,decision_type=route}"] == 1
    assert metrics["yolo_context_tokens{agent=triage}"] == 1200
    assert metrics["yolo_context_items{agent=triage}"] == 3
    assert [span.name for span in telemetry.spans] == ["yolo.handoff writer"]


@pytest.mark.parametrize("duration_s", [-1, -0.001, float("nan"), float("inf"), 1e300, 10**400, "0.2", [1]])
def test_a_duration_that_is_none_costs_only_the_duration(caplog: pytest.LogCaptureFixture, duration_s: object) -> None:
    """What happened is told and counted without it, the mistake is counted, and nobody else says anything."""
    guard.reset()
    with capture(strict=False) as telemetry:
        record.handoff("triage", "writer", duration_s)  # type: ignore[arg-type]
        record.workflow_finished("release", success=True, duration_s=duration_s)  # type: ignore[arg-type]
        metrics = telemetry.metrics()
    assert metrics["yolo_handoffs_total{from_agent=triage,to_agent=writer}"] == 1
    assert metrics["yolo_workflows_total{outcome=ok}"] == 1
    assert not any("duration" in name for name in metrics)
    assert [event.duration_ms for event in telemetry.events] == [None, None]
    assert guard.errors() == {"api.record": 2}
    assert {each.name.partition(".")[0] for each in caplog.records} <= {"otel_agents"}
    guard.reset()


def test_record_refuses_quietly() -> None:
    """A wrong keyword to ``record`` is counted, not raised; a wrong type name is an AttributeError that lists them."""
    guard.reset()
    with capture(strict=False) as telemetry:
        record.handoff(to="writer")  # type: ignore[call-arg]
    assert guard.errors() == {"api.record": 1}
    assert telemetry.events == []
    guard.reset()
    with pytest.raises(AttributeError, match="event types are start, complete"):
        record.handof  # type: ignore[attr-defined]  # noqa: B018


def test_subscribe() -> None:
    """A subscriber gets the types it asked for, until it is unsubscribed."""
    seen: list[str] = []
    with capture() as telemetry:
        stop = otel_agents.subscribe(lambda event: seen.append(event.type), lifecycle=True)
        record.plan_generated(version=1)
        record.node_start(kind="step")
        record.policy_triggered(policy_id="p", action="fail")
        from otel_agents import pipeline

        active = pipeline.active()
        assert active is not None
        active.hub.flush(5)
        stop()
        record.plan_updated(version=2)
    assert seen == ["plan_generated", "policy_triggered"]
    assert len(telemetry.events) == 4


def test_health() -> None:
    """Health tells what is heard and what was swallowed."""
    guard.reset()
    with capture(strict=False):
        record.handoff(to="writer")  # type: ignore[call-arg]
        health = otel_agents.health()
    guard.reset()
    assert health["status"] == "degraded"
    assert health["errors"] == {"api.record": 1}
    assert health["listening"] is True


def test_keywords_are_unambiguous() -> None:
    """No kind has one keyword for two attributes."""
    for kind in k.KINDS:
        assert len(set(KEYWORDS[kind.name].values())) == len(KEYWORDS[kind.name])


def test_without_anybody_listening() -> None:
    """Without an SDK and without a subscriber nothing happens, and neither the SDK nor a framework is loaded."""
    program = (
        "import sys, otel_agents\n"
        "with otel_agents.run('brief') as run, otel_agents.node('n'):\n"
        "    run.set(reason='x')\n"
        "assert run.run_id == ''\n"
        "otel_agents.record.handoff('a', 'b', duration_s=1)\n"
        "assert not [name for name in sys.modules if name.startswith(('opentelemetry.sdk', 'langgraph', 'rich'))]\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_subscriber_that_comes_later_is_served() -> None:
    """Whether anybody listens is asked for each operation: a subscriber may come at any time."""
    program = (
        "import otel_agents\n"
        "with otel_agents.run('before'): pass\n"
        "seen = []\n"
        "otel_agents.subscribe(seen.append)\n"
        "with otel_agents.run('after'): pass\n"
        "from otel_agents import pipeline\n"
        "pipeline.active().hub.flush(5)\n"
        "print([(event.type, event.payload.get('name')) for event in seen])\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "[('start', 'after'), ('complete', None)]\n"


@pytest.mark.parametrize("name", SCOPES)
def test_arguments_may_be_anything(name: str) -> None:
    """A block runs whatever it is given, also objects that raise at every look at them."""
    kind, bad = getattr(otel_agents, name), hostile(object)
    parameters = inspect.signature(kind).parameters.values()
    given = [bad for each in parameters if each.kind is not each.KEYWORD_ONLY]
    named = {each.name: bad for each in parameters if each.kind is each.KEYWORD_ONLY}
    ran = []
    with capture(strict=False), kind(*given, **named) as handle:
        handle.set(attempt=bad)
        ran.append(name)
    assert ran == [name]
