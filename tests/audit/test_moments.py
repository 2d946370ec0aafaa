"""Moments and spans as people and logs write them."""

from __future__ import annotations

import math

import pytest

from otel_agents.audit import moments
from tests.audit.making import NOON_MS


@pytest.mark.parametrize(
    "written",
    [
        "2026-01-02T12:00:00.000Z", "2026-01-02T12:00:00", "2026-01-02T13:00:00+01:00", " 2026-01-02 12:00:00Z ",
        NOON_MS, NOON_MS / 1000, float(NOON_MS), NOON_MS // 1000,
    ],
)  # fmt: skip
def test_a_moment_is_the_same_however_it_is_written(written: object) -> None:
    """RFC 3339, without a zone in UTC; numbers are seconds, or milliseconds where they are too large for seconds."""
    assert moments.moment(written) == NOON_MS


def test_a_date_is_its_midnight() -> None:
    """In UTC."""
    assert moments.moment("2026-01-02") == NOON_MS - 12 * 3_600_000


@pytest.mark.parametrize(
    "written",
    [
        "",
        "noon",
        "2026-13-01",
        "1969-12-31",
        "9999-12-31T23:59:59-23:59",
        None,
        True,
        [],
        -1,
        math.nan,
        math.inf,
        1e300,
        pytest.param(10**400, id="huge"),
    ],
)
def test_what_is_no_moment_is_none(written: object) -> None:
    """Nothing raises, whatever stands in a log."""
    assert moments.moment(written) is None


@pytest.mark.parametrize(
    ("written", "expected"),
    [("30s", 30_000), ("90m", 5_400_000), ("24h", 86_400_000), ("7d", 604_800_000), ("2w", 1_209_600_000)],
)
def test_spans_have_one_unit(written: str, expected: int) -> None:
    """A whole number and a letter."""
    assert moments.span(written) == expected


@pytest.mark.parametrize("written", ["", "7", "d", "7 d", "-7d", "1.5h", "7y", "1" * 12 + "d"])
def test_what_is_no_span_is_none(written: str) -> None:
    """A bare number would have no unit."""
    assert moments.span(written) is None


def test_they_are_shown_as_they_may_be_written() -> None:
    """A span in its largest whole unit."""
    assert (moments.shown(NOON_MS), moments.shown(None)) == ("2026-01-02T12:00:00.000Z", None)
    assert [moments.shown_span(each) for each in (0, 59_999, 60_000, 7_300_000, 200_000_000)] == [
        "0s", "59s", "1m", "2h", "2d",
    ]  # fmt: skip
