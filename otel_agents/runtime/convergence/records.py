"""What a converging run is asked for, what happened in it, and how it ended; must not know how it is run."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

BUILD: Final = "build"
SNAPSHOT: Final = "snapshot"
VERIFY: Final = "verify"
FEEDBACK: Final = "feedback"

Status = Literal["new", "running", "paused", "succeeded", "failed", "cancelled"]
Decision = Literal["approved", "edited", "rejected", "responded"]

NEW: Final = "new"
RUNNING: Final = "running"
PAUSED: Final = "paused"
SUCCEEDED: Final = "succeeded"
FAILED: Final = "failed"
CANCELLED: Final = "cancelled"
OVER: Final = (SUCCEEDED, FAILED, CANCELLED)

MAX_ITERATIONS: Final = 5


def new_id() -> str:
    """Return an id for a run."""
    return uuid.uuid4().hex


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What is to be reached, and how far a run may go for it. Without a correlation id the run id is taken.

    Raises:
        ValueError: There is no goal, or no iteration is allowed.
    """

    goal: str
    strategy: str = "until_green"
    max_iterations: int = MAX_ITERATIONS
    work_order_id: str | None = None
    correlation_id: str = ""
    run_id: str = field(default_factory=new_id)

    def __post_init__(self) -> None:
        if not self.goal.strip():
            raise ValueError("goal is empty; say what the run is to reach")
        if type(self.max_iterations) is not int or self.max_iterations < 1:
            raise ValueError(f"max_iterations is {self.max_iterations!r}; give a whole number from 1")
        if not self.run_id:
            raise ValueError("run_id is empty; leave it out to get a new one")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a gate says; the note is for the feedback."""

    gate: str
    passed: bool
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What came of handing the result over."""

    success: bool = True
    pr_url: str = ""
    ci_status: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """What a human is asked, and by which phase or gate."""

    id: str
    text: str
    origin: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a human says to a question."""

    decision: Decision = "approved"
    value: Any = None

    @property
    def is_yes(self) -> bool:
        """Whether the human lets it pass, as it is or changed."""
        return self.decision in ("approved", "edited")


@dataclass(slots=True)
class Iteration:
    """One round: what it was told, what its phases returned, how long they took, and what its gates said."""

    number: int
    feedback: str | None = None
    results: dict[str, Any] = field(default_factory=dict)
    timings_ms: dict[str, float] = field(default_factory=dict)
    verdicts: list[Verdict] = field(default_factory=list)
    done: list[str] = field(default_factory=list)  # phases

    @property
    def is_verified(self) -> bool:
        """Whether every gate has been checked."""
        return VERIFY in self.done

    @property
    def success(self) -> bool:
        """Whether it was verified, and every gate was passed."""
        return self.is_verified and all(verdict.passed for verdict in self.verdicts)

    @property
    def passed(self) -> int:
        """Gates that were passed."""
        return sum(verdict.passed for verdict in self.verdicts)

    def spend(self, phase: str, seconds: float) -> None:
        """Add to the time that a phase took."""
        self.timings_ms[phase] = round(self.timings_ms.get(phase, 0.0) + seconds * 1000, 3)

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "number": self.number,
            "feedback": self.feedback,
            "results": dict(self.results),
            "timings_ms": dict(self.timings_ms),
            "verdicts": [[each.gate, each.passed, each.note] for each in self.verdicts],
            "done": list(self.done),
        }

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Iteration:
        """Return what `as_dict` was told of."""
        verdicts = [Verdict(*each) for each in data["verdicts"]]
        known = dict(data["results"]), dict(data["timings_ms"]), verdicts, list(data["done"])
        return cls(data["number"], data["feedback"], *known)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a run, or its part until a question, ended, and why; ``duration_ms`` leaves out waits for humans.

    Reasons: what the strategy says, such as ``converged`` or ``no_progress``; ``max_iterations``, ``delivery_failed``,
    ``question``, ``cancelled by ...``.
    """

    status: Status
    reason: str
    iterations: tuple[Iteration, ...]
    duration_ms: float
    delivery: Delivery | None = None
    question: Question | None = None
