"""Reads what a row says of a call, each value guarded from the others, fit for its attribute; knows no patches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any, Final

from otel_agents import guard
from otel_agents.cleaning import NUMBERS, text
from otel_agents.content import scalar, type_name
from otel_agents.patching.targets.paths import Scope
from otel_agents.patching.targets.row import Readable
from otel_agents.semconv.agents import FLEX_HITL_DECISION, attribute
from otel_agents.semconv.gen_ai import ERROR_TYPE

MANY: Final = 64
DEEP: Final = 3


class Reader:
    """Reads the values of one row. What fails is counted under the row's own place, and left out."""

    __slots__ = ("_at",)

    def __init__(self, source: str) -> None:
        self._at = f"target {source}"

    def one(self, readable: Readable | None, scope: Scope) -> Any:
        """Return one value as the host has it, None when there is none."""
        return guard.run(self._at, _read, readable, scope) if readable is not None else None

    def text(self, readable: Readable | None, scope: Scope) -> str:
        """Return a name or an id, "" when there is none."""
        return guard.run(self._at, _text, readable, scope) or "" if readable is not None else ""

    def is_true(self, readable: Readable | None, scope: Scope) -> bool:
        """Whether there is something, and it is true."""
        return bool(guard.run(self._at, _truth, readable, scope)) if readable is not None else False

    def all(self, readables: Mapping[str, Readable], scope: Scope) -> dict[str, object]:
        """Return the values of attributes, those that are there."""
        found = {name: guard.run(self._at, _fit, name, value, scope) for name, value in readables.items()}
        return {name: value for name, value in found.items() if value is not None}

    def known(self, readables: Mapping[str, Readable], scope: Scope) -> dict[str, object]:
        """Return the values of attributes that do not depend on what is not there: a result, or an exception."""
        return self.all({name: value for name, value in readables.items() if is_known(value, scope)}, scope)


def is_known(readable: Readable, scope: Scope) -> bool:
    """Whether a value is told by this ending: a result by one that returned, an exception by one that raised."""
    return ("result" if scope.error is not None else "error") not in readable.roots


def _read(readable: Readable, scope: Scope) -> Any:
    """Read, and say by which row and type, never by value, what went wrong."""
    return readable.read(scope)


def _text(readable: Readable, scope: Scope) -> str:
    return text(readable.read(scope))


def _truth(readable: Readable, scope: Scope) -> bool:
    return bool(readable.read(scope))


def _fit(name: str, readable: Readable, scope: Scope) -> object:
    """Return a value as its attribute wants it.

    Raises:
        TypeError: It cannot be that.
    """
    value, row = readable.read(scope), attribute(name)
    if value is None:
        return None
    if name in NUMBERS:
        return _numbers(value, DEEP)
    if name == ERROR_TYPE and isinstance(value, BaseException | type):
        return type_name(value)
    if row is None:
        return scalar(value)
    return value if row.type in _WHOLE or row.content else _TYPES[row.type](name, row.values, value)


def _numbers(value: Any, depth: int) -> dict[str, object]:
    """Return the numbers of a mapping, also in mappings inside; no text, which nobody asked for."""
    if not issubclass(type(value), dict) or not depth:
        raise TypeError("is no mapping of numbers")
    found: dict[str, object] = {}
    for key, each in islice(dict.items(value), MANY):
        if type(each) in (int, float):
            found[text(key)] = each
        elif issubclass(type(each), dict):
            found[text(key)] = _numbers(each, depth - 1)
    return found


def _word(name: str, values: tuple[str, ...], value: object) -> str:
    if name == FLEX_HITL_DECISION and isinstance(value, bool):
        return "approved" if value else "rejected"
    word = text(value)
    if not word:
        raise TypeError(f"{name} is no text")
    if values and word not in values:
        word = word.lower()
        if word not in values:
            raise ValueError(f"{name} has none of its values")
    return word


def _whole(name: str, values: tuple[str, ...], value: object) -> int:
    known = scalar(value)
    if isinstance(known, bool) or not isinstance(known, int):
        raise TypeError(f"{name} is no whole number")
    return known


def _number(name: str, values: tuple[str, ...], value: object) -> float:
    known = scalar(value)
    if isinstance(known, bool) or not isinstance(known, int | float):
        raise TypeError(f"{name} is no number")
    return known


def _flag(name: str, values: tuple[str, ...], value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{name} is no flag")
    return value


_WHOLE: Final = frozenset({"json", "string[]"})
_TYPES: Final[Mapping[str, Callable[[str, tuple[str, ...], object], object]]] = {
    "string": _word,
    "int": _whole,
    "double": _number,
    "boolean": _flag,
}
