"""Holds a checked row against the program that it is about, whose modules are imported; must not import them itself."""

from __future__ import annotations

import inspect
import pkgutil
import sys
from collections.abc import Iterator
from typing import Any, Final

from otel_agents import guard
from otel_agents.config import Problem
from otel_agents.config.problem import shown, suggestion
from otel_agents.patching.likeness import parameters_of
from otel_agents.patching.place import find, matching, owner_of
from otel_agents.patching.table import PATTERN
from otel_agents.patching.targets.naming import SETTING
from otel_agents.patching.targets.row import Row
from otel_agents.patching.watch import resolve

OPEN: Final = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)


def named(row: Row) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield all that a row names as ``module:path``, its method and its exceptions, by where it stands."""
    yield ("method",), row.target
    for outcome, names in row.outcome.exceptions.items():
        yield from ((("outcome", outcome, at), name) for at, name in enumerate(names))


def unresolved(row: Row) -> Iterator[Problem]:
    """Yield the parameters and exceptions that a row names and that are not there."""
    for function in _functions(row.target):
        yield from _arguments(row, function)
    for path, name in list(named(row))[1:]:
        module, _, last = name.partition(":")
        if module in sys.modules and resolve(name) is None:
            known = [each for each, value in vars(sys.modules[module]).items() if isinstance(value, type)]
            fix = suggestion(last, known, otherwise="Name the module that defines it.")
            yield Problem(SETTING, row.place(*path), f"there is no exception {shown(name)}", fix)


def nearest(target: str) -> str:
    """Return the sentence that names what is nearest to the first part of a target that is not there; "" for none."""
    module, _, path = target.partition(":")
    if module not in sys.modules or find(module, tuple(path.split("."))) is not None:
        return ""
    *owners, last = path.split(".")
    for at, name in enumerate(owners):
        if owner_of(module, (*owners[:at], name)) is None:
            return suggestion(name, _classes(module, owners[:at]), otherwise="")
    return suggestion(last, matching(module, (*owners, "*")), otherwise="")


def nearest_module(name: str) -> str:
    """Return the sentence that names the module nearest to one that is not there; "" for none. Imports nothing."""
    front, _, _ = name.rpartition(".")
    package = sys.modules.get(front) if front else None
    path = getattr(package, "__path__", None)
    if front and path is None:
        return nearest_module(front) if package is None else ""
    known = (each.name for each in pkgutil.iter_modules(path, f"{front}." if front else ""))
    return suggestion(name, known, otherwise="")


def _classes(module: str, front: list[str]) -> list[str]:
    return [name for name in matching(module, (*front, "*")) if owner_of(module, (*front, name)) is not None]


def _functions(target: str) -> list[Any]:
    """Return the functions that lie at a target now."""
    module, _, path = target.partition(":")
    *front, last = path.split(".")
    names = matching(module, (*front, last)) if not PATTERN.isdisjoint(last) else [last]
    places = (find(module, (*front, name)) for name in names)
    found = (place.seen() for place in places if place is not None)
    return [getattr(each, "__func__", each) for each in found]


def _arguments(row: Row, function: Any) -> Iterator[Problem]:
    signature = guard.run("targets.signature", inspect.signature, function) if inspect.isroutine(function) else None
    if signature is None or any(each.kind in OPEN for each in signature.parameters.values()):
        return
    known = list(signature.parameters)
    own = known[parameters_of(function).has_self :]
    for path, value in row.values().items():
        for name in value.arguments:
            if name not in known:
                fix = suggestion(name, own, otherwise=f"It has {', '.join(own) or 'none'}.")
                what = f"{row.target} has no parameter {name!r}"
                yield Problem(SETTING, row.place(*path), what, fix)
