"""Intervals of rates and quantiles."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_agents.audit.intervals import Interval, difference, quantile, wilson, z_of
from otel_agents.audit.quantiles import Quantiles

wholes = st.integers(1, 10_000)
parts = st.tuples(wholes, st.floats(0, 1)).map(lambda each: (round(each[0] * each[1]), each[0]))
zs = st.floats(0.1, 5)


@pytest.mark.parametrize(
    ("part", "whole", "expected"),
    [
        (15, 148, (0.0624, 0.1605)),  # Newcombe 1998, table II, method 3
        (0, 20, (0.0, 0.1611)),
        (1, 29, (0.0061, 0.1718)),
        (81, 263, (0.2553, 0.3662)),
    ],
)
def test_wilson_is_as_published(part: int, whole: int, expected: tuple[float, float]) -> None:
    """Newcombe's first comparison of intervals, with 95% confidence."""
    assert wilson(part, whole, z_of(0.95)) == pytest.approx(expected, abs=6e-5)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ((56, 70), (48, 80), (0.0524, 0.3339)),  # Newcombe 1998b, table II, method 10
        ((9, 10), (3, 10), (0.1705, 0.8090)),
        ((6, 7), (2, 7), (0.0582, 0.8062)),
        ((5, 56), (0, 29), (-0.0381, 0.1926)),
        ((0, 10), (0, 20), (-0.1611, 0.2775)),
        ((10, 10), (0, 20), (0.6791, 1.0)),
    ],
)
def test_differences_are_as_published(
    one: tuple[int, int], other: tuple[int, int], expected: tuple[float, float]
) -> None:
    """Newcombe's second comparison of intervals, with 95% confidence: the first rate less the second."""
    assert difference(other, one, z_of(0.95)) == pytest.approx(expected, abs=6e-5)


def test_more_comparisons_need_wider_intervals() -> None:
    """1.96 standard errors for one, 2.50 for four."""
    assert [round(z_of(0.95, count), 2) for count in (0, 1, 4, 40)] == [1.96, 1.96, 2.5, 3.23]


@given(parts, parts, zs)
def test_a_difference_holds_what_was_seen(old: tuple[int, int], new: tuple[int, int], z: float) -> None:
    """It is no wider than from -1 to 1, and turned around it is the same with the other sign."""
    found, turned = difference(old, new, z), difference(new, old, z)

    assert found.low - 1e-12 <= new[0] / new[1] - old[0] / old[1] <= found.high + 1e-12
    assert (found.low, found.high) == pytest.approx((-turned.high, -turned.low))
    assert -1 <= found.low <= found.high <= 1


@given(parts, parts, zs)
def test_more_of_the_same_narrows_a_difference(old: tuple[int, int], new: tuple[int, int], z: float) -> None:
    """Ten times as many runs with the same rates."""
    few, many = difference(old, new, z), difference((old[0] * 10, old[1] * 10), (new[0] * 10, new[1] * 10), z)

    assert many.high - many.low <= few.high - few.low + 1e-12


@given(parts, zs)
def test_the_same_on_both_sides_is_no_difference(part: tuple[int, int], z: float) -> None:
    """However many there are."""
    assert difference(part, part, z).has(0)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=300), st.sampled_from([0.05, 0.5, 0.95]), zs)
def test_the_interval_of_a_quantile_holds_the_one_of_the_sample(values: list[float], share: float, z: float) -> None:
    """Its ends are values that occurred, or it has no end."""
    quantiles = Quantiles((value, 1) for value in values)
    found = quantile(quantiles, share, z)

    assert found.has(quantiles.at(share) or 0.0)
    assert {each for each in found if not math.isinf(each)} <= set(values)


def test_few_values_say_nothing_of_a_high_quantile() -> None:
    """The 95th percentile of thirty has no upper end: the largest value may well be below it."""
    few = Quantiles((float(value), 1) for value in range(30))
    many = Quantiles((float(value), 1) for value in range(1000))

    assert quantile(few, 0.95, 1.96).high == math.inf
    assert quantile(few, 0.5, 1.96) == Interval(8.0, 21.0)
    assert quantile(many, 0.95, 1.96) == Interval(935.0, 964.0)


@pytest.mark.parametrize("share", [0.5, 0.95])
def test_the_true_quantile_is_in_the_interval_as_often_as_promised(share: float) -> None:
    """Whatever the distribution: here a very uneven one, two thousand times."""
    chance = random.Random(1)
    truth = math.exp(2 * -math.log(1 - share))
    held = 0
    for _ in range(2000):
        sample = Quantiles((math.exp(2 * chance.expovariate(1)), 1) for _ in range(120))
        held += quantile(sample, share, z_of(0.95)).has(truth)

    assert held / 2000 > 0.94
