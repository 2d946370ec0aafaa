"""Confidence intervals for rates and quantiles; must not know what they are of."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import NamedTuple

from otel_agents.audit.quantiles import Quantiles


class Interval(NamedTuple):
    """Where the truth lies, as far as the sample tells; infinite where it does not tell."""

    low: float
    high: float

    def has(self, value: float) -> bool:
        """Say whether the value may be the truth."""
        return self.low <= value <= self.high


def z_of(confidence: float, comparisons: int = 1) -> float:
    """Return how many standard errors wide each of several intervals has to be, so that all hold at once.

    By Bonferroni: the chance to be wrong is shared by all comparisons.
    """
    return NormalDist().inv_cdf(1 - (1 - confidence) / (2 * max(1, comparisons)))


def wilson(part: int, whole: int, z: float) -> Interval:
    """Return the interval of a rate (Wilson's score interval).

    Raises:
        ZeroDivisionError: `whole` is 0.
    """
    share, squared = part / whole, z * z
    middle = share + squared / (2 * whole)
    reach = z * math.sqrt(share * (1 - share) / whole + squared / (4 * whole * whole))
    scale = 1 + squared / whole
    return Interval(max(0.0, (middle - reach) / scale), min(1.0, (middle + reach) / scale))


def difference(old: tuple[int, int], new: tuple[int, int], z: float) -> Interval:
    """Return the interval of the second rate less the first, each given as part and whole.

    Newcombe's hybrid score interval, his method 10: it is right for small samples and for rates near 0 and 1.

    Raises:
        ZeroDivisionError: A whole is 0.
    """
    was, is_ = old[0] / old[1], new[0] / new[1]
    around_old, around_new = wilson(*old, z), wilson(*new, z)
    change = is_ - was
    down = math.hypot(is_ - around_new.low, around_old.high - was)
    up = math.hypot(around_new.high - is_, was - around_old.low)
    return Interval(max(-1.0, change - down), min(1.0, change + up))


def quantile(values: Quantiles, share: float, z: float) -> Interval:
    """Return the interval of a quantile, between two values that occurred.

    Free of any assumption on the distribution: the rank of the true quantile in the sample is binomial. By its normal
    approximation, rounded outwards; where the rank may lie outside the sample the interval has no end.
    """
    count = values.count
    reach = z * math.sqrt(count * share * (1 - share))
    low, high = math.floor(count * share - reach), math.ceil(count * share + reach) + 1
    return Interval(
        values.ranked(low) if low >= 1 else -math.inf,
        values.ranked(high) if high <= count else math.inf,
    )
