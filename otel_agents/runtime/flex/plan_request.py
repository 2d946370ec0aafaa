"""What a plan is wanted for, and the answer that a plan is no good; must not know who makes plans."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from otel_agents.runtime.flex.capabilities import Registry
from otel_agents.runtime.flex.diagnosis import Diagnostic
from otel_agents.runtime.flex.envelope import TaskEnvelope
from otel_agents.runtime.flex.plan import PlanGraph
from otel_agents.runtime.flex.problem import Detail, FlexError

Phase = Literal["initial", "replan", "resume"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRequest:
    """What a plan is wanted for.

    Attributes:
        phase: A first plan, another one, or the same again after a pause.
        attempt: 1 at first.
        previous: The plan in force; none at first.
        trigger: The id of the policy that wants another plan, or another reason for it.
        done: Node id -> facet -> value, of the nodes that are complete; they stay.
        failed: Capabilities that just failed; others are to be preferred.
        diagnostics: What was wrong with the attempt before.
    """

    run_id: str
    phase: Phase
    envelope: TaskEnvelope
    attempt: int = 1
    previous: PlanGraph | None = None
    trigger: str | None = None
    done: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    failed: tuple[str, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()


class PlanRejected(FlexError):  # noqa: N818 - it is an answer, named like the frame that tells of it
    """A plan that cannot be executed.

    Attributes:
        diagnostics: All that is wrong with it.
        attempt: Which attempt this was.
    """

    def __init__(self, diagnostics: tuple[Diagnostic, ...], attempt: int) -> None:
        told = [f"{each.node_id}: {each.message}" if each.node_id else each.message for each in diagnostics]
        super().__init__("plan_rejected", "The plan cannot be executed", [Detail("", each) for each in told])
        self.diagnostics = diagnostics
        self.attempt = attempt

    def __reduce__(self) -> tuple[Any, tuple[object, ...]]:
        return type(self), (self.diagnostics, self.attempt)


class Proposer(Protocol):
    """Who thinks of plans: the one that comes along, or a model."""

    async def propose(self, request: PlanRequest, registry: Registry) -> PlanGraph:
        """Return a plan, of any version; `request.diagnostics` says what was wrong with the one before."""
        ...
