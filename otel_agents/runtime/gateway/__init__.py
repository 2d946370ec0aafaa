"""A gateway between channels and agents: sessions, trigger rules, runs, and /stop; must not know telemetry."""

from otel_agents.runtime.cancelling import Cancel, Cancelled
from otel_agents.runtime.gateway.gateway import Gateway
from otel_agents.runtime.gateway.messages import Agent, GatewayError, Message, Reply, Request
from otel_agents.runtime.gateway.rules import Match, Rule, Rules, Skip
from otel_agents.runtime.gateway.run import Run
from otel_agents.runtime.gateway.sessions import Session, Sessions, Turn

__all__ = [
    "Agent",
    "Cancel",
    "Cancelled",
    "Gateway",
    "GatewayError",
    "Match",
    "Message",
    "Reply",
    "Request",
    "Rule",
    "Rules",
    "Run",
    "Session",
    "Sessions",
    "Skip",
    "Turn",
]
