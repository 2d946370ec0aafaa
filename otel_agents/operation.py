"""What happens in a program: runs, operations, facts, and which operation is current; knows no OpenTelemetry."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol

from otel_agents.content import name_of
from otel_agents.failure import Failure
from otel_agents.semconv import agents as a
from otel_agents.semconv import events as e
from otel_agents.semconv.kinds import NODE, RUN
from otel_agents.semconv.model import EventType, Kind, Severity

OK = "ok"
ERROR = "error"
CANCELLED = "cancelled"
PAUSED = "paused"
ABANDONED = "abandoned"

STATUS_OF = {
    OK: "completed", ERROR: "failed", CANCELLED: "cancelled", PAUSED: "awaiting_hitl", ABANDONED: "cancelled"
}  # fmt: skip
_numbers = itertools.count(1)
_first = 1  # number of the first operation of this process
FAILURES_KEPT = 8  # failing children that an operation remembers; more than that fail in parallel only rarely


class Trace(Protocol):
    """Where an operation stands in a distributed trace; kept by the spans signal, opaque to all others."""

    @property
    def trace_id(self) -> str: ...
    @property
    def span_id(self) -> str: ...
    @property
    def traceparent(self) -> str: ...
    @property
    def context(self) -> Any: ...


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a run is. Empty strings are filled in when the run starts."""

    runtime: str = "manual"
    run_id: str = ""
    correlation_id: str = ""
    work_order_id: str | None = None
    session_id: str | None = None
    channel: str | None = None
    plan_version: int | None = None


class Run:
    """A run while it goes on: its identity, and what its operations add to it."""

    __slots__ = (
        "channel",
        "correlation_id",
        "envelope",
        "handoffs",
        "id",
        "last_handoff",
        "operation",
        "plan_version",
        "progressed",
        "runtime",
        "session_id",
        "touched_ns",
        "work_order_id",
    )

    def __init__(self, identity: Identity) -> None:
        self.id = identity.run_id
        self.correlation_id = identity.correlation_id
        self.runtime = identity.runtime
        self.work_order_id = identity.work_order_id
        self.session_id = identity.session_id
        self.channel = identity.channel
        self.plan_version = identity.plan_version
        self.operation: Operation | None = None  # while it runs
        self.handoffs: list[Operation] = []  # asked for, target not yet started
        self.last_handoff: tuple[object, object] | None = None
        self.progressed = False  # since the last handoff
        self.touched_ns = 0  # monotonic time of the last fact
        self.envelope: dict[str, object] = {}  # what all log records of it say; made and kept by the logs signal

    @property
    def is_open(self) -> bool:
        """Whether the run's own operation runs now."""
        return self.operation is not None


class Operation:
    """One operation, from its start to its one end.

    ``attributes`` holds what is known so far, by semconv name; change it through ``set`` only. ``outcome`` is "" while
    the operation runs. ``started_ns`` is wall clock, ``duration_ns`` is monotonic; both are nanoseconds. ``number`` is
    the operation's own in this process.
    """

    __slots__ = (
        "__weakref__",
        "attributes",
        "began_ns",
        "ceded",
        "duration_ns",
        "error",
        "failures",
        "hands_over",
        "kind",
        "late",
        "links",
        "memory",
        "node_around",
        "number",
        "outcome",
        "parent",
        "run",
        "seen_below",
        "started_ns",
        "subject",
        "tokens",
        "trace",
    )

    def __init__(
        self, kind: Kind, subject: str, run: Run, parent: Operation | None, attributes: dict[str, object]
    ) -> None:
        self.number = next(_numbers)
        self.kind = kind
        self.subject = name_of(subject)
        self.run = run
        self.parent = parent
        self.attributes = attributes
        if kind.subject:
            attributes[kind.subject] = self.subject
        self.late: dict[str, object] | None = None  # set after the start, not yet on the span
        self.links: tuple[str, ...] = ()
        # Of a node nobody asks: it would keep all nodes before it alive where each starts the next in a task.
        self.node_around = None if parent is None or kind is NODE else parent.node
        self.started_ns = self.began_ns = self.duration_ns = 0
        self.outcome = ""
        self.error: BaseException | None = None
        self.seen_below = False  # the error was recorded by an operation inside this one
        self.failures: tuple[Failure, ...] = ()
        self.tokens: tuple[int, int] | None = None
        self.ceded = False  # another instrumentation makes the span
        self.hands_over = False  # a tool that does nothing but hand over: no progress
        self.trace: Trace | None = None
        self.memory: object = None  # what the adapter that started it needs to know of it; nobody else looks

    @property
    def runtime(self) -> str:
        """Who runs it."""
        return self.run.runtime

    @property
    def is_inherited(self) -> bool:
        """Whether it started before this process was forked off: how it ends is told by the process where it began."""
        return self.number < _first

    @property
    def node(self) -> Operation | None:
        """The nearest node: this operation or one around it. Not kept: an operation in a cycle is freed late."""
        return self if self.kind is NODE else self.node_around

    @property
    def status(self) -> str:
        """The status that events carry: the run status for runs, else the outcome."""
        return STATUS_OF[self.outcome] if self.kind is RUN else self.outcome

    def put(self, name: str, value: object) -> None:
        """Set an attribute that is known to be clean; see ``Recorder.set`` for values of the host."""
        self.attributes[name] = value
        if self.late is None:
            self.late = {}
        self.late[name] = value

    def use(self, input_tokens: int, output_tokens: int) -> None:
        """Add model tokens to this operation."""
        before = self.tokens or (0, 0)
        self.tokens = (before[0] + input_tokens, before[1] + output_tokens)

    def saw(self, error: BaseException) -> bool:
        """Whether an operation inside this one already recorded the exception; remembers nothing of it."""
        return any(mark.is_of(error) for mark in self.failures)

    def fail_below(self, error: BaseException) -> None:
        """Remember that an operation inside this one recorded the exception."""
        mark = Failure.of(error)
        if mark not in self.failures:
            self.failures = (*self.failures, mark)[-FAILURES_KEPT:]


