"""Compares two windows by rates and latencies, so that chance does not look like change; must not know the sides."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, NamedTuple

from otel_agents.audit import intervals
from otel_agents.audit.groups import DIGITS, Group, rate
from otel_agents.audit.intervals import Interval
from otel_agents.audit.moments import shown, shown_span
from otel_agents.audit.reading import Unusable
from otel_agents.audit.sides import Side

FORMAT: Final = "otel-agents-drift/1"
Verdict = Literal["drift", "no drift", "too few"]
Part = Callable[[Group], tuple[int, int]]

# What is compared: the name, and how many of how many, or which quantile.
RATES: Final[Mapping[str, Part]] = {
    "completion rate": lambda group: (group.runs.states["completed"], group.runs.ended),
    "error rate": lambda group: (group.runs.states["errors"], group.runs.ended),
    "cancel rate": lambda group: (group.runs.states["cancelled"], group.runs.ended),
    "cancels acknowledged": lambda group: (group.acknowledged, group.requested),
    "reaction match rate": lambda group: (group.matched, group.matched + group.skipped),
}
LATENCIES: Final[Mapping[str, float]] = {"cancel latency p50": 0.5, "cancel latency p95": 0.95}


@dataclass(frozen=True, slots=True)
class Rules:
    """When a change is drift.

    Attributes:
        rate: The least change of a rate, as a share: 0.05 is five percentage points.
        latency: The least change of a latency, as a share of the old one.
        confidence: How sure to be of all comparisons at once.
        samples: How many each side must have, at least.
        max_age_ms: How long ago the new window may have ended; None: however long.
    """

    rate: float = 0.05
    latency: float = 0.25
    confidence: float = 0.95
    samples: int = 30
    max_age_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """One measure of one group on both sides. Rates are shares, latencies milliseconds.

    `channel` is None for records without one, and for all records together, which are `whole`. `interval` is where the
    true change lies; None when one side has too few.
    """

    channel: str | None
    whole: bool
    measure: str
    unit: Literal["share", "ms"]
    counts: tuple[int, int]
    old: float | None
    new: float | None
    interval: Interval | None
    verdict: Verdict

    @property
    def change(self) -> float | None:
        """The new value less the old one."""
        return None if self.old is None or self.new is None else self.new - self.old

    def as_dict(self) -> dict[str, Any]:
        """Return all of it; an end that the interval has not is null."""
        ends = self.interval or (math.inf, math.inf)
        return {
            "channel": self.channel,
            "whole": self.whole,
            "measure": self.measure,
            "unit": self.unit,
            "old": _rounded(self.old),
            "new": _rounded(self.new),
            "old_count": self.counts[0],
            "new_count": self.counts[1],
            "change": _rounded(self.change),
            "change_low": _rounded(ends[0]),
            "change_high": _rounded(ends[1]),
            "verdict": self.verdict,
        }


@dataclass(frozen=True, slots=True)
class Drift:
    """The result of a comparison."""

    old: Side
    new: Side
    rules: Rules
    now_ms: int
    comparisons: tuple[Comparison, ...]

    @property
    def found(self) -> tuple[Comparison, ...]:
        """The comparisons that are drift."""
        return tuple(each for each in self.comparisons if each.verdict == "drift")

    @property
    def age_ms(self) -> int | None:
        """How long ago the new window ended."""
        return None if self.new.last_ms is None else max(0, self.now_ms - self.new.last_ms)

    def as_dict(self) -> dict[str, Any]:
        """Return all of it; what has no end is null."""
        return {
            "format": FORMAT,
            "checked_at": shown(self.now_ms),
            "drift": bool(self.found),
            "rules": asdict(self.rules),
            "old": self.old.as_dict(),
            "new": {**self.new.as_dict(), "age_ms": self.age_ms},
            "comparisons": [each.as_dict() for each in self.comparisons],
        }

    def to_json(self) -> str:
        """Return all of it as JSON."""
        return json.dumps(self.as_dict(), indent=2, allow_nan=False) + "\n"


def compare(old: Side, new: Side, rules: Rules, now_ms: int) -> Drift:
    """Compare all of two windows, and each channel that both have.

    A rate drifts when it changed by at least the threshold and the interval of its change excludes none; a latency
    when it changed by at least its threshold and the intervals of the two quantiles have no value in common. The
    chance of a false alarm is shared by all comparisons that can be made.

    Raises:
        Unusable: The new window ended too long ago.
    """
    _check_age(new, rules, now_ms)
    both = sorted(old.channels.keys() & new.channels.keys(), key=lambda name: (name is not None, name or ""))
    pairs = [_Pair(None, True, old.total, new.total)]
    pairs += [_Pair(name, False, old.channels[name], new.channels[name]) for name in both]
    made = sum(min(counts) >= rules.samples for pair in pairs for counts in pair.counts())
    z = intervals.z_of(rules.confidence, made)
    return Drift(old, new, rules, now_ms, tuple(each for pair in pairs for each in pair.compared(rules, z)))


def _check_age(new: Side, rules: Rules, now_ms: int) -> None:
    if rules.max_age_ms is None:
        return
    if new.last_ms is None:
        raise Unusable("the new window has no times, so its age is not known")
    age_ms = now_ms - new.last_ms
    if age_ms > rules.max_age_ms:
        raise Unusable(
            f"the new window ended {shown_span(age_ms)} ago, and may be {shown_span(rules.max_age_ms)} old at most"
        )


class _Measured(NamedTuple):
    """A measure on both sides, and where its change lies; nothing when a side has none."""

    old: float | None
    new: float | None
    interval: Interval | None


class _Pair(NamedTuple):
    """The same group on both sides."""

    channel: str | None
    whole: bool
    old: Group
    new: Group

    def counts(self) -> Iterator[tuple[int, int]]:
        """Yield how many each side has of what is compared, for each measure."""
        yield from ((part(self.old)[1], part(self.new)[1]) for part in RATES.values())
        yield from ((self.old.latency.count, self.new.latency.count) for _ in LATENCIES)

    def compared(self, rules: Rules, z: float) -> Iterator[Comparison]:
        """Yield the comparison of each measure."""
        counts = self.counts()
        for name, part in RATES.items():
            yield self._judged(name, "share", next(counts), self._rate(part, z), rules)
        for name, share in LATENCIES.items():
            yield self._judged(name, "ms", next(counts), self._latency(share, z), rules)

    def _rate(self, part: Part, z: float) -> _Measured:
        old, new = part(self.old), part(self.new)
        interval = intervals.difference(old, new, z) if old[1] and new[1] else None
        return _Measured(rate(*old), rate(*new), interval)

    def _latency(self, share: float, z: float) -> _Measured:
        old, new = self.old.latency, self.new.latency
        was, is_ = intervals.quantile(old, share, z), intervals.quantile(new, share, z)
        return _Measured(old.at(share), new.at(share), Interval(is_.low - was.high, is_.high - was.low))

    def _judged(
        self, name: str, unit: Literal["share", "ms"], counts: tuple[int, int], measured: _Measured, rules: Rules
    ) -> Comparison:
        old, new, interval = measured
        if min(counts) < rules.samples or old is None or new is None or interval is None:
            return Comparison(self.channel, self.whole, name, unit, counts, old, new, None, "too few")
        least = rules.rate if unit == "share" else rules.latency * old
        is_drift = not interval.has(0) and round(abs(new - old), DIGITS) >= round(least, DIGITS)
        verdict: Verdict = "drift" if is_drift else "no drift"
        return Comparison(self.channel, self.whole, name, unit, counts, old, new, interval, verdict)


def _rounded(value: float | None) -> float | None:
    return None if value is None or math.isinf(value) else round(value, DIGITS)
