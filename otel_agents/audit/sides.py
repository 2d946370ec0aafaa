"""The two sides of a comparison, each from logs or from a summary; must not know how they are compared."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from otel_agents.audit.baseline import FORMAT, Baseline, summarize
from otel_agents.audit.groups import Group, count_of
from otel_agents.audit.moments import moment, shown
from otel_agents.audit.reading import Unusable, opened

HEAD: Final = 256


@dataclass(frozen=True, slots=True)
class Side:
    """One window: its groups, how many records it has, and when they were written."""

    total: Group
    channels: Mapping[str | None, Group]
    count: int
    first_ms: int | None
    last_ms: int | None

    @classmethod
    def of(cls, baseline: Baseline) -> Side:
        """Return the side that a baseline is."""
        channels = dict(baseline.channels.items())
        return cls(baseline.total, channels, baseline.count, baseline.first_ms, baseline.last_ms)

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Side:
        """Return the side that the JSON form of a baseline tells of.

        Raises:
            KeyError, TypeError, ValueError, AttributeError: It is no such mapping.
        """
        channels = {each["channel"]: Group.from_dict(each) for each in told["channels"]}
        window = told["window"]
        total, count = Group.from_dict(told["total"]), count_of(told["input"]["records"])
        return cls(total, channels, count, moment(window["first"]), moment(window["last"]))

    def as_dict(self) -> dict[str, Any]:
        """Return what it is, without what is in it."""
        runs = self.total.runs.ended
        return {"records": self.count, "runs": runs, "first": shown(self.first_ms), "last": shown(self.last_ms)}


def load(path: Path) -> Side:
    """Return one side: a summary that was written as JSON, a log, or a directory of logs.

    Raises:
        Unusable: It is none of these, or no run ends in it.
    """
    side = _summary(path) if _is_summary(path) else Side.of(summarize([path]))
    if not side.total.runs.ended:
        raise Unusable(f"{path}: no run ends in it, so there are no rates")
    return side


def _is_summary(path: Path) -> bool:
    if not path.is_file():
        return False
    try:
        with opened(path) as file:
            return FORMAT.encode() in file.read(HEAD)
    except (OSError, EOFError, zlib.error):
        return False  # the reader of logs says what is wrong with it


def _summary(path: Path) -> Side:
    try:
        with opened(path) as file:
            return Side.from_dict(json.loads(file.read()))
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError, OSError, EOFError, zlib.error):
        raise Unusable(f"{path} is no whole summary; write it again by otel-agents baseline summarize") from None
