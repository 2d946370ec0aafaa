"""A process that executes runs until it is killed; every execution of a capability stands in a file.

python -m tests.runtime.flex.labour URL FILE LEASE_S [RUNS]
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from otel_agents.runtime.flex.capabilities import Task
from otel_agents.runtime.flex.store import Store
from tests.runtime.flex.house import SHAPE, House, as_told, envelope, policies, policy

LOOK = policies(policy("look", "onNodeComplete", "hitl", selector={"nodeId": "wash"}))


def written(file: Path) -> Counter[tuple[str, str, str]]:
    """Count the lines of a file: run, node, and what became of it."""
    lines = file.read_text().splitlines() if file.exists() else []
    return Counter(tuple(line.split()[:3]) for line in lines)  # type: ignore[misc]


def labourer(file: Path) -> House:
    """Return a house whose capabilities write down what they do, and do what the objective says."""

    def note(task: Task, what: str) -> None:
        with file.open("a") as out:
            out.write(f"{task.run_id} {task.node_id} {what}\n")

    async def work(task: Task) -> dict[str, Any]:
        note(task, "began")
        mood, _, node = task.bundle.objective.partition(" at ")
        if node == task.node_id and mood == "dies":
            os._exit(9)
        if node == task.node_id and mood == "hangs":
            os.write(1, f"{task.run_id}\n".encode())
            await asyncio.Event().wait()
        await asyncio.sleep(0.02)
        note(task, "ended")
        return await as_told(task)

    return House(works=dict.fromkeys(SHAPE, work))


async def main(url: str, file: str, lease_s: str, runs: str = "0") -> None:
    """Execute runs of the database, and some of its own, for ever."""
    store = await Store.open(url)
    async with labourer(Path(file)).coordinator(store, lease_s=float(lease_s), max_runs=1000) as coordinator:
        for number in range(int(runs)):
            accepted = await coordinator.accept(envelope(**LOOK if number % 2 else {}))
            os.write(1, f"{accepted.run_id}\n".encode())
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
