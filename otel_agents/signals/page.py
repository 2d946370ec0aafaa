"""What a process measures, as one page of Prometheus text; must not know who asks for it, nor our instruments."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.metrics import MeterProvider as MeterProviderApi
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import ExponentialHistogram, MetricsData
from prometheus_client import REGISTRY
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

_pages: weakref.WeakSet[Page] = weakref.WeakSet()


class Page:
    """The page, beside those of other exporters: it shows the same as they do, and neither shows it twice.

    ``provider`` is the SDK of the host, to which a reader is added, so that the page shows all that the process
    measures. Without an SDK that takes one, it is an SDK of our own, which nobody else sees.
    """

    def __init__(self, host: MeterProviderApi) -> None:
        self._reader = _Reader()
        self.renew()
        _pages.add(self)
        add = getattr(host, "add_metric_reader", None)  # the SDK has it since 1.43
        self.is_own = add is None
        self.provider = host if add is not None else MeterProvider([self._reader], shutdown_on_exit=False)
        if add is not None:
            add(self._reader)

    def renew(self) -> None:
        """Begin anew in a forked child, which does not have the thread that may hold the lock."""
        self._lock = threading.Lock()  # two scrapes at once would share what is collected

    def text(self, accept: str = "") -> tuple[bytes, str]:
        """Return the page and its content type, in the format that an ``Accept`` header asks for."""
        encode, content_type = choose_encoder(accept)
        with self._lock:
            return encode(self._reader.families), content_type

    def close(self) -> None:
        """Leave the provider."""
        if self.is_own:
            self.provider.shutdown()  # type: ignore[attr-defined]  # it is the SDK's
        else:
            self.provider.remove_metric_reader(self._reader)  # type: ignore[attr-defined]


class _Reader(PrometheusMetricReader):
    """OpenTelemetry's reader for Prometheus, on no registry, and without two of its traps."""

    def __init__(self) -> None:
        super().__init__()
        REGISTRY.unregister(self._collector)
        self.families = _Families(self._collector)

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Do nothing: what is pulled has nothing to push, and the next scrape would show every sample twice."""
        return True

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Do nothing: it stands on no registry any more."""

    def _receive_metrics(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> None:
        super()._receive_metrics(_shown(metrics_data), timeout_millis, **kwargs)


class _Families(Collector):
    """What a collector collects, each name once, as the format wants it: two libraries may describe one differently.

    Under a name that is taken by another type nothing is shown, which is OpenTelemetry's rule.
    """

    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    def collect(self) -> Iterable[Metric]:
        """Return the families."""
        known: dict[str, Metric] = {}
        for family in self._collector.collect():
            name = f"{family.name}_total" if family.type == "counter" else family.name
            first = known.setdefault(name, family)
            if first is not family and first.type == family.type:
                first.samples.extend(family.samples)
        return known.values()


def _shown(data: MetricsData | None) -> Any:
    """Leave out what the format cannot hold: one exponential histogram of the host would fail the whole page."""
    if data is None:
        return None
    resources = [
        replace(
            resource,
            scope_metrics=[
                replace(
                    scope, metrics=[each for each in scope.metrics if not isinstance(each.data, ExponentialHistogram)]
                )
                for scope in resource.scope_metrics
            ],
        )
        for resource in data.resource_metrics
    ]
    return replace(data, resource_metrics=resources)


def _renew() -> None:
    for page in list(_pages):
        page.renew()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_renew)
