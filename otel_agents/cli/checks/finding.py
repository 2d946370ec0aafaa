"""What a check found; must not know what is checked."""

from __future__ import annotations

from typing import Literal, NamedTuple

State = Literal["ok", "note", "problem"]


class Finding(NamedTuple):
    """One answer: whether all is well, what was found, and, for a problem, what to do about it."""

    state: State
    what: str
    fix: str = ""


def ok(what: str) -> Finding:
    """All is well."""
    return Finding("ok", what)


def note(what: str, fix: str = "") -> Finding:
    """Nothing is wrong, yet it is good to know."""
    return Finding("note", what, fix)


def problem(what: str, fix: str) -> Finding:
    """Telemetry will not arrive."""
    return Finding("problem", what, fix)
