"""Metrics on a provider of their own, fed by a recorder of their own, read as plain dicts."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from opentelemetry.metrics import MeterProvider as ApiMeterProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader, MetricReader

from otel_agents.operation import Identity, Operation
from otel_agents.pauses import MemoryPauses, PauseStore
from otel_agents.recorder import Recorder
from otel_agents.signals.metrics import Metrics

SECOND_NS = 1_000_000_000
START_NS = 1_000 * SECOND_NS

NOISE = {"yolo_memory_usage_mb", "yolo_cpu_usage_percent"}  # of the process that runs the tests

Points = dict[str, dict[str, float]]


class Measured:
    """The signal, its recorder with clocks that stand still, and what a reader collects."""

    def __init__(self, provider: ApiMeterProvider | None = None, **wiring: Any) -> None:
        self.reader = InMemoryMetricReader()
        self.provider = provider or MeterProvider([self.reader], shutdown_on_exit=False)
        self.now_ns = START_NS
        self.recorder = Recorder()
        self.recorder.clock_ns = self.recorder.wall_ns = lambda: self.now_ns
        ids = itertools.count(1)
        self.recorder.new_id = lambda: f"run-{next(ids)}"
        self.pauses: PauseStore = wiring.pop("pauses", None) or MemoryPauses()
        settings: dict[str, Any] = {"sets": 500, "patch_points": dict, "dropped": dict} | wiring
        self.metrics = Metrics(self.provider, recorder=self.recorder, pauses=self.pauses, **settings)
        self.recorder.install((self.metrics,), listening=lambda: True, pauses=self.pauses)

    def wait(self, seconds: float) -> None:
        """Let both clocks go on."""
        self.now_ns += round(seconds * SECOND_NS)

    def run(self, runtime: str = "langgraph", attributes: Mapping[str, object] | None = None) -> Operation:
        """Start a run, not current."""
        operation = self.recorder.start_run("brief", Identity(runtime, channel="chat"), attributes)
        assert operation is not None
        return operation

    def collect(self, reader: MetricReader | None = None) -> Points:
        """Return values by metric and labels; a histogram is its count, and its sum under `<name> sum`."""
        data = (reader or self.reader).get_metrics_data()  # type: ignore[attr-defined]
        found: Points = {}
        scopes = [scope for resource in data.resource_metrics for scope in resource.scope_metrics] if data else []
        for metric in (metric for scope in scopes for metric in scope.metrics):
            for point in metric.data.data_points:
                key = ",".join(f"{name}={value}" for name, value in sorted(point.attributes.items()))
                if isinstance(point, HistogramDataPoint):
                    found.setdefault(f"{metric.name} sum", {})[key] = point.sum
                value = point.count if isinstance(point, HistogramDataPoint) else point.value
                found.setdefault(metric.name, {})[key] = value
        return found


def added(before: Mapping[str, Mapping[str, float]], after: Mapping[str, Mapping[str, float]]) -> Points:
    """Return what changed between two collections, but for the process's own memory and CPU."""
    changes = {
        name: {key: value - before.get(name, {}).get(key, 0) for key, value in points.items()}
        for name, points in after.items()
        if name not in NOISE
    }
    kept = {name: {key: value for key, value in points.items() if value} for name, points in changes.items()}
    return {name: points for name, points in kept.items() if points}
