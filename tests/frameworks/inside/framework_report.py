"""Loaded by pytest into a framework's own test run, before the framework: tells how each test ended, and watches.

What it is to do stands in the environment: the file to write to, and whether to watch. Must not know the framework.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

FILE = Path(os.environ["FRAMEWORK_REPORT"])
IS_WATCHED = os.environ.get("FRAMEWORK_WATCHED") == "true"
IS_WORKER = "PYTEST_XDIST_WORKER" in os.environ
RAISED = re.compile(r"[\w.]+(?=:|$)")

outcomes: dict[str, str] = {}
counts: Counter[str] = Counter()


def _watch() -> None:
    """Put us into force as a program would, with an SDK whose exporters count and drop."""
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExporter, LogRecordExportResult
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

    from otel_agents.instrumentor import OtelAgentsInstrumentor

    class Spans(SpanExporter):
        def export(self, spans: Any) -> SpanExportResult:
            counts["spans"] += len(spans)
            return SpanExportResult.SUCCESS

    class Logs(LogRecordExporter):
        def export(self, batch: Any) -> LogRecordExportResult:
            counts["log records"] += len(batch)
            return LogRecordExportResult.SUCCESS

        def force_flush(self, timeout_millis: int = 30_000) -> bool:
            return True

        def shutdown(self) -> None:
            pass

    class Complaints(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            counts["contexts detached where they were not attached"] += 1

    traces, logs = TracerProvider(), LoggerProvider()
    traces.add_span_processor(BatchSpanProcessor(Spans()))
    logs.add_log_record_processor(BatchLogRecordProcessor(Logs()))
    logging.getLogger("opentelemetry.context").addHandler(Complaints())
    OtelAgentsInstrumentor().instrument(
        tracer_provider=traces, meter_provider=MeterProvider([InMemoryMetricReader()]), logger_provider=logs
    )
    _at_end.extend((traces.force_flush, logs.force_flush))


_at_end: list[Any] = []
if IS_WATCHED:
    _watch()


def _told() -> dict[str, int]:
    """Return what was made of the tests of this process, and what went wrong in us."""
    if not IS_WATCHED:
        return {}
    from otel_agents import guard
    from otel_agents.patching.apply import patch_counts

    for flush in _at_end:
        flush()
    counts.update({f"swallowed at {place}": number for place, number in guard.errors().items()})
    missing = {
        f"{adapter}: {state}": number for (adapter, state), number in patch_counts().items() if state == "missing"
    }
    counts.update(missing)
    return dict(counts)


def pytest_runtest_logreport(report: Any) -> None:
    """Keep how a test ended: the worst of its three phases. With workers, this is called where they report to."""
    label = _label(report)
    if report.when == "call" or label != "passed":
        before = outcomes.get(report.nodeid)
        outcomes[report.nodeid] = label if before in (None, "passed") else f"{before}, {label}"


def pytest_collectreport(report: Any) -> None:
    """Keep what could not be collected."""
    if report.failed:
        outcomes[report.nodeid] = "not collected"


def _label(report: Any) -> str:
    if hasattr(report, "wasxfail"):
        return "xfailed" if report.skipped else "xpassed"
    if not report.failed:
        return str(report.outcome)
    crash = getattr(report.longrepr, "reprcrash", None)
    raised = RAISED.match(crash.message) if crash is not None else None
    where = "failed" if report.when == "call" else f"{report.when} failed"
    return f"{where}: {raised[0] if raised is not None else 'AssertionError'}"


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Take over what a worker counted."""
    counts.update(getattr(node, "workeroutput", {}).get("framework_report", {}))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand everything on: a worker to where it reports to, that or a run without workers to the file."""
    if IS_WORKER:
        session.config.workeroutput["framework_report"] = _told()  # type: ignore[attr-defined]
        return
    alone = session.config.getoption("numprocesses", None) in (None, 0)
    if alone:
        _told()
    FILE.write_text(json.dumps({"outcomes": outcomes, "counts": dict(counts)}), encoding="utf-8")
