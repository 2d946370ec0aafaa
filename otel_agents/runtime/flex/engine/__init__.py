"""Executes segments of runs; must not know who owns a run or where it is told."""

from otel_agents.runtime.flex.engine.calls import end_left
from otel_agents.runtime.flex.engine.clock import Clock
from otel_agents.runtime.flex.engine.decisions import as_outputs, changed
from otel_agents.runtime.flex.engine.endings import GivenBack, NodeFailed, NodePaused, RunPaused, described
from otel_agents.runtime.flex.engine.engine import Engine, NodeResult
from otel_agents.runtime.flex.engine.scene import NodeState, NodeStatus, Scene
from otel_agents.runtime.flex.engine.story import Story

__all__ = [
    "Clock",
    "Engine",
    "GivenBack",
    "NodeFailed",
    "NodePaused",
    "NodeResult",
    "NodeState",
    "NodeStatus",
    "RunPaused",
    "Scene",
    "Story",
    "as_outputs",
    "changed",
    "described",
    "end_left",
]
