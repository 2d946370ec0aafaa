"""Describes in Markdown what may be declared, for the reference page; must not know where the page is."""

from __future__ import annotations

from otel_agents.patching.targets.vocabulary import DECLARED, FIELDS, OUTCOMES, SHORT, Declared
from otel_agents.semconv.agents import attribute


def fields_markdown() -> str:
    """Return the fields of a row, and those of `outcome`, as a table."""
    rows = [f"| `{name}` | {brief} |" for name, brief in FIELDS.items()]
    rows += [f"| `outcome.{name}` | {brief} |" for name, brief in OUTCOMES.items()]
    return "\n".join(("| field | what it says |", "| --- | --- |", *rows)) + "\n"


def kinds_markdown() -> str:
    """Return every kind with what it needs and what else may be set."""
    head = "| kind | what it is | `name` sets | needs | may set |"
    return "\n".join((head, "| --- | --- | --- | --- | --- |", *map(_row, DECLARED.values()))) + "\n"


def _row(declared: Declared) -> str:
    short = {name: field for field, name in SHORT.items()}
    needs = [f"`{short[name]}`" if name in short else f"`{name}`" for name in declared.needs]
    others = [name for name in declared.attributes if name not in (*declared.needs, declared.subject)]
    told = ", ".join(f"`{name}`" for name in others if attribute(name) is not None)
    subject = f"`{declared.subject}`" if declared.subject else ""
    return f"| `{declared.name}` | {declared.brief} | {subject} | {', '.join(needs)} | {told} |"
