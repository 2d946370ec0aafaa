"""What the tests of adapters share: a process in which some adapters are in force."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from otel_agents import guard, pipeline
from otel_agents.config import Config
from otel_agents.patching.apply import apply, patch_counts
from otel_agents.patching.table import Adapter
from otel_agents.testing import Telemetry, capture


@contextmanager
def watched(*adapters: Adapter, **settings: Any) -> Iterator[Telemetry]:
    """Have the adapters in force and everything recorded; an error of ours fails the test."""
    guard.reset()
    with capture(**settings) as recorded, ExitStack() as applied:
        for adapter in adapters:
            applied.callback(apply(adapter).undo)
        yield recorded
    assert patch_counts() == {}, "the test applied what it did not undo"


def texts(telemetry: Telemetry) -> Iterator[str]:
    """Yield all text of all signals."""
    yield from (span.to_json() for span in telemetry.spans)
    yield from (record.to_json() for record in telemetry.logs)
    yield from (json.dumps(event.as_dict(), default=repr) for event in telemetry.events)
    yield from telemetry.metrics(zero=True)
    yield from telemetry.tree()


class Page:
    """The Prometheus page of a process in which adapters are in force."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def samples(self, *names: str) -> dict[str, float]:
        """Scrape, and return the samples of these names, by name and labels, without those of the scope."""
        found: dict[str, float] = {}
        for family in text_string_to_metric_families(generate_latest(self._registry).decode()):
            for sample in family.samples:
                own = sorted(each for each in sample.labels.items() if not each[0].startswith("otel_scope_"))
                key = f"{sample.name}{{{','.join(f'{name}={value}' for name, value in own)}}}"
                if sample.name in names:
                    assert key not in found
                    found[key] = sample.value
        return found


@contextmanager
def scraped(adapter: Adapter) -> Iterator[Page]:
    """Have an adapter in force in a process that is scraped."""
    if "registry" not in inspect.signature(PrometheusMetricReader).parameters:
        pytest.skip("this version of OpenTelemetry's exporter has one registry for all")
    registry = CollectorRegistry()
    provider = MeterProvider([PrometheusMetricReader(registry=registry)], shutdown_on_exit=False)
    pipe = pipeline.start(Config.load({}, environ={}), meter_provider=provider)
    applied = apply(adapter, on_applied=pipe.metrics.announce)
    try:
        yield Page(registry)
    finally:
        applied.undo()
        pipeline.stop()
        provider.shutdown()
