"""The leanest code that a developer could write by hand for the records of a crew; knows no part of ours but the team.

It makes the same 10 spans, 17 log records and 19 measurements a workflow with the same attributes, but for two on the
span of a node, and is not general in any way: one workflow at a time, which succeeds, no gauges, no bounds, no guard
against its own mistakes.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from opentelemetry._logs import SeverityNumber
from opentelemetry.context import attach, detach
from opentelemetry.trace import Span, set_span_in_context

from tests.benchmarks.floor import SHORT, Floor, Providers

RUNTIME = "yolo"


class CrewFloor:
    """Hand-written telemetry of one workflow at a time."""

    def __init__(self, sdk: Providers) -> None:
        self._nodes = Floor(sdk, RUNTIME, "agent")
        meter = sdk.meter_provider.get_meter("floor")
        self._transitions = meter.create_counter("flex.run.transitions").add
        self._statuses = meter.create_counter("flex.run.status").add
        self._handoffs = meter.create_counter("yolo_handoffs_total").add
        self._workflows = meter.create_counter("yolo_workflows_total").add
        self._waited, self._ran, self._flowed = (
            meter.create_histogram(name, "s", explicit_bucket_boundaries_advisory=SHORT).record
            for name in ("yolo_handoff_duration_seconds", "flex.run.duration", "yolo_workflow_duration_seconds")
        )
        self._run: Any = None  # the context of the workflow's span
        self._on_its_way: tuple[Span, str, str, int, int] | None = None
        self._turns = 0

    def begin(self) -> tuple[Span, Any, int, int]:
        """Start the span of a workflow, make it current, and tell of it."""
        started_ns, began_ns = time.time_ns(), time.perf_counter_ns()
        run_id = self._nodes.run_id
        attributes = {
            "flex.run.id": run_id,
            "flex.runtime": RUNTIME,
            "yolo.workflow": "crew",
            "flex.correlation.id": run_id,
            "gen_ai.workflow.name": "crew",
            "gen_ai.operation.name": "invoke_workflow",
        }
        span = self._nodes.tracer.start_span("flex.run crew", attributes=attributes, start_time=started_ns)
        self._run, self._turns = set_span_in_context(span), 0
        self._tell("flex", "start", started_ns, {"gen_ai.workflow.name": "crew"})
        self._transitions(1, {"state": "start", "runtime": RUNTIME}, self._run)
        return span, attach(self._run), started_ns, began_ns

    def finish(self, begun: tuple[Span, Any, int, int]) -> None:
        """Tell of the end, measure, and end the span."""
        span, token, started_ns, began_ns = begun
        duration_ns = time.perf_counter_ns() - began_ns
        spent_s, ended_ns = duration_ns / 1e9, started_ns + duration_ns
        told = {"flex.run.status": "completed", "flex.duration_ms": duration_ns // 1000 / 1000}
        self._tell("flex", "complete", ended_ns, told)
        self._tell(
            "yolo", "workflow_finished", ended_ns, told | {"yolo.workflow": "crew", "yolo.workflow.success": True}
        )
        labels = {"status": "completed", "runtime": RUNTIME}
        self._transitions(1, {"state": "complete", "runtime": RUNTIME}, self._run)
        self._statuses(1, labels, self._run)
        self._ran(spent_s, labels, self._run)
        self._workflows(1, {"outcome": "ok"}, self._run)
        self._flowed(spent_s, {"outcome": "ok"}, self._run)
        detach(token)
        span.set_attributes({"yolo.workflow.success": True, "flex.run.status": "completed", "flex.outcome": "ok"})
        span.end(ended_ns)

    def turn(self, role: str) -> tuple[str, str, Any, Any]:
        """End the handoff that led here, and start the node of a role."""
        if self._on_its_way is not None:
            self._arrive(*self._on_its_way)
            self._on_its_way = None
        self._turns += 1
        node_id = f"{self._turns}-{role}"
        started = self._nodes.start(role, node_id)
        return role, node_id, started, attach(started[0])

    def over(self, turn: tuple[str, str, Any, Any]) -> None:
        """End the node of a role."""
        role, node_id, started, token = turn
        detach(token)
        self._nodes.end(role, node_id, "ok", started)

    def hand_on(self, from_agent: str, to_agent: str) -> None:
        """Start a handoff, which ends when the target's turn comes."""
        attributes = {
            "flex.run.id": self._nodes.run_id,
            "flex.runtime": RUNTIME,
            "yolo.from_agent": from_agent,
            "yolo.to_agent": to_agent,
        }
        started_ns, began_ns = time.time_ns(), time.perf_counter_ns()
        name = f"yolo.handoff {to_agent}"
        span = self._nodes.tracer.start_span(name, self._run, attributes=attributes, start_time=started_ns)
        self._on_its_way = span, from_agent, to_agent, started_ns, began_ns

    def _arrive(self, span: Span, from_agent: str, to_agent: str, started_ns: int, began_ns: int) -> None:
        duration_ns = time.perf_counter_ns() - began_ns
        ended_ns = started_ns + duration_ns
        told = {
            "flex.outcome": "ok",
            "flex.duration_ms": duration_ns // 1000 / 1000,
            "yolo.from_agent": from_agent,
            "yolo.to_agent": to_agent,
        }
        self._tell("yolo", "handoff", ended_ns, told)
        labels = {"from_agent": from_agent, "to_agent": to_agent}
        self._handoffs(1, labels, self._run)
        self._waited(duration_ns / 1e9, labels, self._run)
        span.set_attribute("flex.outcome", "ok")
        span.end(ended_ns)

    def _tell(self, family: str, event: str, time_ns: int, attributes: Mapping[str, Any]) -> None:
        run_id = self._nodes.run_id
        self._nodes.emit(
            timestamp=time_ns,
            context=self._run,
            severity_number=SeverityNumber.INFO,
            severity_text="INFO",
            body=f"{family}_{event}",
            event_name=f"{family}.{event}",
            attributes={
                "flex.run.id": run_id,
                "flex.correlation.id": run_id,
                "flex.runtime": RUNTIME,
                "flex.event.type": event,
                **attributes,
            },
        )
