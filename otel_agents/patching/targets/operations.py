"""Makes a declared operation into a row of an adapter, with what its kind adds by itself; must not know signals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from otel_agents.operation import CANCELLED, ERROR, OK, PAUSED, Identity, Operation
from otel_agents.patching.table import Call, Patch, Start
from otel_agents.patching.targets import pausing
from otel_agents.patching.targets.paths import Scope
from otel_agents.patching.targets.refusing import refusal
from otel_agents.patching.targets.row import Row
from otel_agents.patching.targets.values import Reader, is_known
from otel_agents.patching.targets.vocabulary import IDENTITY, TOKENS
from otel_agents.patching.watch import is_one_of
from otel_agents.recorder import RECORDER
from otel_agents.semconv import agents as a
from otel_agents.semconv import kinds as k

# What a kind says of itself where a row does not.
FIRST: Final[Mapping[str, Mapping[str, object]]] = {
    "plan": {a.FLEX_PLAN_PHASE: "initial", a.FLEX_PLAN_ATTEMPT: 1},
    "node": {a.FLEX_NODE_KIND: "step", a.FLEX_NODE_ATTEMPT: 1},
    "validation": {a.FLEX_VALIDATION_ATTEMPT: 1},
}
SUCCESS: Final[Mapping[str, str]] = {
    "iteration": a.FLEX_ITERATION_SUCCESS,
    "phase": a.FLEX_PHASE_SUCCESS,
    "delivery": a.FLEX_DELIVERY_SUCCESS,
}


class Declaration:
    """What happens around each call of a declared operation."""

    def __init__(self, row: Row) -> None:
        self.row = row
        self.read = Reader(row.source)

    def patch(self) -> Patch:
        """Return the row of the adapter."""
        row, exceptions = self.row, self.row.outcome.exceptions
        return Patch(
            row.target,
            row.declared.kind,
            f"Declared in {row.source}.",
            before=self.before,
            started=self.started,
            after=self.after,
            failed=self.failed,
            paused=exceptions.get("paused", ()),
            ok=exceptions.get("ok", ()),
            shape=row.shape,
            source=row.source,
            runtime=row.runtime,
            refuses=refusal,
        )

    def before(self, call: Call) -> Start:
        """Read the operation to start."""
        row, scope = self.row, Scope(call)
        kind = row.declared.kind
        values = {**FIRST.get(row.declared.name, {}), **self.read.all(row.before, scope)}
        name = self.read.text(row.name, scope) or call.name if row.declared.subject else ""
        if kind is k.RUN:
            return pausing.run(row.runtime, name, self._identity(scope, values), values)
        if kind is k.NODE:
            values = {a.FLEX_NODE_ID: name, a.FLEX_NODE_LABEL: name, **values}
        if kind is k.HITL and pausing.is_asked(values):
            call.state = values
            return Start(is_tap=True)
        return Start(name, values)

    def started(self, operation: Operation, call: Call) -> None:
        """Remember how a run is found again."""
        if operation.kind is k.RUN:
            pausing.started(operation, declared=self.row.run_id is not None)

    def after(self, operation: Operation | None, call: Call, result: Any) -> str:
        """The call returned."""
        scope = Scope(call, result)
        rules = self.row.outcome
        is_failed, is_paused = self.read.is_true(rules.failed_when, scope), self.read.is_true(rules.paused_when, scope)
        outcome = PAUSED if is_paused else ERROR if is_failed else OK
        self._end(operation, scope, outcome)
        if is_failed and operation is not None and not is_paused:
            self._fail(operation, scope)
        return outcome

    def failed(self, operation: Operation | None, call: Call, error: BaseException) -> str:
        """An exception came out."""
        row, scope = self.row, Scope(call, error=error)
        outcome = CANCELLED if is_one_of(error, row.outcome.exceptions.get("cancelled", ())) else ""
        outcome = outcome or (PAUSED if is_one_of(error, row.outcome.exceptions.get("paused", ())) else "")
        outcome = outcome or (OK if is_one_of(error, row.outcome.exceptions.get("ok", ())) else "")
        self._end(operation, scope, outcome or ERROR)
        return outcome

    def _end(self, operation: Operation | None, scope: Scope, outcome: str) -> None:
        """Set what is known at the end."""
        row = self.row
        values = self.read.known(row.after, scope)
        values |= self._rejected(scope, values)
        if operation is None:
            pausing.answered(scope.call.state, values)
            return
        tokens = [values.pop(name, 0) for name in TOKENS]
        if any(tokens):
            RECORDER.use(*tokens)  # type: ignore[arg-type]
        END.get(row.declared.name, _nothing)(operation, values, scope, outcome)
        RECORDER.set(operation, values)
        if operation.kind is k.HITL and outcome == PAUSED:
            pausing.keep(operation)

    def _rejected(self, scope: Scope, values: Mapping[str, object]) -> dict[str, object]:
        rule, name = self.row.outcome.rejected_when, self.row.declared.rejected
        if rule is None or not is_known(rule, scope):
            return {}
        found = self.read.one(rule, scope)
        is_rejected = self.read.is_true(rule, scope)
        if name == a.FLEX_GATE_PASSED:
            return {name: not is_rejected}
        if not is_rejected:
            return {}
        if name == a.FLEX_HITL_DECISION:
            return {name: "rejected"}
        return {name: values.get(name) or (len(found) if type(found) in (list, tuple, dict, set) else 1)}

    def _fail(self, operation: Operation, scope: Scope) -> None:
        """End as failed what raised nothing, with the exception that it returned, if it did."""
        error = self.read.one(self.row.outcome.failed_when, scope)
        if isinstance(error, BaseException):
            RECORDER.end(operation, error, ERROR)

    def _identity(self, scope: Scope, values: dict[str, object]) -> Identity:
        row = self.row
        order, session, channel, version = (values.pop(name, None) for name in IDENTITY)
        return Identity(
            row.runtime,
            self.read.text(row.run_id, scope),
            self.read.text(row.correlation_id, scope),
            order,  # type: ignore[arg-type]  # made fit by the recorder
            session,  # type: ignore[arg-type]
            channel,  # type: ignore[arg-type]
            version,  # type: ignore[arg-type]
        )


Ending = Callable[[Operation, dict[str, object], Scope, str], None]


def _nothing(operation: Operation, values: dict[str, object], scope: Scope, outcome: str) -> None:
    """Most kinds add nothing."""


def _plan(operation: Operation, values: dict[str, object], scope: Scope, outcome: str) -> None:
    """A plan with diagnostics never comes into force; one without is accepted, and on replan replaces another."""
    if values.get(a.FLEX_PLAN_DIAGNOSTIC_COUNT):
        values.pop(a.FLEX_PLAN_VERSION, None)
        return
    values.pop(a.FLEX_PLAN_DIAGNOSTIC_COUNT, None)
    values.pop(a.FLEX_PLAN_CODES, None)
    known, is_new = operation.run.plan_version, operation.attributes.get(a.FLEX_PLAN_PHASE) == "replan"
    if is_new and known is not None:
        values.setdefault(a.FLEX_PLAN_PREVIOUS_VERSION, known)


def _success(operation: Operation, values: dict[str, object], scope: Scope, outcome: str) -> None:
    """What returns has succeeded, unless the row knows better."""
    values.setdefault(SUCCESS[operation.kind.name], outcome == OK)


def _gate(operation: Operation, values: dict[str, object], scope: Scope, outcome: str) -> None:
    """A gate that returns a flag has said whether it was passed."""
    if isinstance(scope.result, bool):
        values.setdefault(a.FLEX_GATE_PASSED, scope.result)


def _hitl(operation: Operation, values: dict[str, object], scope: Scope, outcome: str) -> None:
    """A question that was answered while the code waited has waited as long as the call took."""
    if a.FLEX_HITL_DECISION in values:
        values.setdefault(a.FLEX_HITL_WAIT_MS, (RECORDER.clock_ns() - operation.began_ns) / 1e6)


END: Final[Mapping[str, Ending]] = {
    "plan": _plan,
    "iteration": _success,
    "phase": _success,
    "delivery": _success,
    "gate": _gate,
    "hitl": _hitl,
}
