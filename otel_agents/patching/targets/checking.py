"""Checks what was written in a row, naming each mistake with its place and the nearest right name; runs no host code.

A row with a mistake is not used; the others are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from otel_agents.cleaning import EACH, NUMBERS
from otel_agents.config import Problem
from otel_agents.config.problem import shown, suggestion
from otel_agents.config.values import Target
from otel_agents.patching.table import Shape
from otel_agents.patching.targets.grammar import PathError, parse
from otel_agents.patching.targets.naming import ATTRIBUTE, BUILTIN, CLASS, METHOD, RUNTIME, SETTING, wrong_method
from otel_agents.patching.targets.paths import Value
from otel_agents.patching.targets.row import Each, Outcomes, Readable, Row
from otel_agents.patching.targets.vocabulary import (
    ANYTHING,
    DECLARED,
    EXCEPTIONS,
    FIELDS,
    OUTCOMES,
    OWN,
    SHAPES,
    SHORT,
    TOKENS,
    Declared,
)
from otel_agents.semconv.agents import attribute

MANY: Final = 64
LONGEST: Final = 256
EARLY: Final = frozenset({"self", "arg"})
LATE: Final = EARLY | {"result", "error"}
Place = tuple[str, ...]


def check(targets: tuple[Target, ...]) -> tuple[list[Row], list[Problem]]:
    """Return the rows that can be used, in order, and what is wrong with the others."""
    rows: list[Row] = []
    problems: list[Problem] = []
    seen: dict[tuple[str, str], str] = {}
    for target in targets:
        checker = _Checker(target)
        row = checker.row()
        first = seen.setdefault((row.target, row.declared.name), target.place("method")) if row else ""
        if row and first != target.place("method"):
            what = f"{shown(row.target)} is declared as {row.declared.name} twice, first at {first}"
            checker.refuse(("method",), what, "Remove one of the two.")
        if row and not checker.problems:
            rows.append(row)
        problems += checker.problems
    return rows, problems


class _Checker:
    """One row, field by field."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.given = target.row
        self.problems: list[Problem] = []

    def refuse(self, place: Place, what: str, fix: str) -> None:
        """Note a mistake."""
        where = f"{self.target.place(*place)}: {'.'.join(place)}" if place else self.target.place()
        self.problems.append(Problem(SETTING, where, what, f"{fix} The row is not used."))

    def row(self) -> Row | None:
        """Return the row; None when it does not even say what it is about."""
        for name in self.given:
            if name not in FIELDS:
                self.refuse((str(name)[:LONGEST],), "there is no such field", _nearest(str(name), FIELDS))
        method, declared = self._method(), self._declared()
        if method is None or declared is None:
            return None
        before, after = dict(self._attributes("attributes", declared)), dict(self._attributes("result", declared))
        before |= dict(self._short(declared, before))
        subject = self._name(declared, before)
        row = Row(
            target=method,
            declared=declared,
            runtime=self._word("runtime", RUNTIME) or re.sub(r"\W", "_", method.partition(":")[0].partition(".")[0]),
            source=self.target.place(),
            name=subject,
            run_id=self._value("run_id", EARLY),
            correlation_id=self._value("correlation_id", EARLY),
            when=self._when(declared),
            before=before,
            after=after,
            outcome=self._outcome(declared),
            shape=self._shape(),
            written=self.target,
        )
        self._check_needs(declared, row)
        return row

    def _method(self) -> str | None:
        given = self.given.get("method")
        if not isinstance(given, str) or len(given) > LONGEST or not METHOD.fullmatch(given.strip()):
            self.refuse(("method",) if "method" in self.given else (), *wrong_method(given))
            return None
        if given.startswith("__main__:"):
            what = "a method in __main__ cannot be watched: its class does not exist yet when we look for it"
            self.refuse(("method",), what, "Move it into a module that the program imports, and name that.")
            return None
        return given.strip()

    def _declared(self) -> Declared | None:
        given = self.given.get("kind")
        if isinstance(given, str) and given in DECLARED:
            return DECLARED[given]
        if given is None:
            self.refuse((), "the row has no kind", f"Write one of {', '.join(DECLARED)}.")
        else:
            fix = _nearest(given if isinstance(given, str) else "", DECLARED)
            self.refuse(("kind",), f"{shown(given)} is no kind", fix)
        return None

    def _attributes(self, place: str, declared: Declared) -> Iterator[tuple[str, Readable]]:
        given = self._mapping((place,))
        roots = LATE if place == "result" or declared.kind is None else EARLY
        for name, written in given.items():
            if self._is_attribute((place, name), name, declared, place):
                value = self._readable((place, name), written, name, roots)
                if value is not None:
                    yield name, value

    def _is_attribute(self, place: Place, name: str, declared: Declared, part: str) -> bool:
        if name in declared.attributes:
            is_late = name in TOKENS and part != "result"
            if is_late:
                self.refuse(place, "is not known before the call", "Write it under `result`.")
            return not is_late
        if ATTRIBUTE.fullmatch(name) and not name.startswith(OWN) and name != "error.type" and declared.kind:
            return True
        keywords = {row.keyword: each for each in declared.attributes if (row := attribute(each)) is not None}
        fix = f"Did you mean {keywords[name]}?" if name in keywords else _nearest(name, declared.attributes)
        self.refuse(place, f"{declared.name} has no such attribute", fix)
        return False

    def _readable(self, place: Place, written: object, name: str, roots: frozenset[str]) -> Readable | None:
        if isinstance(written, Mapping) or name in EACH:
            return self._each(place, written, name, roots)
        value = self._parsed(place, written, roots)
        row = attribute(name)
        if value is None or row is None:
            return value
        constant = value.constant
        if row.values and isinstance(constant, str) and constant not in row.values:
            self.refuse(place, f"{shown(constant)} is none of its values", _nearest(constant, row.values))
        return value

    def _each(self, place: Place, written: object, name: str, roots: frozenset[str]) -> Readable | None:
        known = EACH.get(name)
        if known is None:
            fix = "Write a path to a mapping of numbers." if name in NUMBERS else "Write a path."
            self.refuse(place, "is one value, and no mapping", fix)
            return None
        if not isinstance(written, Mapping) or "each" not in written or len(written) == 1:
            example = ", ".join(f"{field}: each.{field.lower()}" for field in known)
            self.refuse(place, "is a list of mappings", f"Write `{{each: result.items, {example}}}`.")
            return None
        items = self._parsed((*place, "each"), written["each"], roots)
        fields: dict[str, Value] = {}
        for field, path in written.items():
            if field != "each" and field not in known:
                self.refuse((*place, field), "there is no such field", _nearest(field, known))
            elif field != "each" and (value := self._parsed((*place, field), path, roots | {"each"})) is not None:
                fields[field] = value
        return Each(items, fields) if items is not None else None

    def _short(self, declared: Declared, before: Mapping[str, Readable]) -> Iterator[tuple[str, Readable]]:
        for field, name in SHORT.items():
            if field not in self.given:
                continue
            if name not in declared.attributes:
                self.refuse((field,), f"{declared.name} has no {field}", "Remove it.")
            elif name in before:
                self.refuse((field,), f"is given as attribute {name}, too", "Remove one of the two.")
            elif (value := self._value(field, LATE if declared.kind is None else EARLY)) is not None:
                yield name, value

    def _name(self, declared: Declared, before: dict[str, Readable]) -> Value | None:
        """Return what the operation is called: the field, or the attribute that stands for it."""
        other: Any = before.pop(declared.subject, None) if declared.kind is not None else None
        if "name" in self.given and not declared.subject:
            self.refuse(("name",), f"{declared.name} has no name", "Remove it.")
        if "name" in self.given and other is not None:
            self.refuse(("name",), f"is given as attribute {declared.subject}, too", "Remove one of the two.")
        return self._value("name", EARLY) or other

    def _when(self, declared: Declared) -> Value | None:
        if "when" in self.given and declared.kind is not None:
            self.refuse(("when",), f"{declared.name} is an operation: each call is one", "Remove it.")
        return self._value("when", LATE)

    def _outcome(self, declared: Declared) -> Outcomes:
        given = self._mapping(("outcome",))
        if given and declared.kind is None:
            self.refuse(("outcome",), f"{declared.name} is a fact and has no outcome", "Remove it, or use `when`.")
        for name in given:
            if name not in OUTCOMES:
                self.refuse(("outcome", name), "there is no such outcome", _nearest(name, OUTCOMES))
        if "rejected_when" in given and not declared.rejected:
            self.refuse(("outcome", "rejected_when"), f"a {declared.name} is not rejected", "Use `failed_when`.")
        exceptions = {name: tuple(self._exceptions(name, given[name])) for name in EXCEPTIONS if name in given}
        paths = {
            name: self._parsed(("outcome", name), given[name], LATE)
            for name in given
            if name in OUTCOMES and name not in EXCEPTIONS
        }
        return Outcomes(exceptions, **paths)

    def _exceptions(self, outcome: str, given: object) -> Iterator[str]:
        place = ("outcome", outcome)
        if not isinstance(given, list):
            self.refuse(place, "is no list", "Write `[module:Class]`.")
            return
        for each in given[:MANY]:
            if isinstance(each, str) and CLASS.fullmatch(each):
                yield each
            elif isinstance(each, str) and BUILTIN.fullmatch(each):
                yield f"builtins:{each}"
            else:
                front, _, last = each.rpartition(".") if isinstance(each, str) else ("", "", "")
                fix = f"Write {front}:{last}." if front and ":" not in front else "Write it as `module:Class`."
                self.refuse(place, f"{shown(each)} is no exception", fix)

    def _shape(self) -> Shape:
        given = self.given.get("shape")
        found = next((shape for shape in SHAPES if shape == given), None)
        if given is not None and found is None:
            self.refuse(("shape",), f"{shown(given)} is no shape", _nearest(str(given), SHAPES))
        return found or ANYTHING

    def _check_needs(self, declared: Declared, row: Row) -> None:
        short = {name: field for field, name in SHORT.items()}
        for name in declared.needs:
            is_late = name in row.after
            if name not in row.before and not is_late and not self.problems:
                self.refuse((), f"{declared.name} needs {name}", f"Write `{short.get(name, name)}: ` with a path.")

    def _word(self, field: str, pattern: re.Pattern[str]) -> str:
        given = self.given.get(field)
        if given is None or (isinstance(given, str) and pattern.fullmatch(given)):
            return str(given or "")
        self.refuse((field,), f"{shown(given)} is no name", "Use small letters, digits and `_`.")
        return ""

    def _value(self, field: str, roots: frozenset[str]) -> Value | None:
        return self._parsed((field,), self.given[field], roots) if field in self.given else None

    def _parsed(self, place: Place, written: object, roots: frozenset[str]) -> Value | None:
        try:
            value = parse(written)
        except PathError as error:
            self.refuse(place, f"{shown(written)} {error.what}", error.fix)
            return None
        wrong = sorted(value.roots - roots)
        if wrong:
            late = wrong[0] in LATE
            fix = "Write it under `result`." if late else "`each` stands for an entry inside `each: ...` only."
            self.refuse(place, f"{shown(written)} begins with {wrong[0]}, which is not known here", fix)
            return None
        return value

    def _mapping(self, place: Place) -> Mapping[str, Any]:
        given = self.given.get(place[0])
        if isinstance(given, Mapping) and all(isinstance(name, str) for name in given) and len(given) <= MANY:
            return given
        if given is not None:
            self.refuse(place, "is no mapping, or a very long one", "Write `name: path` pairs.")
        return {}


def _nearest(name: str, known: Any) -> str:
    return suggestion(name[:LONGEST], known, otherwise=f"Known are {', '.join(known)}.")
