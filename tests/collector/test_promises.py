"""The tables of what is promised and what is not: each row has its proof, and an alert that watches what it counts."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.collector import promises, test_disks, test_losses, test_sampling, test_tier_losses
from tests.dashboards import test_paging
from tests.dashboards.reading import metrics, rules
from tests.docs.pages import ROOT, read

PAGE = read(ROOT / "docs/reference/collector.md")
ROW = re.compile(r"^\| (.+?) \| (.+?) \| (.+?) \| (.+?) \|$", re.MULTILINE)
EXPRESSIONS: dict[str, str] = {}
for rule in rules():
    if "alert" in rule:
        EXPRESSIONS[rule["alert"]] = EXPRESSIONS.get(rule["alert"], "") + " or " + rule["expr"]


def rows(first: str, last: str) -> list[tuple[str, ...]]:
    """Return the rows of the table between two texts, without its head."""
    between = PAGE.partition(first)[2].partition(last)[0]
    return ROW.findall(between)[2:]


PROMISED = rows("## What is promised", "What is not promised")
NOT_PROMISED = rows("What is not promised", "Data arrives at least once")


def proven(kind: str) -> Iterator[str]:
    """Yield what the tests of losses say that they are the proof of."""
    for module in (test_losses, test_disks, test_sampling, test_tier_losses, test_paging):
        for test in vars(module).values():
            for mark in getattr(test, "pytestmark", ()):
                if mark.name == "proves" and mark.args[0] == kind:
                    yield from mark.args[1:]


def test_every_promise_of_the_docs_is_proven() -> None:
    """The table has the promises that tests prove, and no other."""
    assert [what for what, *_ in PROMISED] == list(promises.PROMISED)
    assert set(proven("promise")) == set(promises.PROMISED)


def test_what_is_not_promised_is_shown() -> None:
    """Tests show what is lost or who is told of it, and the docs have each of these rows."""
    assert set(proven("loss")) == set(promises.NOT_PROMISED)
    assert set(promises.NOT_PROMISED) <= {what for what, *_ in NOT_PROMISED}


@pytest.mark.parametrize("row", [*PROMISED, *NOT_PROMISED], ids=lambda row: row[0])
def test_an_alert_watches_what_is_counted(row: tuple[str, ...]) -> None:
    """Each metric of a row stands in the expression of an alert that the row names."""
    _, _, counted, alert = row
    named = re.findall(r"\[(\w+)\]", alert)
    watched = {metric for name in named for metric in metrics(EXPRESSIONS[name])}
    assert named
    assert set(re.findall(r"`(\w+)`", counted)) <= watched
