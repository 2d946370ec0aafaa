"""What the store gives back: rows as immutable facts; must not know tables or SQL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

QUEUED: Final = "queued"  # accepted, no segment began yet
RUNNING: Final = "running"
AWAITING: Final = "awaiting_hitl"
COMPLETED: Final = "completed"
FAILED: Final = "failed"
CANCELLED: Final = "cancelled"
ENDED: Final = (COMPLETED, FAILED, CANCELLED)


class Fenced(Exception):  # noqa: N818 - a segment is told that it is over, nothing went wrong
    """The segment that writes is no longer the one that runs: it stops, and tells nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRun:
    """A run to be. `client_id` is empty when the caller did not say who he is."""

    run_id: str
    correlation_id: str
    name: str
    envelope: Mapping[str, Any]
    client_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """A run without what may be long. `epoch` counts its segments, so 1 is the first."""

    run_id: str
    correlation_id: str
    client_id: str
    name: str
    status: str
    reason: str | None
    plan_version: int | None
    owner: str | None
    lease_until: float | None
    epoch: int
    last_seq: int
    cancel_source: str | None
    cancel_requested_at: float | None
    created_at: float
    updated_at: float
    finished_at: float | None

    @property
    def has_ended(self) -> bool:
        """Whether nothing can happen to the run any more."""
        return self.status in ENDED


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow(RunSummary):
    """A run with its envelope and what came of it."""

    envelope: dict[str, Any]
    error: dict[str, Any] | None
    output: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRow:
    """The state of a node: running, completed, failed, paused, cancelled. No row means pending."""

    node_id: str
    capability_id: str
    status: str
    attempts: int
    outputs: dict[str, Any] | None
    error: dict[str, Any] | None
    started_at: float
    finished_at: float | None


class Asked(Protocol):
    """What `Questions.ask` reads of a question. Times are wall clock seconds."""

    @property
    def id(self) -> str: ...
    @property
    def run_id(self) -> str: ...
    @property
    def node_id(self) -> str | None: ...
    @property
    def capability_id(self) -> str | None: ...
    @property
    def origin(self) -> str: ...
    @property
    def prompt(self) -> str | None: ...
    @property
    def plan_version(self) -> int | None: ...
    @property
    def provenance(self) -> Mapping[str, Any] | None: ...
    @property
    def asked_at(self) -> float: ...
    @property
    def expires_at(self) -> float | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionRow:
    """A question to a human and, once there is one, the answer; `settled_at` is when a segment acted on it."""

    id: str
    run_id: str
    correlation_id: str
    node_id: str | None
    capability_id: str | None
    origin: str
    prompt: str | None
    plan_version: int | None
    provenance: dict[str, Any] | None
    asked_at: float
    expires_at: float | None
    decision: str | None
    value: Any
    text: str | None
    by: str | None
    answered_at: float | None
    settled_at: float | None


@dataclass(frozen=True, slots=True)
class Cancel:
    """Somebody wants a run cancelled, since a wall clock second."""

    run_id: str
    source: str
    requested_at: float