@dataclass(slots=True, eq=False)
class Fact:
    """One thing that happened, as signals are told of it. ``attributes`` are read by name, never kept or changed.

    ``given`` is what the host said of a fact without an operation, not cleaned: for the audit, which conceals it.
    """

    type: EventType
    run: Run
    operation: Operation | None
    attributes: Mapping[str, object]
    time_ns: int
    status: str | None = None
    duration_ns: int | None = None
    given: Mapping[str, object] | None = None

    @property
    def duration_ms(self) -> float | None:
        """The duration in milliseconds, to the microsecond."""
        return None if self.duration_ns is None else self.duration_ns // 1000 / 1000

    @property
    def severity(self) -> Severity:
        """How grave it is: by its type, but for a run that failed and an error that has a severity of its own."""
        if self.type is e.AGENT_ERROR:
            return e.SEVERITIES.get(str(self.attributes.get(a.YOLO_ERROR_SEVERITY)).lower(), self.type.severity)
        if self.type is e.COMPLETE:
            status = self.attributes.get(a.FLEX_RUN_STATUS, self.status)
            return "ERROR" if status == STATUS_OF[ERROR] else self.type.severity
        return self.type.severity

    def of_node(self, name: str) -> object:
        """Return what the fact says itself, else what the node says that it happened in; None when neither does."""
        value = self.attributes.get(name)
        if value is None and self.operation is not None and self.operation.node is not None:
            value = self.operation.node.attributes.get(name)
        return value


class Signal:
    """What the recorder tells of operations and facts. A method that a signal does not override is never called."""

    name = ""

    def listening(self) -> bool:
        """Whether anybody would see what this signal makes of an operation; cheap."""
        return False

    def started(self, operation: Operation) -> None:
        """An operation starts."""

    def ended(self, operation: Operation) -> None:
        """An operation ended; called once."""

    def takers(self, event: EventType) -> tuple[Callable[[Fact], None], ...]:
        """Return what to call with each fact of this type; asked once, when the signal is installed."""
        return () if type(self).happened is Signal.happened else (self.happened,)

    def happened(self, fact: Fact) -> None:
        """A fact, the starts and ends of operations among them."""

    def used(self, run: Run, input_tokens: int, output_tokens: int) -> None:
        """A model was called."""

    def enter(self, operation: Operation) -> object:
        """Host code of the operation runs from here; returns what ``leave`` needs."""

    def leave(self, operation: Operation, entered: object) -> None:
        """Host code of the operation stops running, for now or for good."""


_CURRENT: ContextVar[Operation | None] = ContextVar("otel_agents_operation", default=None)
_LOG_FIELDS: ContextVar[Mapping[str, object] | None] = ContextVar("otel_agents_log_fields", default=None)

current = _CURRENT.get
set_current = _CURRENT.set
log_fields = _LOG_FIELDS.get
set_log_fields = _LOG_FIELDS.set


def outcome_of(error: BaseException | None) -> str:
    """Return how an operation ended that let this exception out. Subclasses count; asyncio need not be imported."""
    if error is None:
        return OK
    if isinstance(error, GeneratorExit):
        return ABANDONED
    if isinstance(error, KeyboardInterrupt | SystemExit):
        return CANCELLED
    names = {cls.__name__ for cls in type(error).__mro__}
    return CANCELLED if names & {"CancelledError", "Cancelled"} else ERROR


def _renew() -> None:
    """Tell a forked child which operations are its own."""
    global _first
    _first = next(_numbers)


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_renew)
