"""Whether two windows differ by more than chance."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_agents.audit.baseline import Baseline, summarize
from otel_agents.audit.drift import Comparison, Drift, Rules, compare
from otel_agents.audit.moments import moment
from otel_agents.audit.pages import drift_page
from otel_agents.audit.reading import Unusable
from otel_agents.audit.sides import Side, load
from tests.audit.making import NOON_MS, Record, cancel, ended, match, skip, state, write

NOW_MS = NOON_MS + 3 * 86_400_000
DAMAGED: tuple[object, ...] = (None, -5, 2.5, 1e308, 10**30, 10**400, math.nan, math.inf, "x", [], {}, True)


def side(*records: Record) -> Side:
    """Return the side that these records are."""
    baseline = Baseline()
    for each in records:
        baseline.add({**each, "ms": moment(each["ts"])})
    return Side.of(baseline)


def _drift(old: Side, new: Side, **rules: float) -> Drift:
    return compare(old, new, Rules(**rules), NOW_MS)  # type: ignore[arg-type]


def _found(drift: Drift) -> list[tuple[str | None, str]]:
    return [("all" if each.whole else each.channel, each.measure) for each in drift.found]


def _of(drift: Drift, measure: str) -> Comparison:
    return next(each for each in drift.comparisons if each.whole and each.measure == measure)


def test_the_same_window_does_not_drift_from_itself() -> None:
    """Every measure that can be compared is the same."""
    one = side(*ended({"complete": 80, "error": 15, "cancelled": 5}), *(cancel(float(each)) for each in range(100)))
    drift = _drift(one, one)

    assert drift.found == ()
    assert {each.verdict for each in drift.comparisons} == {"no drift", "too few"}


def test_a_rate_that_fell_is_drift() -> None:
    """In the whole and in its channel; the interval of the change excludes none."""
    drift = _drift(side(*ended({"complete": 190, "error": 10})), side(*ended({"complete": 150, "error": 50})))

    assert _found(drift) == [
        ("all", "completion rate"), ("all", "error rate"), ("mail", "completion rate"), ("mail", "error rate"),
    ]  # fmt: skip
    found = _of(drift, "error rate")
    assert (found.old, found.new, found.counts) == (0.05, 0.25, (200, 200))
    assert found.change == pytest.approx(0.2)
    assert found.interval is not None
    assert 0.05 < found.interval.low < 0.2 < found.interval.high


def test_small_samples_do_not_alarm() -> None:
    """Ten runs that all failed after ten that all went well say too little; so do few more, by the interval alone."""
    drift = _drift(side(*ended({"complete": 10})), side(*ended({"error": 10})))
    assert drift.found == ()
    assert _of(drift, "error rate").verdict == "too few"

    drift = _drift(side(*ended({"complete": 28, "error": 2})), side(*ended({"complete": 24, "error": 6})))
    assert _of(drift, "error rate").verdict == "no drift"
    assert _of(drift, "error rate").change == pytest.approx(4 / 30, abs=1e-6)


def test_a_change_below_the_threshold_is_none() -> None:
    """However sure it is."""
    old, new = side(*ended({"complete": 9700, "error": 300})), side(*ended({"complete": 9500, "error": 500}))

    assert _drift(old, new).found == ()
    assert ("all", "error rate") in _found(_drift(old, new, rate=0.02))


def test_a_change_that_equals_the_threshold_counts() -> None:
    """Although 0.95 less 0.9 is a little less than 0.05 to a computer."""
    old, new = side(*ended({"complete": 9500, "error": 500})), side(*ended({"complete": 9000, "error": 1000}))

    assert ("all", "completion rate") in _found(_drift(old, new))


def test_latencies_drift_by_quantile() -> None:
    """The median stays where it was while the slow ones get slower."""
    runs = ended({"complete": 50})
    old = side(*runs, *(cancel(100.0 + each % 100) for each in range(1000)))
    new = side(*runs, *(cancel(100.0 + each % 100 + (500 if each % 10 == 0 else 0)) for each in range(1000)))

    assert _found(_drift(old, new)) == [("all", "cancel latency p95"), ("mail", "cancel latency p95")]
    assert _drift(old, new, latency=5.0).found == ()


def test_cancels_and_reactions_are_compared() -> None:
    """The share that was acknowledged, and the share of messages that matched."""
    runs = ended({"complete": 50})
    old = side(*runs, *[cancel(1.0)] * 100, *[match()] * 100, *[skip()] * 20)
    new = side(*runs, *[cancel(1.0)] * 60, *[cancel(None)] * 40, *[match()] * 20, *[skip()] * 100)

    assert _found(_drift(old, new))[:2] == [("all", "cancels acknowledged"), ("all", "reaction match rate")]


def test_channels_are_compared_when_both_windows_have_them() -> None:
    """One that is new, or gone, changes the whole only."""
    old = side(*ended({"complete": 40}, channel="mail"), *ended({"complete": 40}, channel=None))
    new = side(*ended({"error": 40}, channel="chat"), *ended({"complete": 40}, channel=None))
    drift = _drift(old, new)

    assert {(each.whole, each.channel) for each in drift.comparisons} == {(True, None), (False, None)}
    assert _found(drift) == [("all", "completion rate"), ("all", "error rate")]


def test_summaries_are_compared_as_their_logs_are(tmp_path: Path) -> None:
    """Whether a side is read from logs, from a summary, or from a folder; also beyond what quantiles keep exactly."""
    chance = random.Random(1)
    for name, slow in (("old", 1.0), ("new", 1.4)):
        (tmp_path / name).mkdir()
        records = ended({"complete": 90, "error": 10}) + [
            cancel(chance.lognormvariate(3, 1) * slow) for _ in range(3000)
        ]
        write(tmp_path / name / "a.jsonl", records[:100])
        write(tmp_path / name / "b.jsonl", records[100:])
        (tmp_path / f"{name}.json").write_text(summarize([tmp_path / name]).to_json(), encoding="utf-8")
    by_logs = compare(load(tmp_path / "old"), load(tmp_path / "new"), Rules(), NOW_MS)
    by_summaries = compare(load(tmp_path / "old.json"), load(tmp_path / "new.json"), Rules(), NOW_MS)

    assert by_summaries.to_json() == by_logs.to_json()
    assert by_logs.found


def test_the_new_window_may_be_too_old() -> None:
    """Only when an age was given; a window without times has none."""
    one = side(*ended({"complete": 2}))
    assert _drift(one, one).age_ms == NOW_MS - NOON_MS - 60_000
    assert _drift(one, one, max_age_ms=3 * 86_400_000).found == ()
    with pytest.raises(Unusable, match="the new window ended 2d ago, and may be 2d old at most"):
        _drift(one, one, max_age_ms=2 * 86_400_000)
    with pytest.raises(Unusable, match="the new window has no times, so its age is not known"):
        _drift(one, side(state("complete", ts=None)), max_age_ms=1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "there is nothing in 1 file"),
        ("binary\0\n", "there is no audit record"),
        ('{"format": "otel-agents-baseline/1"}', "is no whole summary"),
        ('{"format": "otel-agents-baseline/1", "window": {"first"', "is no whole summary"),
        ('{"format": "otel-agents-baseline/1", "window": ' + "[" * 200_000, "is no whole summary"),
        ('{"format": "otel-agents-baseline/2", "window": 1}', "there is no audit record"),
    ],
)
def test_a_side_that_is_none_is_refused(tmp_path: Path, content: str, message: str) -> None:
    """Empty, binary, a summary that was cut, one nested without end, a summary of the future."""
    path = tmp_path / "a.json"
    path.write_text(content)
    with pytest.raises(Unusable, match=message):
        load(path)


def _places(value: object, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the places of all that stands in JSON data; of lists the first two."""
    inside = value.items() if isinstance(value, dict) else enumerate(value[:2]) if isinstance(value, list) else ()
    for key, each in inside:
        yield (*place, key)
        yield from _places(each, (*place, key))


