"""One declared method, checked: what it is, and where its values are found; must not know what is made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, Protocol

from otel_agents.config.values import Target
from otel_agents.patching.table import Shape
from otel_agents.patching.targets.paths import Absent, Scope, Value
from otel_agents.patching.targets.vocabulary import SHORT, Declared

MANY: Final = 64
_FIELDS: Final = {name: field for field, name in SHORT.items()}


class Readable(Protocol):
    """Something that a row gives a value for."""

    @property
    def roots(self) -> frozenset[str]: ...
    @property
    def arguments(self) -> tuple[str, ...]: ...
    def read(self, scope: Scope) -> Any: ...


@dataclass(frozen=True, slots=True)
class Each:
    """A list: of each entry of ``items``, at most 64, the fields."""

    items: Value
    fields: Mapping[str, Value]

    @property
    def roots(self) -> frozenset[str]:
        """Where its paths start."""
        return self.items.roots.union(*(value.roots - {"each"} for value in self.fields.values()))

    @property
    def arguments(self) -> tuple[str, ...]:
        """The parameters that it reads by name."""
        return self.items.arguments

    def read(self, scope: Scope) -> list[dict[str, object]] | None:
        """Return the entries; raises what paths raise. Only what can be read twice is read at all."""
        items = self.items.read(scope)
        if items is None:
            return None
        if not issubclass(type(items), list | tuple | dict | set | frozenset):
            raise Absent
        entries = dict.values(items) if issubclass(type(items), dict) else items
        scopes = [Scope(scope.call, scope.result, scope.error, each) for each in islice(entries, MANY)]
        return [{name: value.read(inner) for name, value in self.fields.items()} for inner in scopes]


@dataclass(frozen=True, slots=True)
class Outcomes:
    """How a call ended: exceptions as ``module:Class``, by outcome, and what has to be true."""

    exceptions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    rejected_when: Value | None = None
    failed_when: Value | None = None
    paused_when: Value | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A row that can be used. ``before`` is read before the call, ``after`` at its end; ``written`` is as given."""

    target: str
    declared: Declared
    runtime: str
    source: str
    name: Value | None = None
    run_id: Value | None = None
    correlation_id: Value | None = None
    when: Value | None = None
    before: Mapping[str, Readable] = field(default_factory=dict)
    after: Mapping[str, Readable] = field(default_factory=dict)
    outcome: Outcomes = Outcomes()
    shape: Shape = ""
    written: Target | None = None

    def place(self, *path: str | int) -> str:
        """Return `file:line:column` of what ``values`` or ``outcome`` has under this path, else of the row."""
        written, last = self.written, path[-1]
        names = (path, (_FIELDS.get(str(last), ""),), ("attributes", self.declared.subject))
        found = (name for name in names if written is not None and name in written.positions)
        return written.place(*next(found, ())) if written is not None else self.source

    def values(self) -> dict[tuple[str, ...], Readable]:
        """Return all values by the field in which they stand."""
        found: dict[tuple[str, ...], Readable] = {("attributes", name): value for name, value in self.before.items()}
        found |= {("result", name): value for name, value in self.after.items()}
        single = {name: getattr(self, name) for name in ("name", "run_id", "correlation_id", "when")}
        asked = {name: getattr(self.outcome, name) for name in ("rejected_when", "failed_when", "paused_when")}
        found |= {(name,): value for name, value in single.items() if value is not None}
        return found | {("outcome", name): value for name, value in asked.items() if value is not None}
