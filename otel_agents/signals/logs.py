"""Facts as OpenTelemetry log records; must not know spans, metrics, the feed, nor the standard logging library."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from opentelemetry._logs import (
    Logger,
    LoggerProvider,
    LogRecord,
    NoOpLogger,
    SeverityNumber,
    get_logger,
    get_logger_provider,
)

from otel_agents.content import Capture
from otel_agents.operation import Fact, Run, Signal
from otel_agents.semconv import agents as a
from otel_agents.semconv import gen_ai as g
from otel_agents.semconv.events import EVENTS, GRADED
from otel_agents.semconv.kinds import NODE, RUN
from otel_agents.semconv.model import EventType, Severity
from otel_agents.version import __version__

SCOPE: Final = "otel_agents"
SCHEMA_URL: Final = f"https://opentelemetry.io/schemas/{g.VERSION}"
CONTENT: Final = frozenset(row.name for row in a.OURS if row.content)
OF_NODE: Final = (a.FLEX_NODE_ID, a.FLEX_CAPABILITY_ID, a.FLEX_FACET_PROVENANCE)
ENDS_OF_RUNS: Final = frozenset(end.event.name for end in RUN.ends)
ASKED_EVERY_NS: Final = 1_000_000_000
NUMBERS: Final[Mapping[Severity, SeverityNumber]] = MappingProxyType(
    {"INFO": SeverityNumber.INFO, "WARN": SeverityNumber.WARN, "ERROR": SeverityNumber.ERROR}
)


class Record(LogRecord):
    """A log record that knows how it is copied: the SDK copies each one, and without that copying costs like a span."""

    def __copy__(self) -> Record:
        twin = object.__new__(type(self))
        twin.__dict__ = self.__dict__.copy()
        return twin


RECORD: Final[type[LogRecord]] = Record if LogRecord.__dictoffset__ else LogRecord  # a slot would not be copied


class Row:
    """What is the same in all records of an event type.

    ``names`` are the attributes that are shown, ``severity`` is None where it depends on the fact.
    ``ask_again_ns`` is the wall clock time until which the SDK is known to want such records.
    """

    __slots__ = ("ask_again_ns", "body", "event_name", "names", "severity", "status", "type")

    def __init__(self, event: EventType, *, content: bool) -> None:
        self.type = event.name
        self.event_name = event.event_name
        self.body = event.log_name
        self.names = (*OF_NODE, *(name for name in event.attributes if content or name not in CONTENT))
        self.status = a.FLEX_RUN_STATUS if event.name in ENDS_OF_RUNS else a.FLEX_OUTCOME
        self.severity = None if event in GRADED else event.severity
        self.ask_again_ns = 0


class Logs(Signal):
    """The logs signal. Without a provider it uses OpenTelemetry's global one, also when that is set later.

    Whether a record is wanted is asked before it is made. A "yes" holds for a second for all facts of the type, since
    asking costs as much as a quarter of a record, and a processor that changes its mind still drops what it gets.
    """

    name = "logs"

    def __init__(self, provider: LoggerProvider | None = None, capture: Capture | None = None) -> None:
        content = capture is not None and capture.events
        self._provider = provider
        self._rows = {event.name: Row(event, content=content) for event in EVENTS}
        self._deaf: LoggerProvider | None = None  # a provider that leads nowhere, so that it is asked only once
        self._logger: Logger | None = None
        self._enabled: Callable[..., bool] = _always

    def listening(self) -> bool:
        """Whether an SDK would see the records."""
        return (self._logger or self._find()) is not None

    def happened(self, fact: Fact) -> None:
        """Emit the fact as a log record in the trace context of its operation."""
        logger = self._logger or self._find()
        if logger is None:
            return
        row, operation = self._rows[fact.type.name], fact.operation
        severity = row.severity or fact.severity
        trace = operation.trace if operation is not None else None
        context = trace.context if trace is not None else None
        if fact.time_ns >= row.ask_again_ns and not self._asks(row, fact, severity, context):
            return
        record = RECORD(  # made here: given to `emit` as keywords, they are handed on twice before one is made
            timestamp=fact.time_ns,
            context=context,
            severity_number=NUMBERS[severity],
            severity_text=severity,
            body=row.body,
            attributes=_attributes(fact, row),  # type: ignore[arg-type]  # cleaned by the recorder
            event_name=row.event_name,
        )
        logger.emit(record)

    def _asks(self, row: Row, fact: Fact, severity: Severity, context: Any) -> bool:
        number = NUMBERS[severity]
        is_wanted = self._enabled(context=context, severity_number=number, event_name=row.event_name)
        if is_wanted and row.severity is not None:
            row.ask_again_ns = fact.time_ns + ASKED_EVERY_NS
        return is_wanted

    def _find(self) -> Logger | None:
        """Return the SDK's logger, and keep it; None while the API stands alone."""
        provider = self._provider or get_logger_provider()
        if provider is self._deaf:
            return None
        logger = get_logger(SCOPE, __version__, provider, SCHEMA_URL)
        # The proxy that the API puts in place of an SDK has no public name; its logger accepts all and drops it.
        if isinstance(logger, NoOpLogger) or type(provider).__module__ == LoggerProvider.__module__:
            self._deaf = provider
            return None
        self._enabled = getattr(logger, "enabled", _always)  # since opentelemetry-api 1.45
        self._logger = logger
        return logger


def _always(**_: object) -> bool:
    return True


def _attributes(fact: Fact, row: Row) -> dict[str, object]:
    """Return the envelope and the payload; None is left out everywhere."""
    run, own, operation = fact.run, fact.attributes, fact.operation
    values = (run.envelope or _envelope(run)).copy()
    values[a.FLEX_EVENT_TYPE] = row.type
    if run.plan_version is not None:
        values[a.FLEX_PLAN_VERSION] = run.plan_version
    if fact.status is not None:
        values[row.status] = fact.status
    if fact.duration_ns is not None:
        values[a.FLEX_DURATION_MS] = fact.duration_ns // 1000 / 1000
    node = operation
    if operation is not None and operation.kind is not NODE:
        node = operation.node_around
    if node is not None and node.attributes is not own:
        own = {name: node.attributes[name] for name in OF_NODE if name in node.attributes} | dict(own)
    for name in row.names:
        if name in own:
            values[name] = own[name]
    return values


def _envelope(run: Run) -> dict[str, object]:
    """Return what stays the same for all records of a run."""
    known = {
        a.FLEX_RUN_ID: run.id,
        a.FLEX_CORRELATION_ID: run.correlation_id,
        a.FLEX_RUNTIME: run.runtime,
        a.FLEX_WORK_ORDER_ID: run.work_order_id,
        a.FLEX_CHANNEL: run.channel,
    }
    run.envelope = {name: value for name, value in known.items() if value is not None}
    return run.envelope
