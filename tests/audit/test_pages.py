"""Baselines and drift as pages, byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from otel_agents.audit.baseline import TOP, Window, summarize
from otel_agents.audit.drift import Rules, compare
from otel_agents.audit.pages import baseline_page, drift_page
from otel_agents.audit.sides import Side
from tests.audit.making import MINUTE_MS, NOON_MS, Record, cancel, ended, match, skip, state, write

GOLDEN = Path(__file__).parent / "golden"
NOW_MS = NOON_MS + 5 * 60 * MINUTE_MS

OLD: list[Record] = [
    *ended({"complete": 45, "error": 4, "cancelled": 1}, channel="mail", session_id="a1b2c3"),
    *ended({"complete": 20}, channel="chat", session_id="d4e5f6"),
    *ended({"complete": 3}, channel=None, session_id=None),
    *(cancel(20.0 + each, each) for each in range(40)),
    cancel(None, 41),
    *(match("greet", each) for each in range(12)),
    *(skip("no_rule", each) for each in range(6)),
    *(skip("cooldown", each) for each in range(3)),
]
NEW: list[Record] = [
    *ended({"complete": 25, "error": 24, "cancelled": 1}, channel="mail", session_id="a1b2c3"),
    *ended({"complete": 20}, channel="chat", session_id="d4e5f6"),
    *(cancel(90.0 + each, each) for each in range(40)),
]
HOSTILE: list[Record] = [
    state("complete", channel="a|b\n# c", session_id="`<b>*_[x](y)"),
    state("complete", channel=""),
    skip("~~~ \x1b[31m", channel="é\u202e"),
]


def _same(name: str, page: str) -> None:
    """Compare with the page that is kept; write that again by hand after looking at the difference."""
    assert page == (GOLDEN / name).read_text(encoding="utf-8")


def test_a_baseline_is_shown_as_kept(tmp_path: Path) -> None:
    """Rates, latencies, reactions, sessions, and what the input lacked."""
    path = write(tmp_path / "a.jsonl", [*OLD, state("start", channel=7), skip(ts=None)])
    path.write_text(path.read_text() + '{"type":"run.moved"}\n{"torn')

    _same("baseline.md", baseline_page(summarize([path]), TOP))


def test_a_window_is_shown_as_kept(tmp_path: Path) -> None:
    """What it was asked to be stands in its first line; what never happened has no rate."""
    window = Window(NOON_MS, NOON_MS + 10 * MINUTE_MS, ("chat",), ("gateway",))

    _same("window.md", baseline_page(summarize([write(tmp_path / "a.jsonl", OLD)], window), 0))


def test_drift_is_shown_as_kept(tmp_path: Path) -> None:
    """Each comparison is a row, with where the true change lies."""
    old, new = (Side.of(summarize([write(tmp_path / "a.jsonl", each)])) for each in (OLD, NEW))

    _same("drift.md", drift_page(compare(old, new, Rules(), NOW_MS)))


def test_no_drift_is_shown_as_kept(tmp_path: Path) -> None:
    """It says so in its first line."""
    one = Side.of(summarize([write(tmp_path / "a.jsonl", [state("complete", ts=None)])]))

    _same("same.md", drift_page(compare(one, one, Rules(), NOW_MS)))


def test_names_from_logs_are_no_markup(tmp_path: Path) -> None:
    """They neither end a cell or a line, nor make links, code or colours."""
    page = baseline_page(summarize([write(tmp_path / "a.jsonl", HOSTILE)]), TOP)

    _same("hostile.md", page)
    assert page.isprintable() or all(char.isprintable() or char == "\n" for char in page)
    rows = [line for line in page.splitlines() if line.startswith("|")]
    assert {line.replace(r"\|", "").count("|") for line in rows} == {12, 7, 6, 4}


@pytest.mark.parametrize("name", ["baseline.md", "window.md", "drift.md", "same.md", "hostile.md"])
def test_what_is_kept_is_whole(name: str) -> None:
    """Every page ends in one newline, and no line in spaces."""
    page = (GOLDEN / name).read_text(encoding="utf-8")

    assert page.endswith("\n")
    assert not page.endswith("\n\n")
    assert [line for line in page.splitlines() if line != line.rstrip()] == []
