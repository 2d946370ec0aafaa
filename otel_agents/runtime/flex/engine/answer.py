"""The output of a run: taken from the last nodes, and held against what the caller wants; must not know the walk."""

from __future__ import annotations

import asyncio
from typing import Any

from otel_agents.runtime.flex.diagnosis import ANSWER
from otel_agents.runtime.flex.engine.attempts import Attempts
from otel_agents.runtime.flex.engine.rules import Rules, as_data
from otel_agents.runtime.flex.engine.scene import Scene
from otel_agents.runtime.flex.plan import PlanNode
from otel_agents.runtime.flex.problem import FlexError


def compose(scene: Scene) -> Any:
    """Return the output: what answers the contract, else all facets of the nodes that nothing depends on."""
    giver = _giver(scene)
    if giver is not None:
        return scene.done[giver.id][ANSWER]
    return {facet: value for node in scene.graph.sinks() for facet, value in scene.done[node.id].items()}


def _giver(scene: Scene) -> PlanNode | None:
    if scene.envelope.output_contract is None:
        return None
    return next((node for node in scene.graph.nodes if ANSWER in node.output), None)


async def is_valid(scene: Scene, attempts: Attempts, rules: Rules) -> bool:
    """Whether the output is what the caller wants; if not, a policy has decided how the run goes on.

    Raises:
        FlexError: `output_invalid`: it is not, and nobody said what to do.
    """
    schema = await asyncio.to_thread(lambda: scene.answer_schema)  # compiled at the first time
    if schema is None:
        return True
    output = compose(scene)
    details = await attempts.check(scene, None, "final", schema, output)
    if not details:
        return True
    found = as_data("final", details)
    if not await rules.consult(scene, "onValidationFail", _giver(scene), output=output, validation=found):
        raise FlexError("output_invalid", "The output is not what the output contract says", details)
    return False
