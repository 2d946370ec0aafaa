"""The manual API: every kind as context manager and decorator, facts recorded afterwards; must not know adapters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Final, TypeVar

from otel_agents import guard, pipeline, questions
from otel_agents.bus.event import Event
from otel_agents.operation import PAUSED, Identity, Operation, current, log_fields, set_log_fields
from otel_agents.patching.calls import wrap
from otel_agents.patching.table import Call, Patch, Start
from otel_agents.recorder import RECORDER, Entered
from otel_agents.semconv import agents as a
from otel_agents.semconv import kinds as k
from otel_agents.semconv.agents import attribute
from otel_agents.semconv.model import Kind

Host = TypeVar("Host", bound=Callable[..., Any])
MANUAL: Final = "manual"


def keywords(kind: Kind) -> Mapping[str, str]:
    """Return the keywords that an operation of this kind takes, and the attribute that each one sets."""
    events = [end.event for end in kind.ends] + ([kind.starts] if kind.starts else [])
    names = [*kind.at_start, *kind.at_end, *(name for event in events for name in event.attributes)]
    rows = {name: attribute(name) for name in names}
    return {row.keyword: name for name, row in rows.items() if row is not None and row.field}


KEYWORDS: Final = {kind.name: keywords(kind) for kind in k.KINDS}


class Handle:
    """What a ``with`` block gets. It does nothing when nobody listens; inside a joined run it speaks for that run."""

    __slots__ = ("_key", "_operation", "outcome")

    def __init__(self, operation: Operation | None, key: str = "") -> None:
        self._operation = operation
        self._key = key
        self.outcome = ""  # how the operation ends, if not as the block tells: "paused", "error", ...

    @property
    def run_id(self) -> str:
        """Id of the run, "" when nobody listens."""
        return self._operation.run.id if self._operation is not None else ""

    @property
    def correlation_id(self) -> str:
        """Correlation id of the run, "" when nobody listens."""
        return self._operation.run.correlation_id if self._operation is not None else ""

    def set(self, attributes: Mapping[str, object] | None = None, **fields: object) -> None:
        """Set attributes: by full name in ``attributes``, or as keywords, the payload fields in snake_case.

        A keyword that the kind does not have is ignored and counted; nothing here raises.
        """
        if self._operation is not None:
            guard.run("api.set", self._set, self._operation, attributes or {}, fields)

    def ask(self, request_id: str, *, origin: str = "", node_id: str = "") -> None:
        """Ask a human: the run ends as paused unless it is answered before. A run with ``thread_id`` is found again."""
        if self._operation is not None:
            guard.run("api.ask", self._ask, self._operation, request_id, origin, node_id)

    def answer(self, request_id: str, decision: str) -> None:
        """Tell the human's decision: approved, edited, rejected, responded or expired."""
        if self._operation is not None:
            guard.run("api.answer", self._answer, self._operation, request_id, decision)

    def _set(self, operation: Operation, attributes: Mapping[str, object], fields: Mapping[str, object]) -> None:
        known = KEYWORDS[operation.kind.name]
        values = dict(attributes)
        values.update((known[name], value) for name, value in fields.items() if name in known)
        RECORDER.set(operation, values)
        unknown = fields.keys() - known.keys()
        if unknown:
            raise TypeError(f"{operation.kind.name} has no {sorted(unknown)}; it has {sorted(known)}")

    def _ask(self, operation: Operation, request_id: str, origin: str, node_id: str) -> None:
        questions.ask(operation, self._key, request_id, origin=origin, node_id=node_id)
        self.outcome = PAUSED

    def _answer(self, operation: Operation, request_id: str, decision: str) -> None:
        questions.answer(self._key, request_id, decision, operation=operation)
        if not any(pause.run_id == operation.run.id for pause in RECORDER.pauses.find(self._key)):
            self.outcome = ""


