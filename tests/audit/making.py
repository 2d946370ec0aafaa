"""Makes audit records and files of them for tests."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from otel_agents.bus.event import rfc3339

NOON_MS = 1_767_355_200_000  # 2026-01-02T12:00:00Z
MINUTE_MS = 60_000

Record = dict[str, Any]


def record(type_: str, at: int = 0, **fields: Any) -> Record:
    """Return a record of the gateway, some minutes after noon; fields that are given replace others."""
    entry = {"ts": rfc3339((NOON_MS + at * MINUTE_MS) * 1_000_000), "run_id": "run-1", "session_id": "s-1"}
    return {"type": type_, **entry, "channel": "mail", "runtime": "gateway", **fields}


def state(state_: str, at: int = 0, **fields: Any) -> Record:
    return record("run.state", at, **{"state": state_, **fields})


def cancel(latency_ms: float | None, at: int = 0, **fields: Any) -> Record:
    told = {"source": "user", "requested": True, "acknowledged": latency_ms is not None, "latency_ms": latency_ms}
    return record("run.cancel", at, **{**told, **fields})


def match(rule: str = "greet", at: int = 0, **fields: Any) -> Record:
    return record("reaction.match", at, **{"rule_name": rule, "sender": "x", "filter_summary": None, **fields})


def skip(reason: str = "no_rule", at: int = 0, **fields: Any) -> Record:
    return record("reaction.skip", at, **{"reason": reason, "candidate_count": 1, **fields})


def ended(states: Mapping[str, int], **fields: Any) -> list[Record]:
    """Return records of runs by the state in which they ended, each with its start."""
    return [
        each
        for name, count in states.items()
        for number in range(count)
        for each in (state("start", number, **fields), state(name, number, **fields))
    ]


def text(records: Iterable[Record]) -> str:
    return "".join(f"{json.dumps(each)}\n" for each in records)


def write(path: Path, records: Iterable[Record]) -> Path:
    path.write_text(text(records), encoding="utf-8")
    return path


def read(path: Path) -> list[Record]:
    """Return the records of a file, all of whose lines are whole."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
