"""Facts as OpenTelemetry log records; must not know spans, metrics, the feed, nor the standard logging library."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from opentelemetry._logs import Logger, LoggerProvider, NoOpLogger, SeverityNumber, get_logger, get_logger_provider

from otel_agents.content import Capture
from otel_agents.operation import Fact, Signal
from otel_agents.semconv import agents as a
from otel_agents.semconv import gen_ai as g
from otel_agents.semconv.events import EVENTS
from otel_agents.semconv.kinds import RUN
from otel_agents.semconv.model import EventType, Severity
from otel_agents.version import __version__

SCOPE: Final = "otel_agents"
SCHEMA_URL: Final = f"https://opentelemetry.io/schemas/{g.VERSION}"
CONTENT: Final = frozenset(row.name for row in a.OURS if row.content)
OF_NODE: Final = (a.FLEX_NODE_ID, a.FLEX_CAPABILITY_ID, a.FLEX_FACET_PROVENANCE)
ENDS_OF_RUNS: Final = frozenset(end.event.name for end in RUN.ends)
NOTHING: Final[Mapping[str, object]] = MappingProxyType({})
NUMBERS: Final[Mapping[Severity, SeverityNumber]] = MappingProxyType(
    {"INFO": SeverityNumber.INFO, "WARN": SeverityNumber.WARN, "ERROR": SeverityNumber.ERROR}
)


class Row(NamedTuple):
    """What is the same in all records of an event type; ``names`` are the attributes of its payload that are shown."""

    event_name: str
    body: str
    names: tuple[str, ...]
    status: str

    @classmethod
    def of(cls, event: EventType, *, content: bool) -> Row:
        """Read the row from the vocabulary."""
        names = tuple(name for name in event.attributes if content or name not in CONTENT)
        status = a.FLEX_RUN_STATUS if event.name in ENDS_OF_RUNS else a.FLEX_OUTCOME
        return cls(event.event_name, event.log_name, names, status)


class Logs(Signal):
    """The logs signal. Without a provider it uses OpenTelemetry's global one, also when that is set later."""

    name = "logs"

    def __init__(self, provider: LoggerProvider | None = None, capture: Capture | None = None) -> None:
        content = capture is not None and capture.events
        self._provider = provider
        self._rows = {event.name: Row.of(event, content=content) for event in EVENTS}
        self._deaf: LoggerProvider | None = None  # a provider that leads nowhere, so that it is asked only once
        self._logger: Logger | None = None
        self._enabled: Callable[..., bool] | None = None

    def listening(self) -> bool:
        """Whether an SDK would see the records."""
        return (self._logger or self._find()) is not None

    def happened(self, fact: Fact) -> None:
        """Emit the fact as a log record in the trace context of its operation."""
        logger = self._logger or self._find()
        if logger is None:
            return
        row, severity, operation = self._rows[fact.type.name], fact.severity, fact.operation
        number = NUMBERS[severity]
        context = operation.trace.context if operation is not None and operation.trace is not None else None
        if self._enabled is not None and not self._enabled(
            context=context, severity_number=number, event_name=row.event_name
        ):
            return
        logger.emit(  # type: ignore[call-overload]  # an opaque context, and attributes cleaned by the recorder
            timestamp=fact.time_ns,
            context=context,
            severity_number=number,
            severity_text=severity,
            body=row.body,
            attributes=_attributes(fact, row),
            event_name=row.event_name,
        )

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
        self._enabled = getattr(logger, "enabled", None)  # since opentelemetry-api 1.45
        self._logger = logger
        return logger


def _attributes(fact: Fact, row: Row) -> dict[str, object]:
    """Return the envelope and the payload; None is left out everywhere."""
    run, own, operation = fact.run, fact.attributes, fact.operation
    values: dict[str, object] = {
        a.FLEX_EVENT_TYPE: fact.type.name,
        a.FLEX_RUN_ID: run.id,
        a.FLEX_CORRELATION_ID: run.correlation_id,
        a.FLEX_RUNTIME: run.runtime,
    }
    if run.work_order_id is not None:
        values[a.FLEX_WORK_ORDER_ID] = run.work_order_id
    if run.channel is not None:
        values[a.FLEX_CHANNEL] = run.channel
    if run.plan_version is not None:
        values[a.FLEX_PLAN_VERSION] = run.plan_version
    # Written out, though a fact knows it: three properties would cost as much as all the rest.
    node = operation.node.attributes if operation is not None and operation.node is not None else NOTHING
    for name in OF_NODE:
        value = own.get(name)
        if value is None:
            value = node.get(name)
        if value is not None:
            values[name] = value
    if fact.status is not None:
        values[row.status] = fact.status
    if fact.duration_ns is not None:
        values[a.FLEX_DURATION_MS] = fact.duration_ms
    for name in row.names:
        value = own.get(name)
        if value is not None:
            values[name] = value
    return values
