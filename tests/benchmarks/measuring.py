"""Compares costs in CPU time, round by round in turn; must not know what is compared."""

from __future__ import annotations

import gc
import math
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any


def nothing() -> None:
    """Prepare nothing."""


@dataclass(frozen=True, slots=True)
class Case:
    """Something that is measured. Only ``run`` is timed, ``prepare`` comes before each round."""

    name: str
    run: Callable[[], object]
    prepare: Callable[[], object] = nothing


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison: the median of the ratios of all rounds, between their quartiles.

    ``goal`` is the highest ratio that is good enough; None where there is nothing to reach. ``note`` is what the two
    numbers are, in a unit of time.
    """

    group: str
    name: str
    ratio: float
    low: float
    high: float
    goal: float | None = None
    note: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the row as JSON data."""
        return asdict(self)

    @property
    def is_reached(self) -> bool | None:
        """Whether the goal is reached; None without a goal."""
        return None if self.goal is None else round(self.ratio, 2) <= self.goal


def in_turn(
    cases: Iterable[Case], rounds: int, clock: Callable[[], float] = time.process_time
) -> dict[str, list[float]]:
    """Return the seconds that each round of each case took, after one round that does not count.

    The cases take turns, in the reverse order every second time, so that a machine that slows down or is busy with
    something else does so to all of them. The collector stays on, as it is in production: who allocates pays.
    """
    every = list(cases)
    spent: dict[str, list[float]] = {case.name: [] for case in every}
    for number in range(rounds + 1):
        for case in every if number % 2 else reversed(every):
            case.prepare()
            gc.collect()
            began = clock()
            case.run()
            spent[case.name].append(clock() - began)
    return {name: each[1:] for name, each in spent.items()}


def compare(
    group: str, name: str, ours: Sequence[float], base: Sequence[float], *, goal: float | None = None, note: str = ""
) -> Row:
    """Return the ratios of two cases that were measured in turn."""
    ratios = [a / b for a, b in zip(ours, base, strict=True)]
    low, _, high = statistics.quantiles(ratios, n=4)
    return Row(group, name, statistics.median(ratios), low, high, goal, note)


def interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float]:
    """Return between which two values the true median lies, by their ranks: nothing is supposed of the distribution.

    Of n independent values, the number below the true median is that of heads in n throws of a coin.
    """
    ordered, n = sorted(values), len(values)
    chances = [math.comb(n, rank) / 2**n for rank in range(n)]
    below = max((rank for rank in range(n // 2) if sum(chances[: rank + 1]) <= (1 - confidence) / 2), default=0)
    return ordered[below], ordered[n - 1 - below]


def micros(spent: Sequence[float], calls: int) -> str:
    """Return the time of one call, as text."""
    return f"{statistics.median(spent) / calls * 1e6:.1f} µs"
