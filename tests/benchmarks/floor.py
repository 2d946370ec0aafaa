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
        histogram = sdk.meter_provider.get_meter("floor").create_histogram(
            "flex.node.duration", "s", explicit_bucket_boundaries_advisory=SHORT
        )
        self.record = histogram.record

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
