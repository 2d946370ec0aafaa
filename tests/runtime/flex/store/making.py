"""Material for the tests of the store."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import Any

from otel_agents.runtime.flex.frames import Frame
from otel_agents.runtime.flex.hitl import Question
from otel_agents.runtime.flex.store import QUEUED, NewRun, Store

LEASE_S = 30.0
ENVELOPE = {"objective": "say it"}
_numbers = count(1)


@dataclass
class Clock:
    """A wall clock that stands still until it is told."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def new_run(run_id: str | None = None, **values: Any) -> NewRun:
    """Return a run to be, with an id of its own."""
    run_id = run_id or f"run-{next(_numbers)}"
    return NewRun(
        **({"run_id": run_id, "correlation_id": f"c-{run_id}", "name": "flex", "envelope": ENVELOPE} | values)
    )


def frame(run_id: str, kind: str = "log", **values: Any) -> Frame:
    """Return a frame without a number."""
    return Frame(run_id=run_id, type=kind, correlation_id=f"c-{run_id}", **values)


def question(request_id: str, run_id: str, **values: Any) -> Question:
    """Return a question of a run."""
    known: dict[str, Any] = {"id": request_id, "run_id": run_id, "origin": "policy", "asked_at": 1000.0}
    return Question(**known | values)


async def running(store: Store, owner: str = "me", **values: Any) -> tuple[str, int]:
    """Create and claim a run; return its id and epoch."""
    run_id, _ = await store.runs.create(new_run(**values))
    epoch = await store.leases.claim(run_id, owner, LEASE_S, [QUEUED])
    assert epoch is not None
    return run_id, epoch


async def ask(store: Store, run_id: str, epoch: int, request_id: str, **values: Any) -> None:
    """Ask a question inside a segment."""
    await store.questions.ask(question(request_id, run_id, **values), frame(run_id, "hitl_request"), epoch)
