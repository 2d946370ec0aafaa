"""Sums up audit records of a window into rates, the same whatever the order; must not know how they are shown."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from otel_agents.audit import records as r
from otel_agents.audit.groups import Group, Runs, ranked
from otel_agents.audit.kept import Kept
from otel_agents.audit.moments import shown
from otel_agents.audit.reading import Quality, Record, Unusable, found, records

FORMAT: Final = "otel-agents-baseline/1"
CHANNELS: Final = 1000
SESSIONS: Final = 10_000
TOP: Final = 10
NO_CHANNEL: Final = "-"
CANCEL_STATES: Final = ("cancel_requested", "cancelled")


@dataclass(frozen=True, slots=True)
class Window:
    """Which records are summed up; None and empty ask nothing. `until_ms` is not part of it; `-` is no channel."""

    since_ms: int | None = None
    until_ms: int | None = None
    channels: tuple[str, ...] = ()
    runtimes: tuple[str, ...] = ()

    def holds(self, record: Record) -> bool:
        """Say whether a record is one of those; one without a time is in no window that has a bound."""
        ms, channel = record["ms"], record["channel"]
        if self.channels and (NO_CHANNEL if channel is None else channel) not in self.channels:
            return False
        if self.runtimes and record["runtime"] not in self.runtimes:
            return False
        if not isinstance(ms, int):
            return self.since_ms is None and self.until_ms is None
        return (self.since_ms is None or ms >= self.since_ms) and (self.until_ms is None or ms < self.until_ms)

    def as_dict(self) -> dict[str, Any]:
        """Return it as it was asked for."""
        return {
            "since": shown(self.since_ms),
            "until": shown(self.until_ms),
            "channels": sorted(set(self.channels)),
            "runtimes": sorted(set(self.runtimes)),
        }


@dataclass(slots=True)
class Baseline:
    """What is known of a window: all of it, and by channel and session."""

    window: Window = field(default_factory=Window)
    quality: Quality = field(default_factory=Quality)
    total: Group = field(default_factory=Group)
    channels: Kept[Group] = field(default_factory=lambda: Kept(Group, CHANNELS))
    sessions: Kept[Runs] = field(default_factory=lambda: Kept(Runs, SESSIONS))
    count: int = 0
    outside: int = 0
    first_ms: int | None = None
    last_ms: int | None = None

    def add(self, record: Record) -> None:
        """Count a record if it is in the window."""
        if not self.window.holds(record):
            self.outside += 1
            return
        self.count += 1
        self._stretch(record["ms"])
        self.total.add(record)
        channel, session = record["channel"], record["session_id"]
        group = self.channels.of(None if channel is None else str(channel))
        if group is not None:
            group.add(record)
        runs = self.sessions.of(str(session)) if record["type"] == r.RUN_STATE and session is not None else None
        if runs is not None:
            runs.add(record)

    def _stretch(self, ms: object) -> None:
        if isinstance(ms, int):
            self.first_ms = ms if self.first_ms is None else min(self.first_ms, ms)
            self.last_ms = ms if self.last_ms is None else max(self.last_ms, ms)

    def as_dict(self, top: int = TOP) -> dict[str, Any]:
        """Return all of it, with the `top` rules, reasons and sessions."""
        q = self.quality
        sessions = ranked(self.sessions, top, lambda runs: runs.ended)
        return {
            "format": FORMAT,
            "window": {"first": shown(self.first_ms), "last": shown(self.last_ms), **self.window.as_dict()},
            "input": {
                "files": q.files,
                "lines": q.lines,
                "records": self.count,
                "outside": self.outside,
                "broken": q.broken,
                "damaged_files": q.damaged,
                "unknown_types": q.unknown,
                "incomplete": dict(sorted(q.incomplete.items())),
            },
            "total": self.total.as_dict(top),
            "channels": [{"channel": name, **group.as_dict(top)} for name, group in self.channels.items()],
            "sessions": {
                "count": len(self.sessions),
                "sampled": self.sessions.is_sample,
                "top": [{"session_id": name, **runs.as_dict()} for name, runs in sessions],
            },
        }

    def to_json(self, top: int = TOP) -> str:
        """Return all of it as JSON, the same bytes for the same records."""
        return json.dumps(self.as_dict(top), indent=2, allow_nan=False) + "\n"

    def check(self) -> None:
        """Refuse input from which nothing can be told.

        Raises:
            Unusable: No record is in the window; says why.
        """
        q = self.quality
        if self.count:
            return
        files = f"{q.files} file" if q.files == 1 else f"{q.files} files"
        if self.outside:
            raise Unusable(f"none of the {self.outside} records is in the window that was asked for")
        if q.lines:
            told = f"{q.broken} of {q.lines} lines are no JSON objects, {q.unknown} are no records"
            raise Unusable(f"there is no audit record in {files}: {told}")
        raise Unusable(f"there is nothing in {files}")


def summarize(paths: Iterable[Path], window: Window | None = None) -> Baseline:
    """Sum up the records of files in a window.

    Raises:
        Unusable: A file cannot be read, or no record is in the window.
    """
    baseline = Baseline(window or Window())
    for record in records(found(paths), baseline.quality):
        baseline.add(record)
    baseline.check()
    return baseline


def cancel_window(paths: Iterable[Path], window: Window, length_ms: int) -> Window:
    """Return, of all windows of a length that begin at multiples of it since 1970, the one with the most cancels.

    The latest of them, when several have as many.

    Raises:
        Unusable: A file cannot be read, or there is no cancel.
    """
    counts = Counter(
        ms // length_ms
        for record in records(found(paths), Quality())
        if window.holds(record) and _is_cancel(record) and isinstance(ms := record["ms"], int)
    )
    if not counts:
        raise Unusable("there is no cancel in these files")
    number = max(counts, key=lambda each: (counts[each], each))
    since, until = number * length_ms, (number + 1) * length_ms
    return Window(
        since if window.since_ms is None else max(since, window.since_ms),
        until if window.until_ms is None else min(until, window.until_ms),
        window.channels,
        window.runtimes,
    )


def _is_cancel(record: Record) -> bool:
    return record["type"] == r.RUN_CANCEL or record.get("state") in CANCEL_STATES
