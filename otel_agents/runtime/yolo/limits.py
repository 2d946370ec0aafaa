"""Safety limits: what agents may do, and how often, in one workflow; must not know agents or workflows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from typing import Final

from otel_agents.runtime.yolo.amounts import amount
from otel_agents.runtime.yolo.errors import BadValueError

STEP: Final = "step"
HANDOFF: Final = "handoff"


@dataclass(frozen=True, slots=True)
class Ask:
    """What an agent asks to be allowed to do. ``decision_type`` is ``step``, ``handoff`` or the agent's own word."""

    workflow: str
    agent: str
    decision_type: str
    cost: float = 0.0


@dataclass(slots=True)
class Spent:
    """What a workflow used up so far."""

    steps: int = 0
    handoffs: int = 0
    decisions: int = 0
    cost: float = 0.0

    def add(self, ask: Ask) -> None:
        """Count in what was allowed."""
        name = COUNTED.get(ask.decision_type, "decisions")
        setattr(self, name, getattr(self, name) + 1)
        self.cost += ask.cost


COUNTED: Final = {STEP: "steps", HANDOFF: "handoffs"}

Rule = Callable[[Ask], str | None]


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one workflow; None is no limit.

    ``cost`` is in whatever unit decisions give theirs. ``forbidden`` are types of decisions that nobody may take.
    ``rules`` are asked last, each with an ``Ask``, and return why not, or None.
    """

    steps: int | None = 100
    handoffs: int | None = 50
    decisions: int | None = None
    cost: float | None = None
    forbidden: Iterable[str] = ()
    rules: tuple[Rule, ...] = ()

    def __post_init__(self) -> None:
        for field in fields(Spent):
            limit = getattr(self, field.name)
            if limit is not None:
                amount(f"the limit of {field.name}", limit)
        if isinstance(self.forbidden, str):  # its letters would be forbidden, and the decision not
            raise BadValueError(f"forbidden must be types of decisions, such as ({self.forbidden!r},), not one text")
        object.__setattr__(self, "forbidden", frozenset(self.forbidden))

    def objection(self, ask: Ask, spent: Spent) -> str:
        """Return why something may not be done, "" when it may."""
        if ask.decision_type in self.forbidden:
            return "it is forbidden"
        name = COUNTED.get(ask.decision_type, "decisions")
        limit = getattr(self, name)
        if limit is not None and getattr(spent, name) >= limit:
            return f"the workflow has had its {limit} {name}"
        if self.cost is not None and spent.cost + ask.cost > self.cost:
            return f"it would cost {spent.cost + ask.cost:g} of {self.cost:g}"
        return next(filter(None, (rule(ask) for rule in self.rules)), "")
