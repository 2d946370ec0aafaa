"""A program with a team, converging runs and a gateway, which knows no telemetry; stays until its input is closed."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from otel_agents.runtime.yolo import Agent, Handoff, Limits, Orchestrator, SafetyBlockedError, Turn
from tests.adapters.converging import everything
from tests.adapters.gateways import day, gateway


async def triage(turn: Turn) -> Handoff:
    to_agent = await turn.decide("route", lambda: "writer")
    turn.context.add("x" * 40)
    return Handoff(to_agent, turn.task)


async def write(turn: Turn) -> str:
    if turn.attempt == 1:
        raise ConnectionError("no")
    await turn.context.refresh(lambda items: ["y" * 20])
    return "done"


async def deploy(turn: Turn) -> None:
    await turn.decide("deploy", lambda: "all")


async def work(state: Path) -> None:
    """Have a workflow end well after a second try, and one be blocked; one agent leaves."""
    agents = [
        Agent("triage", triage),
        Agent("writer", write, retries=1),
        Agent("operator", deploy),
        Agent("left", write),
    ]
    team = Orchestrator(agents, limits=Limits(forbidden=["deploy"]), state=state)
    await team.run("article", "tides", steps=["triage"])
    with suppress(SafetyBlockedError):
        await team.run("release", steps=["operator"])
    team.remove("left")
    await team.load()


def main() -> None:
    """Play all three."""
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(work(Path(folder) / "team.state"))
    everything()
    asyncio.run(day(gateway()))
    print("played", flush=True)  # noqa: T201  # a program
    sys.stdin.read()


if __name__ == "__main__":
    main()
