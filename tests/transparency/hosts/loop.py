"""A converging run: green in its second iteration, with a delivery."""

from __future__ import annotations

from typing import Any

from otel_agents.runtime.convergence import Gate, Turn
from tests.adapters.converging import loop, suite_passes, task
from tests.transparency.step import Here


async def _run(here: Here) -> Any:
    async def build(turn: Turn) -> str:
        return await here.later(f"build {turn.iteration.number}")

    def snapshot(turn: Turn) -> str:
        return here.now(f"snapshot {turn.iteration.number}")

    async def passes(turn: Turn) -> tuple[bool, str]:
        await here.later(f"gate {turn.iteration.number}")
        return suite_passes(turn)

    made = loop(build=build, snapshot=snapshot, gates=[Gate("tests", passes)])
    outcome = await made.run(task())
    return outcome.status, outcome.reason, len(outcome.iterations), outcome.delivery


SYNC: dict[str, Any] = {}
ASYNC = {"run": _run}