class Scope:
    """One operation to be: a context manager (``with`` and ``async with``) and a decorator.

    As decorator it takes functions, coroutine functions, generators and async generators; each call is one operation.
    """

    def __init__(
        self,
        kind: Kind,
        subject: str = "",
        fields: Mapping[str, object] | None = None,
        identity: Identity | None = None,
    ) -> None:
        self._kind = kind
        self._subject = subject
        self._fields = {name: value for name, value in (fields or {}).items() if value is not None}
        self._identity = identity
        self._entered: Entered | None = None
        self._operation: Operation | None = None
        self._handle = Handle(None)

    def __enter__(self) -> Handle:
        guard.run("api.enter", self._enter)
        return self._handle

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        guard.run("api.exit", self._exit, error)

    async def __aenter__(self) -> Handle:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)

    def __call__(self, function: Host) -> Host:
        """Make every call of the function an operation."""
        patch = Patch(
            target=f"{getattr(function, '__module__', '')}:{getattr(function, '__qualname__', '')}",
            kind=self._kind,
            why="The program asks for it.",
            before=self._before,
        )
        return wrap(function, patch, MANUAL)

    def _before(self, call: Call) -> Start | None:
        pipeline.ensure()
        identity, links = self._resume()
        return Start(self._subject, self._values(), identity=identity, links=links)

    def _enter(self) -> None:
        pipeline.ensure()
        identity, links = self._resume()
        if identity is not None:
            self._operation = RECORDER.start_run(self._subject, identity, self._values(), links=links)
        else:
            self._operation = RECORDER.start(self._kind, self._subject, self._values(), runtime=MANUAL)
        if self._operation is not None:
            self._entered = RECORDER.enter(self._operation)
            self._handle = Handle(self._operation, self._key)
        elif identity is not None and (around := current()) is not None:
            self._handle = Handle(around.run.operation, self._key)  # joined

    def _exit(self, error: BaseException | None) -> None:
        operation, self._operation = self._operation, None
        if operation is None or self._entered is None:
            return
        RECORDER.leave(operation, self._entered)
        RECORDER.end(operation, error, self._handle.outcome if error is None else "")

    @property
    def _key(self) -> str:
        thread = self._fields.get("thread_id")
        return f"{MANUAL}:{thread}" if thread else ""

    def _values(self) -> dict[str, object]:
        known = KEYWORDS[self._kind.name]
        return {known.get(name, name): value for name, value in self._fields.items()}

    def _resume(self) -> tuple[Identity | None, tuple[str, ...]]:
        """Return who the run is: itself again when it waits under its key."""
        identity = self._identity
        if identity is None or not self._key:
            return identity, ()
        waiting = guard.run("pauses.find", RECORDER.pauses.find, self._key)
        if not waiting:
            return identity, ()
        first = waiting[0]
        self._fields["resumed"] = True
        again = Identity(
            identity.runtime,
            first.run_id,
            first.correlation_id,
            identity.work_order_id,
            identity.session_id,
            identity.channel,
            first.plan_version,
        )
        return again, tuple({pause.traceparent: None for pause in waiting if pause.traceparent})


def run(
    name: str,
    *,
    runtime: str = MANUAL,
    run_id: str = "",
    correlation_id: str = "",
    work_order_id: str | None = None,
    session_id: str | None = None,
    channel: str | None = None,
    plan_version: int | None = None,
    thread_id: str | None = None,
    strategy: str | None = None,
    max_iterations: int | None = None,
    goal: str | None = None,
) -> Scope:
    """A run. Inside an open run of the same ``runtime`` it is that run; inside another it is its child.

    ``thread_id`` is the key under which a paused run is found again, by this process or, with a shared
    ``OTEL_AGENTS_PAUSE_STORE``, by another: the resumed run keeps its id and links to the paused one.
    """
    identity = Identity(runtime, run_id, correlation_id, work_order_id, session_id, channel, plan_version)
    fields = {"thread_id": thread_id, "strategy": strategy, "max_iterations": max_iterations, "goal": goal}
    return Scope(k.RUN, name, fields, identity)


def plan(*, phase: str = "initial", attempt: int = 1) -> Scope:
    """A planner makes (``initial``) or changes (``replan``, ``resume``) a plan; attempts count from 1.

    Set ``version`` and ``node_count`` when it is accepted, ``previous_version`` and ``trigger`` when it replaces one,
    ``diagnostic_count`` and ``codes`` when it is rejected.
    """
    return Scope(k.PLAN, "", {"phase": phase, "attempt": attempt})


