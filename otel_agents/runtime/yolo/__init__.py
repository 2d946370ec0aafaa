"""A team of agents that hand their work to each other; plain code, must not know telemetry.

    team = Orchestrator([Agent("writer", write), Agent("reviewer", review)], state="team.state")
    text = await team.run("article", "tides", steps=["writer"])

An agent is a name and a callable, see ``Agent``; what the callable may do is in ``Turn``.
"""

from otel_agents.runtime.yolo.agent import Agent
from otel_agents.runtime.yolo.context import Context, Item
from otel_agents.runtime.yolo.errors import (
    AgentBusyError,
    AgentError,
    BadValueError,
    ContextFullError,
    CorruptStateError,
    HandedOverError,
    NotActiveError,
    SafetyBlockedError,
    SelfHandoffError,
    StateError,
    StoppedError,
    TeamError,
    TurnOverError,
    UnknownAgentError,
    UnknownWorkflowError,
)
from otel_agents.runtime.yolo.limits import Ask, Limits
from otel_agents.runtime.yolo.modes import ACTIVE, OFF, PAUSED
from otel_agents.runtime.yolo.orchestrator import Orchestrator
from otel_agents.runtime.yolo.state import StateFile
from otel_agents.runtime.yolo.turn import Turn
from otel_agents.runtime.yolo.workflow import Handoff

__all__ = [
    "ACTIVE",
    "OFF",
    "PAUSED",
    "Agent",
    "AgentBusyError",
    "AgentError",
    "Ask",
    "BadValueError",
    "Context",
    "ContextFullError",
    "CorruptStateError",
    "HandedOverError",
    "Handoff",
    "Item",
    "Limits",
    "NotActiveError",
    "Orchestrator",
    "SafetyBlockedError",
    "SelfHandoffError",
    "StateError",
    "StateFile",
    "StoppedError",
    "TeamError",
    "Turn",
    "TurnOverError",
    "UnknownAgentError",
    "UnknownWorkflowError",
]
