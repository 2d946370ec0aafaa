"""The leanest code that a developer could write by hand for the same records; uses nothing but OpenTelemetry's API.

For one node it makes what we make: a span, a histogram, `node_start` and `node_complete`, with the same attributes.
It is not general in any way: no handoffs, pauses, retries or content, no bounds, no guard against its own mistakes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

from opentelemetry._logs import SeverityNumber
from opentelemetry.context import attach, detach
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Span, SpanKind, set_span_in_context

SHORT = (0.005, 0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class Providers(Protocol):
    """The three providers of whoever measures."""

    tracer_provider: TracerProvider
    meter_provider: MeterProvider
    logger_provider: LoggerProvider


class Floor:
    """Hand-written telemetry for one run at a time, of one runtime."""

    def __init__(self, sdk: Providers, runtime: str, kind: str = "step") -> None:
        self.runtime = runtime
        self.kind = kind
        self.run_id = "0" * 32
        self.tracer = sdk.tracer_provider.get_tracer("floor")
        self.emit = sdk.logger_provider.get_logger("floor").emit
        meter = sdk.meter_provider.get_meter("floor")
        histogram = meter.create_histogram("flex.node.duration", "s", explicit_bucket_boundaries_advisory=SHORT)
        self.record = histogram.record
        self.count_tokens = meter.create_counter("flex.model.tokens", "{token}").add
        self.handoff: tuple[str, str, Span, int, int] | None = None

    def run(self, name: str) -> Span:
        """Start the span of a run and make it current; whoever starts it ends it."""
        span = self.tracer.start_span(f"flex.run {name}")
        attach(set_span_in_context(span))
        return span

    def watched(
        self, host: Callable[..., Any], names: Callable[[tuple[Any, ...]], tuple[str, str]]
    ) -> Callable[..., Any]:
        """Return the function with its telemetry; ``names`` reads name and id of the node off the arguments."""
        start, end = self.start, self.end

        def node(*args: Any, **kwargs: Any) -> Any:
            name, node_id = names(args)
            started = start(name, node_id)
            token = attach(started[0])
            outcome = "error"
            try:
                result = host(*args, **kwargs)
                outcome = "ok"
            finally:
                detach(token)
                end(name, node_id, outcome, started)
            return result

        return node

    def watched_coroutine(
        self, host: Callable[..., Any], names: Callable[[tuple[Any, ...]], tuple[str, str]]
    ) -> Callable[..., Any]:
        """Return the coroutine function with its telemetry."""
        start, end = self.start, self.end

        async def node(*args: Any, **kwargs: Any) -> Any:
            name, node_id = names(args)
            started = start(name, node_id)
            token = attach(started[0])
            outcome = "error"
            try:
                result = await host(*args, **kwargs)
                outcome = "ok"
            finally:
                detach(token)
                end(name, node_id, outcome, started)
            return result

        return node

    def policy(self, host: Callable[..., Any], trigger: str) -> Callable[..., Any]:
        """Return the coroutine method of a guardrail with its span."""

        async def policy(guardrail: Any, *args: Any, **kwargs: Any) -> Any:
            name = guardrail.get_name()
            values = {"flex.run.id": self.run_id, "flex.runtime": self.runtime, "flex.policy.trigger": trigger}
            span = self.tracer.start_span(f"flex.policy {name}", attributes={**values, "flex.policy.id": name})
            token = attach(set_span_in_context(span))
            try:
                result = await host(guardrail, *args, **kwargs)
                span.set_attribute("flex.outcome", "ok")
            finally:
                detach(token)
                span.end()
            return result

        return policy

    def use(self, input_tokens: int, output_tokens: int) -> None:
        """Count what a model used."""
        self.count_tokens(input_tokens, {"direction": "input", "runtime": self.runtime})
        self.count_tokens(output_tokens, {"direction": "output", "runtime": self.runtime})

    def hand_over(self, from_agent: str, to_agent: str) -> None:
        """Start a handoff, which ends when the agent starts that takes over."""
        started_ns = time.time_ns()
        values = {"flex.run.id": self.run_id, "flex.runtime": self.runtime}
        agents = {"yolo.from_agent": from_agent, "yolo.to_agent": to_agent}
        span = self.tracer.start_span(
            f"yolo.handoff {to_agent}", attributes={**values, **agents}, start_time=started_ns
        )
        self.handoff = from_agent, to_agent, span, started_ns, time.perf_counter_ns()

    def arrive(self, agent: str) -> None:
        """An agent starts: end the handoff to it, if there is one, and tell of it."""
        if self.handoff is None or self.handoff[1] != agent:
            return
        from_agent, to_agent, span, started_ns, began_ns = self.handoff
        self.handoff = None
        ended_ns = started_ns + time.perf_counter_ns() - began_ns
        self.emit(
            timestamp=ended_ns,
            context=set_span_in_context(span),
            severity_number=SeverityNumber.INFO,
            severity_text="INFO",
            body="yolo_handoff",
            event_name="yolo.handoff",
            attributes={
                "flex.event.type": "handoff",
                "flex.run.id": self.run_id,
                "flex.correlation.id": self.run_id,
                "flex.runtime": self.runtime,
                "yolo.from_agent": from_agent,
                "yolo.to_agent": to_agent,
                "flex.outcome": "ok",
                "flex.duration_ms": (ended_ns - started_ns) // 1000 / 1000,
            },
        )
        span.set_attribute("flex.outcome", "ok")
        span.end(ended_ns)

    def start(self, name: str, node_id: str) -> tuple[Any, Span, int, int]:
        """Start the span and tell of it."""
        started_ns, began_ns = time.time_ns(), time.perf_counter_ns()
        run_id, runtime = self.run_id, self.runtime
        span = self.tracer.start_span(
            f"flex.node {name}",
            None,
            SpanKind.INTERNAL,
            {
                "flex.run.id": run_id,
                "flex.runtime": runtime,
                "flex.node.id": node_id,
                "flex.node.kind": self.kind,
                "flex.node.label": name,
                "flex.node.attempt": 1,
                "flex.capability.id": name,
            },
            None,
            started_ns,
        )
        context = set_span_in_context(span)
        self.emit(
            timestamp=started_ns,
            context=context,
            severity_number=SeverityNumber.INFO,
            severity_text="INFO",
            body="flex_node_start",
            event_name="flex.node_start",
            attributes={
                "flex.event.type": "node_start",
                "flex.run.id": run_id,
                "flex.correlation.id": run_id,
                "flex.runtime": runtime,
                "flex.node.id": node_id,
                "flex.capability.id": name,
                "flex.node.kind": self.kind,
                "flex.node.label": name,
            },
        )
        return context, span, started_ns, began_ns

    def end(self, name: str, node_id: str, outcome: str, started: tuple[Any, Span, int, int]) -> None:
        """Tell of the end, measure, and end the span."""
        context, span, started_ns, began_ns = started
        duration_ns = time.perf_counter_ns() - began_ns
        ended_ns = started_ns + duration_ns
        run_id, runtime = self.run_id, self.runtime
        self.emit(
            timestamp=ended_ns,
            context=context,
            severity_number=SeverityNumber.INFO,
            severity_text="INFO",
            body="flex_node_complete",
            event_name="flex.node_complete",
            attributes={
                "flex.event.type": "node_complete",
                "flex.run.id": run_id,
                "flex.correlation.id": run_id,
                "flex.runtime": runtime,
                "flex.node.id": node_id,
                "flex.capability.id": name,
                "flex.outcome": outcome,
                "flex.duration_ms": duration_ns // 1000 / 1000,
                "flex.node.kind": self.kind,
                "flex.node.attempt": 1,
            },
        )
        labels = {"capability": name, "kind": self.kind, "outcome": outcome, "runtime": runtime}
        self.record(duration_ns / 1e9, labels, context)
        span.set_attribute("flex.outcome", outcome)
        span.end(ended_ns)