def node(
    capability: str,
    *,
    node_id: str | None = None,
    kind: str = "step",
    label: str | None = None,
    facet_provenance: Mapping[str, object] | None = None,
) -> Scope:
    """A node is executed with all its attempts; ``kind`` is agent, tool or step."""
    fields = {a.FLEX_NODE_ID: node_id or capability, "kind": kind, "label": label}
    return Scope(k.NODE, capability, {**fields, a.FLEX_FACET_PROVENANCE: facet_provenance})


def policy(policy_id: str, *, trigger: str | None = None, action: str | None = None) -> Scope:
    """A policy looks at the run; it triggered when an ``action`` is named, here or later by ``set``."""
    return Scope(k.POLICY, policy_id, {"trigger": trigger, "action": action})


def hitl(request_id: str, *, origin: str | None = None, pending_node_id: str | None = None) -> Scope:
    """Code blocks until a human answers; set ``decision`` and, if it was measured elsewhere, ``wait_ms``."""
    return Scope(k.HITL, "", {"request_id": request_id, "origin": origin, "pending_node_id": pending_node_id})


def validation(scope: str, *, attempt: int = 1) -> Scope:
    """An input, an output or the final answer is validated (``scope``: input, output, final); set ``error_count``."""
    return Scope(k.VALIDATION, "", {"scope": scope, "attempt": attempt})


def iteration(number: int, *, max_iterations: int | None = None, feedback: str | None = None) -> Scope:
    """One iteration of a converging run, from 1; set ``success``, ``phase_timings`` (ms by phase), ``gate_results``."""
    return Scope(k.ITERATION, "", {"iteration": number, "max_iterations": max_iterations, "feedback": feedback})


def phase(name: str, *, iteration: int | None = None) -> Scope:
    """One phase of an iteration; set ``success``."""
    return Scope(k.PHASE, name, {"iteration": iteration})


def gate(name: str, *, iteration: int | None = None) -> Scope:
    """A gate is checked; set ``passed``."""
    return Scope(k.GATE, name, {"iteration": iteration})


def delivery() -> Scope:
    """The result is delivered; set ``success``, ``pr_url``, ``ci_status``."""
    return Scope(k.DELIVERY)


def handoff(from_agent: str, to_agent: str) -> Scope:
    """Work is handed from one agent to another, for as long as the block takes."""
    return Scope(k.HANDOFF, to_agent, {"from_agent": from_agent})


def decision(agent: str, decision_type: str) -> Scope:
    """An agent decides."""
    return Scope(k.DECISION, decision_type, {"agent": agent})


def context_refresh(agent: str) -> Scope:
    """An agent's context is refreshed; set ``items``, ``tokens`` and ``limit``."""
    return Scope(k.CONTEXT_REFRESH, "", {"agent": agent})


def state_save() -> Scope:
    """The orchestrator's state is saved; set ``size_bytes``."""
    return Scope(k.STATE_SAVE)


def state_load() -> Scope:
    """The orchestrator's state is loaded."""
    return Scope(k.STATE_LOAD)


@contextmanager
def log_context(**fields: object) -> Iterator[None]:
    """Add fields to the application's log lines written inside the block, in this task and what it starts."""
    before = log_fields()
    mine = {**(before or {}), **fields}
    set_log_fields(mine)
    try:
        yield
    finally:
        if log_fields() is mine:  # a generator may be closed where something else is current
            set_log_fields(before)


def subscribe(
    listener: Callable[[Event], None],
    types: Iterable[str] | None = None,
    lifecycle: bool = False,  # noqa: FBT001, FBT002  # the contract's signature
) -> Callable[[], None]:
    """Have ``listener`` called with each event, in another thread; returns what ends it.

    ``types`` narrows to event types, ``lifecycle`` to the planner and policy families. A listener that raises is
    dropped; one that is slow misses the oldest events, which is counted.
    """
    return pipeline.ensure().hub.subscribe(listener, types=types, lifecycle=lifecycle)


def health() -> dict[str, object]:
    """Return how telemetry is doing: status, signals that are heard, patch points, dropped events, own errors."""
    return pipeline.ensure().health()
