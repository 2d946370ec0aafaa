"""A workflow: who has the work, what is planned after that, and what it cost; must not know the team."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple, Self

from otel_agents.runtime.yolo.limits import Spent


class Handoff(NamedTuple):
    """Work for another agent; what an agent's work may return instead of a result."""

    to_agent: str
    task: Any = None


@dataclass(slots=True)
class Workflow:
    """One piece of work on its way through the team.

    ``agent`` has it now and works on ``task``; ``steps`` are the agents after that, for what each one returns without
    handing over. ``handed`` is what the agent handed over in its turn. ``resumed``: it was begun before.
    """

    id: str
    name: str
    correlation_id: str
    agent: str
    task: Any
    steps: list[str] = field(default_factory=list)
    spent: Spent = field(default_factory=Spent)
    handed: Handoff | None = None
    resumed: bool = False

    def advance(self, result: Any) -> bool:
        """Give the work to the next agent; returns False when nobody is next, and the result is that of the whole."""
        if self.handed is not None:
            (self.agent, self.task), self.handed = self.handed, None
        elif self.steps:
            self.agent, self.task = self.steps.pop(0), result
        else:
            return False
        return True

    def needs(self, agent: str) -> bool:
        """Whether it has work for an agent, now or later."""
        return agent in (self.agent, *self.steps) or (self.handed is not None and self.handed.to_agent == agent)

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON data: where it goes on, if everything ended now."""
        agent, task = self.handed or (self.agent, self.task)
        kept = {"id": self.id, "name": self.name, "correlation_id": self.correlation_id}
        return {**kept, "agent": agent, "task": task, "steps": list(self.steps), "spent": asdict(self.spent)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Return what ``as_dict`` told of, to be resumed; raises KeyError and TypeError for other data."""
        known = {name: data[name] for name in ("id", "name", "correlation_id", "agent", "task")}
        return cls(**known, steps=list(data["steps"]), spent=Spent(**data["spent"]), resumed=True)
