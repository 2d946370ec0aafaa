"""A team that mends bugs: who is in it and how each one works. A script stands in for the models.

Nothing here knows that anybody watches.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

from otel_agents.runtime.yolo import (
    Agent,
    AgentError,
    Ask,
    Handoff,
    Item,
    Limits,
    Orchestrator,
    SafetyBlockedError,
    Turn,
)


class Desk:
    """What the agents have in common: how long a model takes, and what the tests of the project say."""

    def __init__(self, pace: float) -> None:
        self.pace = pace
        self.failing = ["test_tides", "test_moon"]
        self.is_reachable = False

    @property
    def is_half_done(self) -> bool:
        return len(self.failing) == 1

    async def ask_model(self, answer: str) -> str:
        await asyncio.sleep(self.pace)
        return answer

    def run_tests(self) -> list[str]:
        if not self.is_reachable:
            self.is_reachable = True
            raise ConnectionError("the build machine does not answer")
        return self.failing

    def read_diff(self) -> int:
        return len(self.failing)


def build(state: Path | None = None, pace: float = 0.05) -> Orchestrator:
    desk = Desk(pace)

    async def triage(turn: Turn) -> Handoff:
        turn.context.add(f"Reported: {turn.task}")
        who = await turn.decide("route", desk.ask_model, "coder", cost=1)
        return Handoff(who, f"Mend: {turn.task}")

    async def code(turn: Turn) -> None:
        turn.context.add(turn.task)
        failing = await turn.use("run_tests", desk.run_tests)
        turn.context.add(f"Failing: {', '.join(failing)}")
        if desk.is_half_done:
            await turn.context.refresh(summarise)
        await desk.ask_model("a patch")
        desk.failing = failing[1:]
        await turn.handoff("reviewer", f"Patch, {len(desk.failing)} tests fail")

    async def summarise(items: tuple[Item, ...]) -> Iterable[str]:
        return [await desk.ask_model(f"{len(items)} notes in short")]

    async def review(turn: Turn) -> None:
        open_points = await turn.use("read_diff", desk.read_diff)
        if open_points:
            turn.report(AgentError("the patch is not whole"), "low")
            await turn.handoff("coder", f"{open_points} to go")
        elif await turn.decide("verdict", desk.ask_model, "good", cost=1):
            await turn.handoff("publisher", "the patch")

    async def publish(turn: Turn) -> str:
        try:
            await turn.decide("deploy", desk.ask_model, "now", cost=5)
        except SafetyBlockedError as error:
            when = await turn.decide("schedule", desk.ask_model, "monday", cost=1)
            return f"{turn.task} waits for {when}: {error.reason}"
        return f"{turn.task} is out"

    def answer(turn: Turn) -> Handoff | str:
        return Handoff("expert", turn.task) if turn.workflow.spent.handoffs == 0 else "42"

    def wonder(turn: Turn) -> Handoff:
        return Handoff("helpdesk", turn.task)

    def watch_disk(turn: Turn) -> None:
        raise AgentError("the disk is full", "critical")

    agents = [
        Agent("triage", triage),
        Agent("coder", code, retries=2, context_limit=60),
        Agent("reviewer", review),
        Agent("publisher", publish),
        Agent("helpdesk", answer),
        Agent("expert", wonder),
        Agent("watchman", watch_disk),
    ]
    return Orchestrator(agents, limits=Limits(cost=10, rules=(not_on_friday,)), state=state)


def not_on_friday(ask: Ask) -> str | None:
    return "nothing is deployed on a Friday" if ask.decision_type == "deploy" else None
