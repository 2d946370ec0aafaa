"""Programs that save until somebody kills them; they say what is saved, a line each."""

from __future__ import annotations

import asyncio
import json
import sys

from otel_agents.runtime.yolo import Agent, Limits, Orchestrator, StateFile, Turn

SIZE = 200_000  # so that a kill falls into the writing, too


def save(path: str) -> None:
    """Save one state after the other."""
    file = StateFile(path)
    number = file.load()["number"] if file.exists() else 0
    while True:
        number += 1
        file.save(json.dumps({"number": number, "filling": "x" * SIZE}))
        print(number, flush=True)  # noqa: T201  # a program


def work(path: str) -> None:
    """Hand one task to and fro, counting; when begun again, go on."""
    asyncio.run(_work(path))


async def _work(path: str) -> None:
    async def count(turn: Turn) -> None:
        turn.context.add(f"{turn.task}" * 50)
        to_agent = "pong" if turn.agent == "ping" else "ping"
        await turn.handoff(to_agent, turn.task + 1)
        print(turn.task + 1, flush=True)  # noqa: T201  # acknowledged

    agents = [Agent(name, count, context_limit=100_000) for name in ("ping", "pong")]
    team = Orchestrator(agents, limits=Limits(steps=None, handoffs=None), state=path)
    unfinished = await team.load()
    await (team.resume(unfinished[0]) if unfinished else team.run("count", 0, steps=["ping"]))


if __name__ == "__main__":
    {"save": save, "work": work}[sys.argv[1]](sys.argv[2])
