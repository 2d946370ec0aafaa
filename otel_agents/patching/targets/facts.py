"""Makes a declared fact or handoff into a row of an adapter: a tap that tells it; must not know signals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final
from weakref import WeakKeyDictionary

from otel_agents import cancels
from otel_agents.lineage import current_open, own
from otel_agents.operation import Identity, Operation, outcome_of
from otel_agents.patching.table import Call, Patch
from otel_agents.patching.targets import pausing
from otel_agents.patching.targets.paths import Scope
from otel_agents.patching.targets.refusing import refusal
from otel_agents.patching.targets.row import Row
from otel_agents.patching.targets.values import Reader
from otel_agents.recorder import RECORDER
from otel_agents.semconv import agents as a
from otel_agents.semconv import events as e

SEVERITY: Final = "error"
_wished_ns: Final[WeakKeyDictionary[Operation, int]] = WeakKeyDictionary()


class Notice:
    """What is told of each call of a declared fact: before it, unless its values are known only when it has ended."""

    def __init__(self, row: Row) -> None:
        self.row = row
        self.read = Reader(row.source)
        self.roots = frozenset().union(*(value.roots for value in row.values().values()))

    def patch(self) -> Patch:
        """Return the row of the adapter."""
        row = self.row
        is_late = bool(row.after) or "result" in self.roots
        step: dict[str, Any] = {"failed": self.failed}
        if "error" not in self.roots:
            step = {"after": self.after} if is_late else {"before": self.before, "failed": self.undone}
        why = f"Declared in {row.source}."
        return Patch(
            row.target, None, why, **step, shape=row.shape, source=row.source, told=row.declared.name,
            runtime=row.runtime, refuses=refusal,
        )  # fmt: skip

    def before(self, call: Call) -> None:
        """The method is called."""
        call.state = self._tell(Scope(call))

    def after(self, operation: None, call: Call, result: Any) -> None:
        """The method returned."""
        self._tell(Scope(call, result))

    def failed(self, operation: None, call: Call, error: BaseException) -> None:
        """The method raised."""
        self._tell(Scope(call, error=error))

    def undone(self, operation: None, call: Call, error: BaseException) -> None:
        """The method raised after it was told: a handoff then does not take place."""
        handoff = call.state
        if isinstance(handoff, Operation) and handoff in handoff.run.handoffs:
            handoff.run.handoffs.remove(handoff)
            RECORDER.end(handoff, outcome=outcome_of(error))

    def _tell(self, scope: Scope) -> Operation | None:
        row = self.row
        if row.when is not None and not self.read.is_true(row.when, scope):
            return None
        values = self.read.all({**row.before, **row.after}, scope)
        if any(name not in values for name in row.declared.needs):
            return None  # counted where the value was read
        return TELL.get(row.declared.name, _fact)(self, values, scope)

    def runtime_and_id(self, scope: Scope) -> tuple[str, str]:
        """Return which run it is about, if a row says so."""
        return self.row.runtime, self.read.text(self.row.run_id, scope)


Tell = Callable[[Notice, dict[str, object], Scope], Operation | None]


def _fact(notice: Notice, values: dict[str, object], scope: Scope) -> None:
    """Tell it in what is current, else in a nameless run."""
    runtime, run_id = notice.runtime_and_id(scope)
    correlation_id = notice.read.text(notice.row.correlation_id, scope)
    event = notice.row.declared.event
    if event is not None:
        inside = _run(runtime, run_id) if run_id else current_open()
        identity = None if inside is not None else Identity(runtime, run_id, correlation_id)
        RECORDER.fact(event, values, operation=inside, identity=identity)


def _handoff(notice: Notice, values: dict[str, object], scope: Scope) -> Operation | None:
    """It lasts until the target starts: told when it was asked for."""
    RECORDER.start_handoff(str(values[a.YOLO_FROM_AGENT]), str(values[a.YOLO_TO_AGENT]))
    inside = current_open()
    waiting = inside.run.handoffs if inside is not None else []
    return waiting[-1] if waiting else None


def _retry(notice: Notice, values: dict[str, object], scope: Scope) -> None:
    """An attempt failed and is made again: both are told, and the node is at its next attempt."""
    inside = current_open()
    node = inside.node if inside is not None else None
    known = node.attributes.get(a.FLEX_NODE_ATTEMPT) if node is not None else None
    attempt = values.setdefault(a.FLEX_NODE_ATTEMPT, known if isinstance(known, int) else 1)
    identity = Identity(notice.row.runtime) if inside is None else None
    for event in (e.NODE_ERROR, e.NODE_RETRY):
        RECORDER.fact(event, values, operation=node, identity=identity)
    if node is not None and isinstance(attempt, int):
        node.put(a.FLEX_NODE_ATTEMPT, attempt + 1)


def _ask(notice: Notice, values: dict[str, object], scope: Scope) -> None:
    pausing.ask(values, notice.row.runtime)


def _answer(notice: Notice, values: dict[str, object], scope: Scope) -> None:
    pausing.answer(values, *notice.runtime_and_id(scope))


def _wish(notice: Notice, values: dict[str, object], scope: Scope) -> None:
    """Somebody wants a run to stop: the one that is named, else the one around."""
    runtime, run_id = notice.runtime_and_id(scope)
    inside = current_open()
    run = _run(runtime, run_id) if run_id else inside.run.operation if inside is not None else None
    if run is not None:
        _wished_ns.setdefault(run, RECORDER.clock_ns())
        cancels.wish_of(run, str(values[a.FLEX_CANCEL_SOURCE]))


def _obeyed(notice: Notice, values: dict[str, object], scope: Scope) -> None:
    """The run stops: with the time since the wish, if that was told."""
    inside = current_open()
    run = inside.run.operation if inside is not None else None
    if run is None:
        return
    if run in _wished_ns:
        values.setdefault(a.FLEX_CANCEL_LATENCY_MS, (RECORDER.clock_ns() - _wished_ns[run]) / 1e6)
    RECORDER.fact(e.CANCEL_ACKNOWLEDGED, values)


def _error(notice: Notice, values: dict[str, object], scope: Scope) -> None:
    _fact(notice, {a.YOLO_ERROR_SEVERITY: SEVERITY, **values}, scope)


def _run(runtime: str, run_id: str) -> Operation | None:
    """Return a run that goes on now, in whatever thread or task."""
    runs = (each for each in own(RECORDER.open) if each.run.runtime == runtime and each.run.id == run_id)
    return next(runs, None)


TELL: Final[Mapping[str, Tell]] = {
    "handoff": _handoff,
    "node_retry": _retry,
    "hitl_request": _ask,
    "hitl_resolved": _answer,
    "cancel_requested": _wish,
    "cancel_acknowledged": _obeyed,
    "agent_error": _error,
}