def test_a_summary_that_was_tampered_with_is_judged_or_refused(tmp_path: Path) -> None:
    """Whatever stands at any place: never is a mistake in a file taken for a drift, as an exception would be."""
    path = tmp_path / "a.json"
    path.write_text(summarize([write(tmp_path / "a.jsonl", [*ended({"complete": 9}), cancel(5.0), match()])]).to_json())
    good, one = path.read_text(), load(path)
    refused = 0
    for place in _places(json.loads(good)):
        for value in DAMAGED:
            told = inner = json.loads(good)
            for key in place[:-1]:
                inner = inner[key]
            inner[place[-1]] = value
            path.write_text(json.dumps(told))
            try:
                assert _drift(one, load(path)).found == (), (place, value)
            except Unusable:
                refused += 1
    assert refused > 100


def test_a_side_without_runs_is_refused(tmp_path: Path) -> None:
    """There is no rate of nothing."""
    with pytest.raises(Unusable, match="no run ends in it, so there are no rates"):
        load(write(tmp_path / "a.jsonl", [state("start")]))


def test_the_report_tells_all_of_it() -> None:
    """As JSON without infinities; the page has a row for each comparison of which both sides have any."""
    runs = ended({"complete": 40})
    drift = _drift(side(*runs, *[cancel(1.0)] * 40), side(*ended({"error": 40}), *[cancel(2.0)] * 40))
    told = json.loads(drift.to_json())

    assert (told["format"], told["drift"], told["checked_at"]) == (
        "otel-agents-drift/1",
        True,
        "2026-01-05T12:00:00.000Z",
    )
    assert told["comparisons"][0] == {
        "channel": None, "whole": True, "measure": "completion rate", "unit": "share", "old": 1.0, "new": 0.0,
        "old_count": 40, "new_count": 40, "change": -1.0, "change_low": -1.0, "change_high": -0.759171,
        "verdict": "drift",
    }  # fmt: skip
    assert (told["comparisons"][6]["change_low"], told["comparisons"][6]["change_high"]) == (None, None)
    assert drift_page(drift).count("\n|") == 2 + 2 + 2 + 2 * 6


counts = st.integers(0, 400)


@settings(max_examples=40, deadline=None)
@given(counts, counts, counts, counts)
def test_drift_is_the_same_both_ways(a: int, b: int, c: int, d: int) -> None:
    """Rates that drift from old to new drift from new to old."""
    old, new = side(*ended({"complete": a + 1, "error": b})), side(*ended({"complete": c + 1, "error": d}))

    assert _found(_drift(old, new)) == _found(_drift(new, old))


@settings(max_examples=20, deadline=None)
@given(st.integers(30, 300), st.integers(30, 300))
def test_all_failing_after_none_is_always_drift(before: int, after: int) -> None:
    """As soon as there are enough."""
    drift = _drift(side(*ended({"complete": before})), side(*ended({"error": after})))

    assert ("all", "error rate") in _found(drift)


def test_chance_alone_seldom_alarms() -> None:
    """Of 300 comparisons of windows with the same true rates fewer than 5% alarm, with no threshold at all."""
    chance = random.Random(7)

    def window() -> Side:
        failed = sum(chance.random() < 0.2 for _ in range(100))
        slow = [cancel(chance.lognormvariate(3, 1)) for _ in range(100)]
        return side(*ended({"complete": 100 - failed, "error": failed}), *slow)

    alarms = sum(bool(_drift(window(), window(), rate=0.0, latency=0.0).found) for _ in range(300))

    assert alarms <= 15
