"""Counts of one group of audit records, and their rates; must not know how records are read or groups are shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from otel_agents.audit import records as r
from otel_agents.audit.kept import Kept
from otel_agents.audit.quantiles import Quantiles
from otel_agents.audit.reading import LARGEST, Record

NAMES: Final = 1000
DIGITS: Final = 6
MOST: Final = 1 << 53  # counts beyond are none, and no number of JSON that everybody reads
# Ends of a run, in the words of the audit, and the field in which they are counted.
ENDS: Final[Mapping[str, str]] = {"complete": "completed", "error": "errors", "cancelled": "cancelled"}
STATES: Final[Mapping[str, str]] = {
    "start": "started",
    "resumed": "resumed",
    "paused": "paused",
    "cancel_requested": "cancel_requested",
    **ENDS,
}


class Count:
    """A number that grows."""

    __slots__ = ("number",)

    def __init__(self) -> None:
        self.number = 0


def names() -> Kept[Count]:
    """Return counts by name, for names that nobody bounds."""
    return Kept(Count, NAMES)


@dataclass(slots=True)
class Runs:
    """How runs went."""

    states: Counter[str] = field(default_factory=Counter)

    def add(self, record: Record) -> None:
        """Count a `run.state` record."""
        self.states[STATES.get(str(record["state"]), "")] += 1

    @property
    def ended(self) -> int:
        """How many ended; a pause is no end."""
        return sum(self.states[name] for name in ENDS.values())

    def as_dict(self) -> dict[str, Any]:
        """Return counts and rates."""
        ended = self.ended
        counts = {name: self.states[name] for name in STATES.values()}
        rates = {
            "completion_rate": rate(counts["completed"], ended),
            "error_rate": rate(counts["errors"], ended),
            "cancel_rate": rate(counts["cancelled"], ended),
        }
        return {**counts, "ended": ended, **rates}


@dataclass(slots=True)
class Group:
    """What happened in one group of records."""

    runs: Runs = field(default_factory=Runs)
    requested: int = 0
    acknowledged: int = 0
    latency: Quantiles = field(default_factory=Quantiles)
    matches: Kept[Count] = field(default_factory=names)
    skips: Kept[Count] = field(default_factory=names)
    matched: int = 0
    skipped: int = 0

    def add(self, record: Record) -> None:
        """Count a record."""
        self._BY_TYPE[str(record["type"])](self, record)

    def _state(self, record: Record) -> None:
        self.runs.add(record)

    def _cancel(self, record: Record) -> None:
        self.requested += 1
        self.acknowledged += record["acknowledged"] is True
        latency_ms = record["latency_ms"]
        if record["acknowledged"] is True and isinstance(latency_ms, int | float):
            self.latency.add(abs(float(latency_ms)))  # -0.0 is 0.0, whichever came first

    def _match(self, record: Record) -> None:
        self.matched += 1
        _count(self.matches, record["rule_name"])

    def _skip(self, record: Record) -> None:
        self.skipped += 1
        _count(self.skips, record["reason"])

    def as_dict(self, top: int) -> dict[str, Any]:
        """Return counts and rates, with the `top` rules and reasons."""
        seen = self.matched + self.skipped
        latency = self.latency
        return {
            "runs": self.runs.as_dict(),
            "cancels": {
                "requested": self.requested,
                "acknowledged": self.acknowledged,
                "acknowledged_rate": rate(self.acknowledged, self.requested),
                "latency_ms": {
                    "count": latency.count,
                    "p50": latency.at(0.5),
                    "p95": latency.at(0.95),
                    "exact": latency.is_exact,
                    "values": [list(pair) for pair in latency.pairs()],
                },
            },
            "reactions": {
                "matched": self.matched,
                "skipped": self.skipped,
                "match_rate": rate(self.matched, seen),
                "skip_rate": rate(self.skipped, seen),
                "rules": ranking(self.matches, top),
                "reasons": ranking(self.skips, top),
            },
        }

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Group:
        """Return the group that `as_dict` told of, without rules and reasons.

        Raises:
            KeyError, TypeError, ValueError: It is no such mapping.
        """
        runs, cancels, reactions = told["runs"], told["cancels"], told["reactions"]
        latency = cancels["latency_ms"]
        values = [(_latency(value), count_of(count)) for value, count in latency["values"]]
        requested = count_of(cancels["requested"])
        return cls(
            runs=Runs(Counter({name: count_of(runs[name]) for name in STATES.values()})),
            requested=requested,
            acknowledged=count_of(cancels["acknowledged"], most=requested),
            latency=Quantiles(values, is_exact=bool(latency["exact"])),
            matched=count_of(reactions["matched"]),
            skipped=count_of(reactions["skipped"]),
        )

    _BY_TYPE: ClassVar[Mapping[str, Callable[[Group, Record], None]]] = {
        r.RUN_STATE: _state,
        r.RUN_CANCEL: _cancel,
        r.REACTION_MATCH: _match,
        r.REACTION_SKIP: _skip,
    }


def count_of(value: object, *, most: int = MOST) -> int:
    """Return a count as it is.

    Raises:
        ValueError: It is none.
    """
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most:
        return value
    raise ValueError(f"{value!r} is no count")


def _latency(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= LARGEST:
        return float(value)
    raise ValueError(f"{value!r} is no latency")


def rate(part: int, whole: int) -> float | None:
    """Return a share, None of nothing."""
    return round(part / whole, DIGITS) if whole else None


def ranking(counts: Kept[Count], top: int) -> list[dict[str, Any]]:
    """Return the names with the largest counts, largest first."""
    return [{"name": name, "count": each.number} for name, each in ranked(counts, top, lambda each: each.number)]


def ranked(kept: Kept[Any], top: int, size: Callable[[Any], int]) -> list[tuple[str | None, Any]]:
    """Return names and values with the largest sizes; equal ones in the order of their names."""
    return sorted(kept.items(), key=lambda each: -size(each[1]))[:top]


def _count(counts: Kept[Count], name: object) -> None:
    count = counts.of(None if name is None else str(name))
    if count is not None:
        count.number += 1
