"""A program whose Collector goes away and comes back while clients do not read; prints its books as JSON.

`python -m tests.outage 20000 ENDPOINT`: so many rounds in each of three phases. Says on stdout what has to happen
next, and goes on when a line comes in.
"""

from __future__ import annotations

import gc
import json
import logging
import sys
import threading
from collections import Counter
from typing import Any

import psutil  # type: ignore[import-untyped]
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

import otel_agents
from otel_agents import api, guard, pipeline
from otel_agents.config import Config
from otel_agents.config.values import Address
from otel_agents.serve.opening import serve
from tests.leftovers import descriptors, locks, names_of_threads

THREADS = 4
AT_ONCE = 400
PATIENCE_S = 1  # of an exporter


class Made(SpanProcessor, LogRecordProcessor):
    """Counts what reaches the SDK."""

    def __init__(self) -> None:
        self.count = 0
        self._lock = threading.Lock()

    def on_end(self, span: Any) -> None:
        with self._lock:
            self.count += 1

    def on_emit(self, log_record: Any) -> None:
        self.on_end(log_record)

    def shutdown(self) -> None:
        pass

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return True


class Counted:
    """An exporter that counts what it took and how that went."""

    def __init__(self, exporter: Any) -> None:
        self._exporter = exporter
        self.results: Counter[str] = Counter()

    def export(self, batch: Any) -> Any:
        result = self._exporter.export(batch)
        self.results[result.name] += len(batch)
        return result

    def __getattr__(self, name: str) -> Any:
        return getattr(self._exporter, name)


class Sdk:
    """The providers of a program, with the usual batches, and the books of what went through them."""

    def __init__(self, endpoint: str) -> None:
        self.spans = Counted(OTLPSpanExporter(f"{endpoint}/v1/traces", timeout=PATIENCE_S))
        self.logs = Counted(OTLPLogExporter(f"{endpoint}/v1/logs", timeout=PATIENCE_S))
        self.made = {"spans": Made(), "logs": Made()}
        self.traces = TracerProvider(shutdown_on_exit=False)
        self.traces.add_span_processor(self.made["spans"])
        self.traces.add_span_processor(BatchSpanProcessor(self.spans, schedule_delay_millis=200))  # type: ignore[arg-type]
        self.loggers = LoggerProvider(shutdown_on_exit=False)
        self.loggers.add_log_record_processor(self.made["logs"])
        self.loggers.add_log_record_processor(BatchLogRecordProcessor(self.logs, schedule_delay_millis=200))  # type: ignore[arg-type]
        metrics = OTLPMetricExporter(f"{endpoint}/v1/metrics", timeout=PATIENCE_S)
        reader = PeriodicExportingMetricReader(metrics, export_interval_millis=1000)
        self.meters = MeterProvider([reader], shutdown_on_exit=False)

    def providers(self) -> dict[str, Any]:
        return {"tracer_provider": self.traces, "meter_provider": self.meters, "logger_provider": self.loggers}

    def flush(self) -> None:
        for provider in self.providers().values():
            provider.force_flush()

    def shutdown(self) -> None:
        for provider in self.providers().values():
            provider.shutdown()

    def books(self) -> dict[str, Any]:
        found = {"spans": self.spans.results, "logs": self.logs.results}
        return {name: {"made": self.made[name].count, **found[name]} for name in found}


@otel_agents.node("work")
def work() -> None:
    """Do one piece of work."""


def phase(rounds: int) -> None:
    """Make so many runs, each with a node, in some threads."""

    def some() -> None:
        for _ in range(rounds // THREADS):
            with otel_agents.run("brief"):
                work()

    started = [threading.Thread(target=some) for _ in range(THREADS)]
    for each in started:
        each.start()
    for each in started:
        each.join()


def paced(rounds: int, sdk: Sdk) -> None:
    """Make so many runs, never more at once than a queue of the SDK holds: on a busy machine it would drop some."""
    for _ in range(rounds // AT_ONCE):
        phase(AT_ONCE)
        sdk.flush()


def say(**what: Any) -> None:
    """Say something, and wait until we may go on."""
    print(json.dumps(what), flush=True)  # noqa: T201
    sys.stdin.readline()


def main(rounds: int, endpoint: str) -> None:
    """Work while the Collector is there, while it is not, and when it is back."""
    logging.disable(logging.CRITICAL)  # the SDK says a lot while nobody is there
    before: dict[str, Any] = {"descriptors": descriptors(), "threads": names_of_threads()}
    sdk = Sdk(endpoint)
    pipe = pipeline.start(Config.load(environ={}), **sdk.providers())
    served = serve(Address("127.0.0.1", 0), None, api.observation)
    assert served is not None
    say(next="clients", port=served.address.port)
    paced(rounds, sdk)
    say(next="down", books=sdk.books())
    memory = [_memory()]
    for _ in range(4):
        phase(rounds // 2)
        memory.append(_memory())
    say(next="up", books=sdk.books(), published=pipe.hub.published)
    sdk.flush()
    back = sdk.books()
    paced(rounds // 4, sdk)
    report: dict[str, Any] = {"back": back, "books": sdk.books(), "memory": memory, "errors": guard.errors()}
    report |= {"published": pipe.hub.published, "lost": pipe.hub.dropped}
    say(next="read", **report)
    served.stop()
    sdk.shutdown()
    pipeline.stop()
    gc.collect()
    left = {"descriptors": descriptors(), "threads": names_of_threads(), "locks": locks()}
    say(next="end", before=before, left=left)


def _memory() -> int:
    gc.collect()
    found: int = psutil.Process().memory_info().rss
    return found


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
