"""What the tests of logs and events share: a recorder with counted clocks and ids, and log records as plain dicts."""

from __future__ import annotations

import itertools
import logging
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Sampler

from otel_agents import guard
from otel_agents.content import Capture
from otel_agents.operation import Identity, Operation, Signal, current, set_current
from otel_agents.recorder import RECORDER
from otel_agents.semconv import agents as a
from otel_agents.semconv import kinds as k
from otel_agents.semconv.model import Kind
from otel_agents.signals.spans import Spans
from otel_agents.testing import CountedIds

EPOCH_NS = 1_767_225_600_000_000_000  # 2026-01-01T00:00:00Z
MS = 1_000_000
ROOT = Path(__file__).parents[2]
PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}  # what every record has
NOTHING: Mapping[str, object] = MappingProxyType({})


class Kept(logging.Handler):
    """Keeps records."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def added(self) -> list[dict[str, object]]:
        """Return what each record has beyond what every record has."""
        return [{name: value for name, value in vars(each).items() if name not in PLAIN} for each in self.records]


class Shelf:
    """A log pipeline of its own that ends in memory."""

    def __init__(self, *processors: LogRecordProcessor) -> None:
        self._kept = InMemoryLogRecordExporter()
        self.provider = LoggerProvider(resource=Resource({}), shutdown_on_exit=False)
        for processor in processors or (SimpleLogRecordProcessor(self._kept),):
            self.provider.add_log_record_processor(processor)

    @property
    def records(self) -> list[dict[str, object]]:
        """Everything that a record says, in the order of emission; the observation's own time left out."""
        return [
            {
                "scope": each.instrumentation_scope.name if each.instrumentation_scope else None,
                "event_name": each.log_record.event_name,
                "body": each.log_record.body,
                "severity": (each.log_record.severity_text, each.log_record.severity_number),
                "at_ms": ((each.log_record.timestamp or 0) - EPOCH_NS) // MS,
                "trace": (each.log_record.trace_id, each.log_record.span_id),
                "attributes": dict(each.log_record.attributes or {}),
            }
            for each in self._kept.get_finished_logs()
        ]

    def attributes(self, event_name: str) -> dict[str, object]:
        """Return the attributes of the one record of this name."""
        found = [record["attributes"] for record in self.records if record["event_name"] == event_name]
        assert len(found) == 1, f"{len(found)} records {event_name!r}"
        assert isinstance(found[0], dict)
        return found[0]


@contextmanager
def recorded(*signals: Signal, capture: Capture | None = None, strict: bool = True) -> Iterator[None]:
    """Have the recorder tell these signals, with a millisecond between any two looks at a clock."""
    before = (RECORDER.wall_ns, RECORDER.clock_ns, RECORDER.new_id, current())
    walls, clocks, runs = itertools.count(1), itertools.count(1), itertools.count(1)
    RECORDER.wall_ns = lambda: EPOCH_NS + next(walls) * MS
    RECORDER.clock_ns = lambda: next(clocks) * MS
    RECORDER.new_id = lambda: f"run-{next(runs)}"
    RECORDER.install(signals, listening=lambda: True, capture=capture)
    try:
        with guard.strict() if strict else _lenient():
            yield
    finally:
        RECORDER.install(())
        RECORDER.wall_ns, RECORDER.clock_ns, RECORDER.new_id, operation = before
        set_current(operation)


def program(code: str, **environment: str) -> bytes:
    """Run a program of its own, with warnings as errors, and return what it wrote to stdout."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        check=False,
        timeout=60,
        env={"PYTHONPATH": str(ROOT), **environment},
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@contextmanager
def _lenient() -> Iterator[None]:
    yield
    guard.reset()


def spans(sampler: Sampler = ALWAYS_ON) -> Spans:
    """Return the spans signal with counted ids."""
    return Spans(TracerProvider(sampler=sampler, id_generator=CountedIds(), shutdown_on_exit=False))


@contextmanager
def inside(operation: Operation | None, error: BaseException | None = None, outcome: str = "") -> Iterator[Operation]:
    """Run the block as host code of the operation, and end it."""
    assert operation is not None
    entered = RECORDER.enter(operation)
    try:
        yield operation
    finally:
        RECORDER.leave(operation, entered)
        RECORDER.end(operation, error, outcome)


@contextmanager
def run(
    identity: Identity | None = None,
    attributes: Mapping[str, object] = NOTHING,
    *,
    error: BaseException | None = None,
    outcome: str = "",
) -> Iterator[Operation]:
    """Run the block as a run of runtime `langgraph`."""
    started = RECORDER.start_run("brief", identity or Identity("langgraph"), attributes)
    with inside(started, error, outcome) as operation:
        yield operation


@contextmanager
def step(
    kind: Kind = k.NODE,
    subject: str = "draft",
    attributes: Mapping[str, object] = NOTHING,
    *,
    error: BaseException | None = None,
) -> Iterator[Operation]:
    """Run the block as an operation inside the current one; a node gets id and kind."""
    own = {a.FLEX_NODE_ID: f"{subject}-1", a.FLEX_NODE_KIND: "agent"} if kind is k.NODE else {}
    with inside(RECORDER.start(kind, subject, own | dict(attributes)), error) as operation:
        yield operation
