"""Makes plans: one attempt at a time, proposed by somebody and diagnosed here; must not know who executes them."""

from __future__ import annotations

from dataclasses import replace

from otel_agents.runtime.flex.capabilities import Registry
from otel_agents.runtime.flex.diagnosis import Diagnostic, diagnose
from otel_agents.runtime.flex.plan import PlanGraph
from otel_agents.runtime.flex.plan_request import Phase, PlanRejected, PlanRequest, Proposer
from otel_agents.runtime.flex.proposer import ChainingProposer

__all__ = ["Diagnostic", "Phase", "PlanRejected", "PlanRequest", "Planner", "Proposer"]


class Planner:
    """Makes plans. One call of `plan` is one attempt, which an observer sees."""

    def __init__(self, registry: Registry, proposer: Proposer | None = None, attempts: int = 3) -> None:
        self.registry = registry
        self.proposer: Proposer = ChainingProposer() if proposer is None else proposer
        self.attempts = attempts

    async def plan(self, request: PlanRequest) -> PlanGraph:
        """Return a plan that can be executed: version 1 at first, one more on replan, the same on resume.

        Raises:
            PlanRejected: The plan is no good; ask again with the next attempt and these diagnostics.
        """
        before = request.previous
        if request.phase == "resume" and before is not None:
            graph = before
        else:
            proposed = await self.proposer.propose(request, self.registry)
            graph = replace(proposed, version=before.version + 1 if before else 1)
        diagnostics = diagnose(graph, self.registry, request.envelope)
        if diagnostics:
            raise PlanRejected(diagnostics, request.attempt)
        return graph
