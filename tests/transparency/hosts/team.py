"""A team of the yolo runtime: one agent that decides and hands over, one that uses a tool."""

from __future__ import annotations

from typing import Any

from otel_agents.runtime.yolo import Agent, AgentError, Handoff, Orchestrator, Turn
from tests.transparency.step import Here


def build(here: Here, retries: int = 1) -> Orchestrator:
    async def triage(turn: Turn) -> Handoff:
        turn.context.add(f"Reported: {turn.task}")
        return Handoff(await turn.decide("route", decide), turn.task)

    async def decide() -> str:
        await here.later("decision")
        return "coder"

    async def code(turn: Turn) -> str:
        found = await turn.use("look", look)
        turn.report(AgentError("odd"), "low")
        return f"{found} {await here.later('coder')}"

    def look() -> str:
        return here.now("tool")

    return Orchestrator([Agent("triage", triage), Agent("coder", code, retries=retries)])


SYNC: dict[str, Any] = {}
ASYNC = {
    "run": lambda here: build(here).run("bug", "a bug", steps=["triage"]),
    "retried": lambda here: build(here, retries=2).run("bug", "a bug", steps=["triage"]),
}
