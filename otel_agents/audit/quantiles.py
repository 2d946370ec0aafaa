"""Quantiles of any number of values in bounded memory, the same in any order; must not know what is measured."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

EXACT: Final = 1000
GROWTH: Final = 1.02
LEAST: Final = 1e-3
MOST: Final = 1e12
_LOG_GROWTH: Final = math.log(GROWTH)
_TO_MIDDLE: Final = 2 / (1 + GROWTH)


class Quantiles:
    """Values with their counts: exact up to 1000 different ones, beyond that each to within one percent.

    Beyond, a value stands for all in its bucket, and buckets grow by two percent; whether there are more than 1000
    different values does not depend on their order, and nor do the buckets.
    """

    def __init__(self, pairs: Iterable[tuple[float, int]] = (), *, is_exact: bool = True) -> None:
        self.count = 0
        self.is_exact = is_exact
        self._counts: dict[float, int] = {}
        for value, count in pairs:
            self.add(value, count)

    def add(self, value: float, count: int = 1) -> None:
        """Take in a value that is not negative."""
        key = value if self.is_exact else _middle(value)
        self._counts[key] = self._counts.get(key, 0) + count
        self.count += count
        if self.is_exact and len(self._counts) > EXACT:
            self.is_exact = False
            exact, self._counts = self._counts, {}
            for each, times in exact.items():
                self._counts[_middle(each)] = self._counts.get(_middle(each), 0) + times

    def pairs(self) -> list[tuple[float, int]]:
        """Return the values with their counts, smallest first."""
        return sorted(self._counts.items())

    def ranked(self, rank: int) -> float:
        """Return the value of this rank: 1 is the smallest.

        Raises:
            IndexError: There is no such rank.
        """
        seen = 0
        for value, count in self.pairs():
            seen += count
            if 1 <= rank <= seen:
                return value
        raise IndexError(rank)

    def at(self, share: float) -> float | None:
        """Return the quantile by nearest rank, which is a value that occurred; None when there is none."""
        return self.ranked(rank_of(share, self.count)) if self.count else None


def rank_of(share: float, count: int) -> int:
    """Return the rank of a quantile among `count` values: the first that has the share at or below it."""
    return max(1, math.ceil(round(share * count, 9)))


def _middle(value: float) -> float:
    """Return what stands for the value's bucket; for that itself it returns the same."""
    if value == 0:
        return 0.0
    index = math.ceil(math.log(min(max(value, LEAST), MOST)) / _LOG_GROWTH)
    return float(f"{GROWTH**index * _TO_MIDDLE:.6g}")
