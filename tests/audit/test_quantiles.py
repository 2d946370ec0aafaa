"""Quantiles in bounded memory."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_agents.audit.quantiles import EXACT, Quantiles

latencies = st.floats(min_value=0, max_value=1e9, allow_nan=False)


def _of(values: list[float]) -> Quantiles:
    quantiles = Quantiles()
    for value in values:
        quantiles.add(value)
    return quantiles


@given(st.lists(latencies, min_size=1), st.floats(min_value=0, max_value=1))
def test_few_values_are_exact(values: list[float], share: float) -> None:
    """A quantile is by nearest rank, so it is one of the values: the first with the share at or below it."""
    found = _of(values).at(share)
    assert found is not None

    assert found in values
    assert sum(each <= found for each in values) >= share * len(values) - 1e-6
    assert sum(each < found for each in values) <= share * len(values) + 1e-6


def test_known_quantiles() -> None:
    """The median of four is the second; the 95th percentile of twenty is the nineteenth."""
    assert _of([4, 1, 3, 2]).at(0.5) == 2
    assert _of(list(range(1, 21))).at(0.95) == 19
    assert _of([7]).at(0.95) == 7
    assert Quantiles().at(0.5) is None


@settings(deadline=None)
@given(st.lists(latencies), st.randoms())
def test_the_order_does_not_matter(values: list[float], chance: random.Random) -> None:
    """Nor does it matter beyond what is kept exactly."""
    many = [*values, *(float(each) for each in range(EXACT))]
    mixed = many.copy()
    chance.shuffle(mixed)

    assert _of(many).pairs() == _of(mixed).pairs()


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.95, 1.0])
def test_many_values_are_right_to_one_percent(share: float) -> None:
    """Beyond a thousand different ones a bucket stands for them."""
    chance = random.Random(1)
    values = sorted(chance.lognormvariate(3, 2) for _ in range(20_000))
    quantiles = _of(values)
    exact = values[max(1, math.ceil(share * len(values))) - 1]

    assert not quantiles.is_exact
    assert quantiles.at(share) == pytest.approx(exact, rel=0.0101)
    assert quantiles.count == 20_000


def test_any_number_of_values_takes_bounded_memory() -> None:
    """From nothing to centuries there are fewer than two thousand buckets."""
    chance = random.Random(1)
    quantiles = _of([0.0, *(10 ** chance.uniform(-30, 30) for _ in range(50_000))])

    assert len(quantiles.pairs()) < 2000
    assert quantiles.at(0) == 0


@settings(deadline=None)
@given(st.lists(latencies), st.booleans())
def test_pairs_make_the_same_quantiles_again(values: list[float], is_many: bool) -> None:
    """As when a summary is read that was written before."""
    told = _of([*values, *([each / 7 for each in range(EXACT)] if is_many else [])])
    again = Quantiles(told.pairs(), is_exact=told.is_exact)

    assert (again.pairs(), again.is_exact, again.count) == (told.pairs(), told.is_exact, told.count)


def test_ranks_begin_at_one() -> None:
    """A rank that there is not raises."""
    quantiles = _of([5, 3, 3])

    assert [quantiles.ranked(rank) for rank in (1, 2, 3)] == [3, 3, 5]
    for rank in (0, 4):
        with pytest.raises(IndexError):
            quantiles.ranked(rank)
