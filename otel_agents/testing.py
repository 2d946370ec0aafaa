"""A test kit: signals in memory, counted ids and clock, the tree of operations; must not know adapters or the CLI.

from otel_agents.testing import capture

def test_my_agents():
with capture() as telemetry:
run_my_agents()
assert telemetry.tree() == ["run briefing: ok", "  node research (agent): ok"]
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader, MetricsData
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Sampler

from otel_agents import guard, pipeline
from otel_agents.bus.event import Event
from otel_agents.config import Config
from otel_agents.operation import Operation, Signal
from otel_agents.recorder import RECORDER
from otel_agents.semconv import agents as a

EPOCH_NS: Final = 1_767_225_600_000_000_000  # 2026-01-01T00:00:00Z
FLUSH_S: Final = 5.0
EVENTS_KEPT: Final = 1_000_000
TICK_NS: Final = 1_000_000  # one millisecond for each look at the clock


class CountedIds(IdGenerator):
    """Trace and span ids 1, 2, 3, ..."""

    def __init__(self) -> None:
        self._spans = itertools.count(1)
        self._traces = itertools.count(1)

    def generate_span_id(self) -> int:
        """Return the next span id."""
        return next(self._spans)

    def generate_trace_id(self) -> int:
        """Return the next trace id."""
        return next(self._traces)


@dataclass(slots=True)
class Branch:
    """An operation in the tree of operations."""

    operation: Operation
    children: list[Branch] = field(default_factory=list)

    @property
    def line(self) -> str:
        """``node research (agent): ok``."""
        operation = self.operation
        kind = operation.attributes.get(a.FLEX_NODE_KIND)
        words = [operation.kind.name, operation.subject, f"({kind})" if kind else ""]
        return " ".join(word for word in words if word) + f": {operation.outcome or 'running'}"

    def lines(self, depth: int = 0) -> Iterator[str]:
        """Return the branch, indented by two blanks a level; siblings stand in the order of their start."""
        yield "  " * depth + self.line
        for child in self.children:
            yield from child.lines(depth + 1)


class Forest(Signal):
    """Keeps every operation, with its children."""

    name = "forest"

    def __init__(self) -> None:
        self.roots: list[Branch] = []
        self._branches: dict[int, Branch] = {}

    def started(self, operation: Operation) -> None:
        """Hang the operation under its parent."""
        branch = self._branches[id(operation)] = Branch(operation)
        parent = self._branches.get(id(operation.parent)) if operation.parent is not None else None
        (parent.children if parent is not None else self.roots).append(branch)

    def clear(self) -> None:
        """Forget all."""
        self.roots.clear()
        self._branches.clear()


class Telemetry:
    """What was recorded. Spans and log records are OpenTelemetry's own, events the bus's."""

    def __init__(self, sampler: Sampler = ALWAYS_ON) -> None:
        resource = Resource({"service.name": "test"})
        self._spans = InMemorySpanExporter()
        self._logs = InMemoryLogRecordExporter()
        self._reader = InMemoryMetricReader()
        self.forest = Forest()
        self.delivered: list[Event] = []
        self.deliver: Callable[[], object] = bool  # waits for the hub; does nothing outside the block
        self.tracer_provider = TracerProvider(
            sampler=sampler, resource=resource, id_generator=CountedIds(), shutdown_on_exit=False
        )
        self.tracer_provider.add_span_processor(SimpleSpanProcessor(self._spans))
        self.meter_provider = MeterProvider([self._reader], resource=resource, shutdown_on_exit=False)
        self.logger_provider = LoggerProvider(resource=resource, shutdown_on_exit=False)
        self.logger_provider.add_log_record_processor(SimpleLogRecordProcessor(self._logs))
        self._base: dict[str, float] = {}

    @property
    def events(self) -> list[Event]:
        """All events so far, in order."""
        self.deliver()
        return list(self.delivered)

    @property
    def spans(self) -> list[ReadableSpan]:
        """Finished spans, in the order of their end."""
        return list(self._spans.get_finished_spans())

    @property
    def logs(self) -> list[ReadableLogRecord]:
        """Log records, in the order of their emission."""
        return list(self._logs.get_finished_logs())

    def span(self, name: str) -> ReadableSpan:
        """Return the one span of a name; AssertionError when there are none or several."""
        found = [span for span in self.spans if span.name == name]
        if len(found) != 1:
            raise AssertionError(f"{len(found)} spans {name!r} among {sorted(span.name for span in self.spans)}")
        return found[0]

    def tree(self) -> list[str]:
        """Return the operations as lines, two blanks a level."""
        return [line for root in self.forest.roots for line in root.lines()]

    def event_types(self) -> list[str]:
        """Return the types of all events, in order."""
        return [event.type for event in self.events]

    def metrics(self, *, zero: bool = False) -> dict[str, float]:
        """Return what was measured since ``reset``: ``flex.node.retries{capability=draft,runtime=langgraph}: 1``.

        A histogram is two entries, ``name_count{...}`` and ``name_sum{...}``. Gauges are as they stand now. Entries
        that stand at 0 are left out unless ``zero``.
        """
        now = {name: value - self._base.get(name, 0) for name, value in self._read().items()}
        return {name: value for name, value in now.items() if zero or value}

    def reset(self) -> None:
        """Forget everything recorded so far; counters go on from 0."""
        self._spans.clear()
        self._logs.clear()
        self.deliver()
        self.delivered.clear()
        self.forest.clear()
        self._base = self._read(counting=True)

    def _read(self, *, counting: bool = False) -> dict[str, float]:
        data = self._reader.get_metrics_data()
        return dict(_points(data, counting=counting)) if data is not None else {}


def _points(data: MetricsData, *, counting: bool) -> Iterator[tuple[str, float]]:
    metrics = [m for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics]
    for metric in metrics:
        for point in metric.data.data_points:
            labels = ",".join(f"{name}={value!s}" for name, value in sorted((point.attributes or {}).items()))
            end = f"{{{labels}}}" if labels else ""
            if isinstance(point, HistogramDataPoint):
                yield f"{metric.name}_count{end}", point.count
                yield f"{metric.name}_sum{end}", point.sum
            elif not (counting and getattr(metric.data, "is_monotonic", None) is None):
                yield f"{metric.name}{end}", point.value  # type: ignore[union-attr]


@contextmanager
def capture(
    *,
    sampler: Sampler = ALWAYS_ON,
    config: Config | None = None,
    strict: bool = True,
    **settings: Any,
) -> Iterator[Telemetry]:
    """Record everything inside the block; what was installed before is installed again afterwards.

    ``settings`` are the keywords of ``Config.load``. With ``strict`` an error of ours fails the test.
    """
    telemetry = Telemetry(sampler)
    before = pipeline.active()
    clocks = (RECORDER.wall_ns, RECORDER.clock_ns, RECORDER.new_id)
    _count(RECORDER)
    mine = pipeline.start(
        config or Config.load(settings, environ={}),
        tracer_provider=telemetry.tracer_provider,
        meter_provider=telemetry.meter_provider,
        logger_provider=telemetry.logger_provider,
        extra=(telemetry.forest,),
    )
    unsubscribe = mine.hub.subscribe(telemetry.delivered.append, name="testing", queue_size=EVENTS_KEPT)
    telemetry.deliver = partial(mine.hub.flush, FLUSH_S)
    try:
        with guard.strict() if strict else _nothing():
            yield telemetry
    finally:
        telemetry.deliver()
        telemetry.deliver = bool
        unsubscribe()
        pipeline.stop(then=before)
        RECORDER.wall_ns, RECORDER.clock_ns, RECORDER.new_id = clocks


@contextmanager
def _nothing() -> Iterator[None]:
    yield


def _count(recorder: Any) -> None:
    walls, clocks, runs = itertools.count(1), itertools.count(1), itertools.count(1)
    recorder.wall_ns = lambda: EPOCH_NS + next(walls) * TICK_NS
    recorder.clock_ns = lambda: next(clocks) * TICK_NS
    recorder.new_id = lambda: f"run-{next(runs)}"
