"""Facts as lines on the standard logger `otel_agents.events`, only when asked for; must not know the other signals."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, Literal

from otel_agents.bus.event import Event, to_json
from otel_agents.operation import Fact, Signal
from otel_agents.semconv.model import Severity

Mode = Literal["stderr", "propagate"]
Handle = Callable[[logging.Handler, logging.LogRecord], "bool | logging.LogRecord"]

LOGGER: Final = "otel_agents.events"
LEVELS: Final[Mapping[Severity, int]] = MappingProxyType(
    {"INFO": logging.INFO, "WARN": logging.WARNING, "ERROR": logging.ERROR}
)
NAMES: Final = {logging.INFO: "INFO", logging.WARNING: "WARNING", logging.ERROR: "ERROR"}  # a host may rename them
# Where OpenTelemetry keeps the handlers that export log lines; each module has a class `LoggingHandler`.
EXPORTERS: Final = ("opentelemetry.instrumentation.logging.handler", "opentelemetry.sdk._logs")
PLACE: Final = "handle"
UNREADABLE: Final = frozenset({"eventType", "traceId", "spanId", "payload"})  # said by the name, or for machines only
QUOTED: Final = frozenset("\"'=\\ ")


class EventLog(Signal):
    """Writes every fact as one line, from `level` (a number of the standard library) upwards.

    With `stderr` the lines go there, and nowhere else; with `propagate` they go to the host's handlers, as records
    that have the fields as attributes, and OpenTelemetry's own handlers leave them out: the logs signal exports the
    same events. `event_of` puts a fact into the envelope.
    """

    name = "event_log"

    def __init__(
        self, mode: Mode, event_of: Callable[[Fact], Event], *, as_json: bool = False, level: int = logging.INFO
    ) -> None:
        self._event_of = event_of
        self._line = json_line if as_json else readable_line
        self._level = level
        self._logger = logging.getLogger(LOGGER)
        self._stderr = Stderr(as_json=as_json) if mode == "stderr" else None
        self._shield = Shield()
        self._propagated = True

    def listening(self) -> bool:
        """Somebody asked for the lines."""
        return True

    def open(self) -> None:
        """Attach to the logger; a second call does nothing."""
        if self._stderr is not None and self._stderr not in self._logger.handlers:
            self._propagated, self._logger.propagate = self._logger.propagate, False
            self._logger.addHandler(self._stderr)

    def close(self) -> None:
        """Leave the logger, and OpenTelemetry's handlers, as they were."""
        self._shield.lower()
        if self._stderr is not None and self._stderr in self._logger.handlers:
            self._logger.removeHandler(self._stderr)
            self._logger.propagate = self._propagated

    def happened(self, fact: Fact) -> None:
        """Write the fact."""
        level, logger = LEVELS[fact.severity], self._logger
        if level < max(self._level, logger.level, logger.manager.disable + 1):
            return
        self._shield.lift()
        record = self._record(fact, level)
        # Not `handle`: `dictConfig` switches off all loggers that it does not name, unless told otherwise, and whoever
        # asked for these lines did not mean that.
        passed: object = logger.filter(record)  # from Python 3.12 on, a filter may put another record in its place
        if passed:
            logger.callHandlers(passed if isinstance(passed, logging.LogRecord) else record)

    def _record(self, fact: Fact, level: int) -> logging.LogRecord:
        event = self._event_of(fact)
        fields = fields_of(event)
        line = self._line(NAMES[level], fact.type.log_name, event, fields)
        record = self._logger.makeRecord(LOGGER, level, __file__, 0, line, (), None)
        record.created = event.timestamp_ns / 1_000_000_000
        record.msecs = event.timestamp_ns // 1_000_000 % 1000
        record.__dict__.update(fields, timestamp=event.timestamp, runtime=event.runtime)
        return record


class Stderr(logging.Handler):
    """Writes lines to whatever is stderr at that moment."""

    def __init__(self, *, as_json: bool) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("%(message)s" if as_json else "%(timestamp)s %(levelname)-7s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line in one call; what fails is counted by whoever told us of the fact."""
        if sys.stderr is not None:
            sys.stderr.write(self.format(record) + "\n")
            sys.stderr.flush()


class Shield:
    """Has OpenTelemetry's log handlers pass over our lines, without touching a handler or its configuration.

    It stands before `handle` of their classes: so it covers handlers that come later, and those behind a queue.
    """

    def __init__(self) -> None:
        self._standing: dict[type[logging.Handler], tuple[Handle, Handle | None]] = {}

    def lift(self) -> None:
        """Cover the classes that are imported by now."""
        for path in EXPORTERS:
            cls: type[logging.Handler] | None = getattr(sys.modules.get(path), "LoggingHandler", None)
            if cls is not None and cls not in self._standing:
                before = vars(cls).get(PLACE)
                self._standing[cls] = (self._made(cls, before), before)
                setattr(cls, PLACE, self._standing[cls][0])

    def lower(self) -> None:
        """Leave the classes as they were; where somebody else put something around us, what is ours does nothing."""
        standing, self._standing = self._standing, {}
        for cls, (ours, before) in standing.items():
            if vars(cls).get(PLACE) is not ours:
                continue
            if before is None:
                delattr(cls, PLACE)
            else:
                setattr(cls, PLACE, before)

    def _made(self, cls: type[logging.Handler], before: Handle | None) -> Handle:
        def handle(self_: logging.Handler, record: logging.LogRecord) -> bool | logging.LogRecord:
            if record.name == LOGGER and cls in self._standing:
                return False
            if before is not None:
                return before(self_, record)
            return super(cls, self_).handle(record)  # type: ignore[misc, no-any-return]

        return handle


def fields_of(event: Event) -> dict[str, object]:
    """Return the event's fields by their names in a line; all of them, unknown ones as None."""
    return {
        "eventType": event.type,
        "runId": event.run_id,
        "correlationId": event.correlation_id,
        "workOrderId": event.work_order_id,
        "planVersion": event.plan_version,
        "nodeId": event.node_id,
        "capabilityId": event.capability_id,
        "facetProvenance": event.facet_provenance,
        "status": event.status,
        "durationMs": event.duration_ms,
        "traceId": event.trace_id,
        "spanId": event.span_id,
        "payload": dict(event.payload),
    }


def json_line(level: str, message: str, event: Event, fields: Mapping[str, object]) -> str:
    """Return one JSON object on one line of ASCII; always with all fields, unknown ones as null."""
    head = {"level": level, "timestamp": event.timestamp, "message": message, "module": event.runtime}
    return to_json({**head, **fields})


def readable_line(level: str, message: str, event: Event, fields: Mapping[str, object]) -> str:
    """Return `flex_node_complete runtime=langgraph runId=7f nodeId=draft status=ok durationMs=12.5 kind=agent`."""
    shown = {"runtime": event.runtime} | {name: fields[name] for name in fields if name not in UNREADABLE}
    if event.correlation_id == event.run_id:
        del shown["correlationId"]
    pairs = (f"{name}={_word(value)}" for name, value in (shown | dict(event.payload)).items() if value is not None)
    return " ".join((message, *pairs))


def _word(value: object) -> str:
    """Return a value as one word that cannot be taken for two, for another field, or for a line of its own."""
    if not isinstance(value, str):
        return json.dumps(value, separators=(",", ":"))
    if value and value.isprintable() and QUOTED.isdisjoint(value):
        return value
    return json.dumps(value, ensure_ascii=not value.isprintable())
