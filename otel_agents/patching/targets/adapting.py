"""The rows of a configuration as an adapter; must not know where they were written."""

from __future__ import annotations

from typing import Final

from otel_agents.config import Problem
from otel_agents.config.values import Target
from otel_agents.patching.table import Adapter
from otel_agents.patching.targets.checking import check
from otel_agents.patching.targets.facts import Notice
from otel_agents.patching.targets.operations import Declaration
from otel_agents.patching.targets.row import Row

NAME: Final = "targets"


def adapter(targets: tuple[Target, ...]) -> tuple[Adapter, list[Problem]]:
    """Return the adapter of all rows that can be used, and what is wrong with the others."""
    rows, problems = check(targets)
    return of_rows(rows), problems


def of_rows(rows: list[Row]) -> Adapter:
    """Return the adapter of checked rows."""
    patches = tuple((Declaration(row) if row.declared.kind is not None else Notice(row)).patch() for row in rows)
    return Adapter(NAME, "", "", ("", ""), patches)
