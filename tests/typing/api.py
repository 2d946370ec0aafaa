"""The types that users of the package rely on: read by mypy, never run.

What should be refused has an ignore with the code of the refusal; an ignore that is not needed is an error.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import assert_type

from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.trace import ReadableSpan

import otel_agents
from otel_agents import record
from otel_agents.bus.event import Event
from otel_agents.instrumentor import OtelAgentsInstrumentor
from otel_agents.scopes import Handle, Scope
from otel_agents.testing import Telemetry, capture

# Every kind is a scope, whose block gets a handle

SCOPES = [
    otel_agents.run("brief", run_id="r", correlation_id="c", plan_version=1, thread_id="t", goal="all of it"),
    otel_agents.plan(phase="replan", attempt=2),
    otel_agents.node("research", node_id="n1", kind="agent", label="Research", facet_provenance={"input": []}),
    otel_agents.policy("budget", trigger="onNodeComplete", action="fail"),
    otel_agents.hitl("q1", origin="review", pending_node_id="publish"),
    otel_agents.validation("output", attempt=2),
    otel_agents.iteration(1, max_iterations=3, feedback="shorter"),
    otel_agents.phase("build", iteration=1),
    otel_agents.gate("tests", iteration=1),
    otel_agents.delivery(),
    otel_agents.handoff("triage", "writer"),
    otel_agents.decision("triage", "route"),
    otel_agents.context_refresh("triage"),
    otel_agents.state_save(),
    otel_agents.state_load(),
]
assert_type(SCOPES, list[Scope])

otel_agents.run()  # type: ignore[call-arg]
otel_agents.run("brief", corelation_id="c")  # type: ignore[call-arg]
otel_agents.iteration("1")  # type: ignore[arg-type]
otel_agents.nodes("research")  # type: ignore[attr-defined]

with otel_agents.run("brief") as run:
    assert_type(run, Handle)
    assert_type(run.run_id, str)
    assert_type(run.correlation_id, str)
    run.set({"flex.run.reason": "done"}, strategy="breadth first")
    run.ask("q1", origin="review", node_id="publish")
    run.answer("q1", "approved")
    run.outcome = "paused"
    run.run_id = "other"  # type: ignore[misc]


async def asynchronous() -> None:
    async with otel_agents.node("research") as node:
        assert_type(node, Handle)
    assert_type(await coroutine("a"), str)


# A decorator keeps the type of what it decorates


@otel_agents.node("plain")
def plain(text: str, *, times: int = 1) -> list[str]:
    return [text] * times


@otel_agents.node("coroutine")
async def coroutine(text: str) -> str:
    return text


@otel_agents.node("generator")
def generator(text: str) -> Iterator[str]:
    yield text


@otel_agents.node("async generator")
async def async_generator(text: str) -> AsyncIterator[str]:
    yield text


assert_type(plain("a", times=2), list[str])
assert_type(generator("a"), Iterator[str])
assert_type(async_generator("a"), AsyncIterator[str])
plain(1)  # type: ignore[arg-type]
otel_agents.node("no function")(1)  # type: ignore[type-var]

# Every event type is a function with the types of its payload

record.handoff("triage", "writer", 0.2)
record.decision(agent="triage", decision_type="route", duration_s=0.1, outcome="cancelled")
record.plan_rejected(attempt=1, diagnostic_count=2, codes=["cycle", "unknown"])
record.iteration_completed(1, success=True, phase_timings={"build": 12.5}, gate_results=[{"gate": "tests"}])
record.context_refreshed("triage", 3, 900)
record.context_tokens("triage", 1200)
record.log("hello")
otel_agents.record.node_error(1, "TimeoutError", node_id="n1", capability="research")

record.handof("triage", "writer")  # type: ignore[attr-defined]
record.handoff(to="writer")  # type: ignore[call-arg]
record.decision(agent=1)  # type: ignore[arg-type]
record.plan_rejected(codes=1)  # type: ignore[arg-type]

# Listening


def listener(event: Event) -> None:
    assert_type(event.run_id, str)
    assert_type(event.node_id, str | None)
    assert_type(event.duration_ms, float | None)
    event.run_id = "other"  # type: ignore[misc]


unsubscribe = otel_agents.subscribe(listener, types=["complete"], lifecycle=False)
assert_type(unsubscribe, Callable[[], None])
otel_agents.subscribe(lambda: None)  # type: ignore[arg-type, misc]

with otel_agents.log_context(tenant="acme", attempt=2) as nothing:
    assert_type(nothing, None)

assert_type(otel_agents.health(), dict[str, object])
assert_type(otel_agents.__version__, str)

# The test kit, and zero code by call

with capture(metric_sets=10, pause_store="memory") as telemetry:
    assert_type(telemetry, Telemetry)
    assert_type(telemetry.tree(), list[str])
    assert_type(telemetry.metrics(zero=True), dict[str, float])
    assert_type(telemetry.events, list[Event])
    assert_type(telemetry.spans, list[ReadableSpan])
    assert_type(telemetry.logs, list[ReadableLogRecord])
    assert_type(telemetry.span("flex.run brief"), ReadableSpan)

OtelAgentsInstrumentor().instrument(ring_size=10)
OtelAgentsInstrumentor().uninstrument()
