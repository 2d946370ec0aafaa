"""Puts rows that were written as YAML into force, and takes them out again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from otel_agents import guard
from otel_agents.config import Config, Problem
from otel_agents.patching.apply import Applied, apply
from otel_agents.patching.targets.adapting import of_rows
from otel_agents.patching.targets.checking import check
from otel_agents.patching.targets.row import Row
from otel_agents.testing import Telemetry, capture

HOST = "tests.patching.acme"


def written(folder: Path, rows: str) -> Path:
    """Write a file with these rows, whose first stands in line 3; HOST is where the material is."""
    path = folder / "targets.yaml"
    path.write_text(f"version: 1\ntargets:\n{rows.replace('HOST', HOST)}", encoding="utf-8")
    return path


def load(path: Path) -> tuple[list[Row], list[Problem]]:
    """Return the rows of a file that can be used, and all that is wrong with it."""
    config = Config.load({"config": str(path)}, environ={}, strict=False)
    rows, problems = check(config.targets)
    return rows, [*config.problems, *problems]


def messages(path: Path) -> list[str]:
    """Return what is wrong with a file, the place without the folder."""
    return [str(problem).replace(f"{path.parent}/", "") for problem in load(path)[1]]


@contextmanager
def force(path: Path, *, strict: bool = True) -> Iterator[tuple[Telemetry, Applied]]:
    """Have everything recorded that the rows of a file see."""
    rows, problems = load(path)
    assert problems == []
    applied = apply(of_rows(rows))
    try:
        with capture(strict=strict) as telemetry:
            yield telemetry, applied
    finally:
        applied.undo()
        guard.reset()
