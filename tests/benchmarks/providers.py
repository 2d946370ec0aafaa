"""OpenTelemetry as in production, but for the network: records are dropped, or encoded and then dropped."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Sampler

Encode = Callable[[Any], Any]


class Sink:
    """Takes batches, and encodes them when it has an encoder."""

    def __init__(self, encode: Encode | None) -> None:
        self._encode = encode
        self._null = os.open(os.devnull, os.O_WRONLY)

    def take(self, batch: Any) -> None:
        if self._encode is not None:
            os.write(self._null, self._encode(batch).SerializeToString())


class Spans(Sink, SpanExporter):
    def export(self, spans: Any) -> SpanExportResult:
        self.take(spans)
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        os.close(self._null)


class Logs(Sink, LogRecordExporter):
    def export(self, batch: Any) -> LogRecordExportResult:
        self.take(batch)
        return LogRecordExportResult.SUCCESS

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return True

    def shutdown(self) -> None:
        os.close(self._null)


class Metrics(Sink, MetricExporter):
    def __init__(self, encode: Encode | None) -> None:
        Sink.__init__(self, encode)
        MetricExporter.__init__(self)

    def export(self, metrics_data: Any, timeout_millis: float = 10_000, **kwargs: Any) -> MetricExportResult:
        self.take(metrics_data)
        return MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        return True

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        os.close(self._null)


class Sdk:
    """The three providers with their default batches and intervals."""

    def __init__(self, *, sampler: Sampler = ALWAYS_ON, otlp: bool = False) -> None:
        resource = Resource.create({"service.name": "benchmark"})
        self.tracer_provider = TracerProvider(sampler=sampler, resource=resource, shutdown_on_exit=False)
        self.spans = BatchSpanProcessor(Spans(encode_spans if otlp else None))
        self.tracer_provider.add_span_processor(self.spans)
        reader = PeriodicExportingMetricReader(Metrics(encode_metrics if otlp else None))
        self.meter_provider = MeterProvider([reader], resource=resource, shutdown_on_exit=False)
        self.logger_provider = LoggerProvider(resource=resource, shutdown_on_exit=False)
        self.logger_provider.add_log_record_processor(BatchLogRecordProcessor(Logs(encode_logs if otlp else None)))

    def flush(self) -> None:
        """Export the spans and log records that wait, so that each round pays for its own."""
        self.tracer_provider.force_flush()
        self.logger_provider.force_flush()

    def shutdown(self) -> None:
        """End the threads."""
        for provider in (self.tracer_provider, self.meter_provider, self.logger_provider):
            provider.shutdown()
