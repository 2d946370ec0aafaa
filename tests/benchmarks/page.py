"""Writes what was measured: a table for the terminal, a page of the docs, and JSON beside it. Measures nothing."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import metadata
from itertools import groupby
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from tests.benchmarks.measuring import Row
from tests.benchmarks.subjects import SUBJECTS, Subject

PAGE: Final = Path(__file__).parents[2] / "docs/reference/benchmarks.md"
RESULTS: Final = PAGE.with_suffix(".json")
DISTRIBUTIONS: Final = (
    "opentelemetry-sdk",
    "langgraph",
    "langchain",
    "openai-agents",
    *sorted({peer.distribution for subject in SUBJECTS.values() for peer in subject.peers}),
)
REACHED: Final = {True: "reached", False: "**not reached**", None: ""}
UNDECIDED: Final = "undecided"
Shares = Mapping[Subject, Sequence[tuple[str, list[str]]]]
HEAD: Final = Path(__file__).with_name("method.md").read_text(encoding="utf-8")


def machine() -> str:
    """Return what it was measured on, and how busy that was."""
    system = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    python = f"{platform.python_implementation()} {platform.python_version()}"
    versions = ", ".join(f"{name} {_version(name)}" for name in DISTRIBUTIONS)
    load = f"load average {os.getloadavg()[0]:.1f} while measuring"
    return f"Measured on {system}, {load}, {python}, with {versions}"


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "(not installed)"


def show(rows: Iterable[Row]) -> None:
    """Print the ratios."""
    table = Table("what", "ratio", "quartiles", "goal", "", "times", title=machine())
    for row in rows:
        goal, reached = _goal(row)
        table.add_row(f"{row.group}: {row.name}", f"{row.ratio:.2f}", _range(row), goal, reached.strip("*"), row.note)
    Console(width=200).print(table)


def _goal(row: Row) -> tuple[str, str]:
    """Return the goal, and whether it is reached: a goal between the quartiles is neither reached nor missed."""
    if row.goal is None:
        return "", ""
    return f"≤ {row.goal:g}", UNDECIDED if row.low <= row.goal <= row.high else REACHED[row.is_reached]


def _range(row: Row) -> str:
    return f"{row.low:.2f} to {row.high:.2f}"


def write(rows: Sequence[Row], shares: Shares, *, runs: int) -> None:
    """Write the page and the results."""
    PAGE.write_text("\n".join(_lines(rows, shares, runs)) + "\n", encoding="utf-8")
    results = {"machine": machine(), "rows": [row.as_dict() for row in rows]}
    RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _lines(rows: Sequence[Row], shares: Shares, runs: int) -> Iterator[str]:
    yield HEAD.format(machine=machine(), runs=runs)
    yield from _goals(rows)
    yield "## Ratios\n"
    for group, each in groupby(rows, lambda row: row.group):
        yield f"### {group[0].upper()}{group[1:]}\n"
        yield from _table(
            ("what", "ratio", "quartiles", "goal", ""), [(r.name, f"{r.ratio:.2f}", _range(r), *_goal(r)) for r in each]
        )
    yield "## Where the time goes\n"
    yield "Milliseconds that we add to one run: differences between variants, so noise shows in them.\n"
    for subject, parts in shares.items():
        ways = [f"{subject.says} `{way}`" for way in subject.ways.values()]
        yield from _table(("on what", *ways), [(says, *times) for says, times in parts])
    yield "## Times\n"
    yield "The times, or the memory, behind the ratios: of what is named, and of what it is compared with.\n"
    yield from _table(("what", "times"), [(f"{row.group}: {row.name}", row.note) for row in rows])


def _goals(rows: Sequence[Row]) -> Iterator[str]:
    wanted = [row for row in rows if row.goal is not None]
    judged = {says: [row for row in wanted if _goal(row)[1] == says] for says in (*REACHED.values(), UNDECIDED)}
    reached, missed, undecided = judged[REACHED[True]], judged[REACHED[False]], judged[UNDECIDED]
    yield "## Goals\n"
    yield f"Of {len(wanted)} goals, {len(reached)} are reached, {len(missed)} are not, {len(undecided)} are undecided:"
    yield "the goal lies between the quartiles, so this run does not tell.\n"
    for says, some in (("Not reached", missed), ("Undecided", undecided)):
        if some:
            yield f"{says}:\n"
            yield from (f"- {row.group}: {row.name}: {row.ratio:.2f}, where {row.goal:g} is wanted" for row in some)
            yield ""


def _table(head: Sequence[str], body: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    yield from (f"| {' | '.join(line)} |" for line in body)
    yield ""
