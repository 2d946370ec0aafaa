"""Holds a checked row against the program that it is about, whose modules are imported; must not import them itself."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from typing import Any, Final

from otel_agents import guard
from otel_agents.config import Problem
from otel_agents.config.problem import shown, suggestion
from otel_agents.patching.place import find, matching
from otel_agents.patching.table import PATTERN
from otel_agents.patching.targets.naming import SETTING
from otel_agents.patching.targets.row import Row
from otel_agents.patching.watch import resolve

OPEN: Final = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)


def unresolved(row: Row) -> Iterator[Problem]:
    """Yield the parameters and exceptions that a row names and that are not there."""
    for function in _functions(row.target):
        yield from _arguments(row, function)
    for name in (name for names in row.outcome.exceptions.values() for name in names):
        module, _, last = name.partition(":")
        if module not in sys.modules:
            continue  # the program may import it later
        if resolve(name) is None:
            known = [each for each, value in vars(sys.modules[module]).items() if isinstance(value, type)]
            fix = suggestion(last, known, otherwise="Name the module that defines it.")
            yield Problem(SETTING, row.source, f"there is no exception {shown(name)}", fix)


def nearest(target: str) -> str:
    """Return the sentence that names the nearest function, for a target that is not there; "" when none is near."""
    module, _, path = target.partition(":")
    if find(module, tuple(path.split("."))) is not None:
        return ""
    front, _, last = path.rpartition(".")
    known = matching(module, (*front.split("."), "*")) if front else matching(module, ("*",))
    return suggestion(last, known, otherwise="") if module in sys.modules else ""


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
    for value in row.values().values():
        for name in value.arguments:
            if name not in known:
                fix = suggestion(name, known, otherwise=f"It has {', '.join(known) or 'none'}.")
                what = f"{row.target} has no parameter {name!r}"
                yield Problem(SETTING, row.source, what, fix)
