"""Host programs of the tests: loops that converge, or do not; they know nothing of telemetry."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from otel_agents.runtime.convergence import Answer, Delivery, Gate, Loop, Outcome, Run, Task, Turn


def ticking(step_s: float = 0.001) -> Callable[[], float]:
    """Return a clock that goes on by one step each time somebody looks."""
    looks = iter(range(1, 1_000_000))
    return lambda: next(looks) * step_s


async def build(turn: Turn) -> str:
    await asyncio.sleep(0)
    return f"draft {turn.iteration.number}"


def snapshot(turn: Turn) -> str:
    return f"kept {turn.iteration.results['build']}"


def suite_passes(turn: Turn) -> tuple[bool, str]:
    return turn.iteration.number > 1, "two failed"


def lint(turn: Turn) -> bool:
    return True


def feedback(turn: Turn) -> str:
    return f"mend what {turn.task.goal} needs"


def deliver(turn: Turn) -> Delivery:
    return Delivery(pr_url="https://example.org/pr/7", ci_status="green")


def approve(turn: Turn) -> bool:
    return turn.iteration.number > 1 and turn.ask("Ship it?").is_yes


def loop(**changes: Any) -> Loop:
    """Return a loop that is green in its second iteration."""
    gates = [Gate("tests", suite_passes), Gate("lint", lint)]
    known = {"snapshot": snapshot, "feedback": feedback, "deliver": deliver, "clock": ticking(), "name": "patch"}
    return Loop(**{"build": build, "gates": gates, **known, **changes})


def task(**changes: Any) -> Task:
    """Return a task with ids that can be told."""
    known = {"goal": "a green build", "run_id": "run-7", "work_order_id": "wo-7", "correlation_id": "corr-7"}
    return Task(**{**known, "max_iterations": 3, **changes})


async def with_a_human(run: Run) -> Outcome:
    """Have a run go on to its question, and with the answer to its end."""
    paused = await run.go()
    assert paused.question is not None
    run.answer(Answer("approved"))
    return await run.go()


class Stuck:
    """A phase that never returns, and says when it was entered."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()

    async def __call__(self, turn: Turn) -> None:
        self.entered.set()
        await asyncio.Event().wait()


async def cancelled(stuck: Stuck, run: Run) -> Outcome:
    """Ask a run to stop, from another thread, while its build is stuck."""
    going = asyncio.ensure_future(run.go())
    await stuck.entered.wait()
    with ThreadPoolExecutor(1) as pool:
        await asyncio.get_running_loop().run_in_executor(pool, run.cancel, "operator")
    return await going


def everything() -> list[Any]:
    """Pass through all that a run can do; returns what can be compared."""
    asking = loop(gates=[Gate("tests", suite_passes), Gate("approval", approve)])
    paused = asyncio.run(with_a_human(asking.start(task())))
    stuck = Stuck()
    stopped = asyncio.run(cancelled(stuck, loop(build=stuck).start(task())))
    failed = asyncio.run(loop(gates=[Gate("never", lambda turn: False)]).run(task(max_iterations=1)))
    return [(each.status, each.reason, len(each.iterations), each.delivery) for each in (paused, stopped, failed)]
