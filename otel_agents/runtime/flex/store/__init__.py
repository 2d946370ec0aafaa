"""What a run must not lose: a database behind a small asynchronous face; must not know who runs what, and why."""

from otel_agents.runtime.flex.store.rows import (
    AWAITING,
    CANCELLED,
    COMPLETED,
    ENDED,
    FAILED,
    QUEUED,
    RUNNING,
    Asked,
    Cancel,
    Fenced,
    NewRun,
    NodeRow,
    QuestionRow,
    RunRow,
    RunSummary,
)
from otel_agents.runtime.flex.store.store import Store

__all__ = [
    "AWAITING",
    "CANCELLED",
    "COMPLETED",
    "ENDED",
    "FAILED",
    "QUEUED",
    "RUNNING",
    "Asked",
    "Cancel",
    "Fenced",
    "NewRun",
    "NodeRow",
    "QuestionRow",
    "RunRow",
    "RunSummary",
    "Store",
]
