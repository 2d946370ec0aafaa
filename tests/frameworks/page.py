"""Writes what was compared: JSON, and a page of the docs that is made from it. Runs nothing."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from tests.frameworks.comparing import AGAIN, Compared
from tests.frameworks.suites import SUITES, Suite

PAGE: Final = Path(__file__).parents[2] / "docs/reference/frameworks.md"
RESULTS: Final = PAGE.with_suffix(".json")
ESCAPED: Final = r"\|"
HEAD: Final = Path(__file__).with_name("method.md").read_text(encoding="utf-8")


def write(compared: Iterable[Compared]) -> None:
    """Write the results, and the page; what was found of other suites before stays."""
    machine = f"{datetime.now(UTC):%Y-%m-%d}, {platform.python_implementation()} {platform.python_version()}"
    known = {each["name"]: each for each in _known()}
    known |= {each.name: {**each.as_dict(), "machine": machine} for each in compared}
    results = {"suites": [known[name] for name in SUITES if name in known]}
    RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    PAGE.write_text(page(), encoding="utf-8")


def page() -> str:
    """Return the page that the results come to."""
    return "\n".join(_lines(_known()))


def _known() -> Sequence[Mapping[str, Any]]:
    known: Sequence[Mapping[str, Any]] = json.loads(RESULTS.read_text(encoding="utf-8"))["suites"]
    return known


def _lines(suites: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield HEAD.format(again=AGAIN).rstrip("\n") + "\n"
    yield from _table(
        ("tests of", "version", "tests", "without", "with", "end differently with us"),
        [
            (_suite(each).says, each["version"], _sum(each["without"]), _said(each["without"]), _said(each["with_us"]),
             str(len(each["different"])))
            for each in suites
        ],
    )  # fmt: skip
    for each in suites:
        yield from _about(_suite(each), each)


def _about(suite: Suite, told: Mapping[str, Any]) -> Iterator[str]:
    without, watched = told["seconds"]
    yield f"## {suite.says}\n"
    yield f"`{suite.requirement}`, run on {told['machine']}: {without:.0f} s without and {watched:.0f} s with us."
    yield f"What we made of it: {_said(told['counts'])}.\n"
    if suite.parts:
        yield f"These are {', '.join(map(_code, suite.parts))}.\n"
    if suite.never:
        yield f"Not run, since what they test is not there: {', '.join(map(_code, suite.never))}.\n"
    yield from _named("End differently", told["different"], suite.explained)
    yield from _named("Unsteady, with us or not", told["unsteady"], {})
    yield from _named("Fail either way", told["failing"], {})


def _named(title: str, endings: Mapping[str, str], explained: Mapping[str, str]) -> Iterator[str]:
    if endings:
        yield f"{title}:\n"
        rows = [(name, how, explained.get(name, "")) for name, how in sorted(endings.items())]
        yield from _table(("test", "how", "why"), rows)


def _code(path: str) -> str:
    return f"`tests/{path}`"


def _suite(told: Mapping[str, Any]) -> Suite:
    return SUITES[told["name"]]


def _sum(counted: Mapping[str, int]) -> str:
    return str(sum(counted.values()))


def _said(counted: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in counted.items()) or "nothing"


def _table(head: Sequence[str], body: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    yield from (f"| {' | '.join(cell.replace('|', ESCAPED) for cell in line)} |" for line in body)
    yield ""
