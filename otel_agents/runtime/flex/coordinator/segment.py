"""A segment of a run, from a start to the next ending, as facts; must not know how it is executed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, Literal

from otel_agents.runtime.flex.coordinator.places import Place
from otel_agents.runtime.flex.engine import Scene
from otel_agents.runtime.flex.envelope import TaskEnvelope
from otel_agents.runtime.flex.hitl import Answer, Question
from otel_agents.runtime.flex.problem import FlexError
from otel_agents.runtime.flex.store import Cancel

Status = Literal["completed", "failed", "cancelled", "awaiting_hitl"]


@dataclass(frozen=True, slots=True)
class Accepted:
    """A run that is stored; `is_new` is false when an idempotency key gave an older one."""

    run_id: str
    correlation_id: str
    is_new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """What is about to be executed.

    Attributes:
        name: What the caller calls the run, else `flex`.
        client_id: Who asked, empty when unknown.
        plan_version: The plan in force; none before the first.
        resumed: Whether another segment of the run was before.
        interrupted: Whether that one was cut off.
        epoch: The number of the segment.
    """

    run_id: str
    correlation_id: str
    name: str
    client_id: str
    plan_version: int | None
    resumed: bool
    interrupted: bool
    epoch: int
    envelope: TaskEnvelope


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a segment ended.

    Attributes:
        reason: Why, in a word: the code of the error, or where the wish to cancel came from.
        error: What the caller is told when it failed.
        cause: What was raised innermost when it failed.
    """

    status: Status
    reason: str | None = None
    error: FlexError | None = None
    output: Any = None
    cause: BaseException | None = None


@dataclass(eq=False)
class Live:
    """A segment that runs in this process.

    Attributes:
        answered: What humans decided since the segment before.
        cancel: Done when somebody wants the run cancelled.
        place: Which of the places of this process it takes.
        task: What drives the segment.
        is_ending: Whether its last frame is about to be stored.
    """

    segment: Segment
    scene: Scene
    answered: tuple[tuple[Question, Answer], ...] = ()
    cancel: asyncio.Future[Cancel] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    place: Place | None = None
    task: asyncio.Task[None] | None = None
    is_ending: bool = False

    def end(self) -> None:
        """Make room: from now on the last frame may be seen."""
        self.is_ending = True
        if self.place is not None:
            self.place.leave()

    def ask_to_cancel(self, wish: Cancel) -> None:
        """Let the segment know that it is to stop; only the first wish counts."""
        if not self.cancel.done():
            self.cancel.set_result(wish)
