"""Say what is wrong with a setting, where it stands and how to mend it; must never show a secret."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from otel_agents.content import redact_text

MAX_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Problem:
    """One value that cannot be used.

    Attributes:
        setting: The setting's name, or empty when no setting is meant (an unknown name, an unreadable file).
        place: Where it stands: `environment variable OTEL_AGENTS_RING_SIZE`, `argument ring_size`, `agents.yaml:3:12`.
        what: What is wrong, with the value.
        fix: What to do, as a sentence.
    """

    setting: str
    place: str
    what: str
    fix: str

    def __str__(self) -> str:
        return f"{self.place}: {self.what}. {self.fix}"


class ConfigError(ValueError):
    """Settings that cannot be used; names all of them, each with its value, place and fix."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def shown(value: object) -> str:
    """Return a value for a message: quoted, cut at 80 characters, without the user of a URL and other secrets."""
    if isinstance(value, bool | int | float):
        return f"{value}"[:MAX_SHOWN]
    if not isinstance(value, str):
        return f"a {type(value).__name__}"
    text = redact_text(_without_user(value))
    return repr(text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…")


def _without_user(text: str) -> str:
    """Hide what stands before the last `@`, but for the scheme: a password may itself hold any character of a URL."""
    before, at, after = text.rpartition("@")
    scheme, slashes, _ = before.partition("//")
    return f"{scheme if slashes else ''}{slashes}***@{after}" if at else text


def suggestion(name: str, known: Iterable[str], *, otherwise: str) -> str:
    """Return the sentence that names the nearest known name, or what else to do."""
    nearest = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"Did you mean {nearest[0]}?" if nearest else otherwise
