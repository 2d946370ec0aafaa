"""Changes of node states, in memory and in the store at once; must not know why they change."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Mapping
from typing import Any

from otel_agents.runtime.flex.engine.scene import NodeState, NodeStatus, Scene
from otel_agents.runtime.flex.problem import FlexError


def settle(
    scene: Scene, node_id: str, status: NodeStatus, outputs: Mapping[str, Any] | None, error: FlexError | None = None
) -> Awaitable[None]:
    """Give a node of the plan another status; what is returned is done once that is stored."""
    state, story, capability = scene.state(node_id), scene.story, scene.graph.node(node_id).capability
    state.status, state.outputs = status, outputs
    row: dict[str, Any] = {"attempts": state.attempts, "outputs": outputs, "error": error.as_dict() if error else None}
    return story.write(
        lambda: story.store.nodes.finished(story.run_id, story.epoch, node_id, status, capability=capability, **row)
    )


def complete(scene: Scene, node_id: str) -> Awaitable[None]:
    """Say that nothing is left to be done about a node."""
    return settle(scene, node_id, "completed", scene.state(node_id).outputs)


def reset(scene: Scene, node_ids: Iterable[str], feedback: str | None = None) -> Awaitable[None]:
    """Make nodes pending again, as if they had never run; what a human said stays."""
    story, named = scene.story, tuple(node_ids)
    for node_id in named:
        scene.nodes[node_id] = NodeState(feedback=feedback or scene.state(node_id).feedback)
        scene.excused.pop(node_id, None)
    return story.write(lambda: story.store.nodes.reset(story.run_id, story.epoch, named))
