"""Values by name in bounded memory."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from otel_agents.audit.kept import Kept

names = st.lists(st.one_of(st.none(), st.text(max_size=3)))


def _counted(given_: list[str | None], size: int) -> Kept[list[int]]:
    kept: Kept[list[int]] = Kept(list, size)
    for name in given_:
        value = kept.of(name)
        if value is not None:
            value.append(1)
    return kept


@given(names)
def test_few_names_are_all_kept(given_: list[str | None]) -> None:
    """Each with all of its own, in the order of the names, the nameless first."""
    kept = _counted(given_, 1000)

    assert {name: len(value) for name, value in kept.items()} == {name: given_.count(name) for name in given_}
    listed = [name for name, _ in kept.items() if name is not None]
    assert listed == sorted(listed)
    assert (len(kept), kept.is_sample) == (len(set(given_)), False)


@given(names, st.integers(min_value=1, max_value=5), st.randoms())
def test_of_many_names_a_sample_is_kept_whatever_the_order(
    given_: list[str | None], size: int, chance: random.Random
) -> None:
    """The same names in any order, and each that is kept is complete."""
    mixed = given_.copy()
    chance.shuffle(mixed)
    kept, again = _counted(given_, size), _counted(mixed, size)

    assert [(name, len(value)) for name, value in kept.items()] == [(name, len(value)) for name, value in again.items()]
    assert all(len(value) == given_.count(name) for name, value in kept.items())
    assert sum(1 for _ in kept.items()) == min(size, len(set(given_)))
    assert kept.is_sample == (len(set(given_)) > size)


def test_the_number_of_names_is_estimated_from_the_sample() -> None:
    """Right to within a few percent for a sample of a thousand."""
    kept = _counted([f"name {number % 50_000}" for number in range(60_000)], 1000)

    assert kept.is_sample
    assert abs(len(kept) - 50_000) < 5000
