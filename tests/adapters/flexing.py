"""A day of the flex runtime: every ending, decision, policy action and failure that it knows, over a real database."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from otel_agents.runtime.flex.capabilities import CapabilityError, Task
from otel_agents.runtime.flex.coordinator import Coordinator
from otel_agents.runtime.flex.frames import Frame
from otel_agents.runtime.flex.hitl import Answer
from otel_agents.runtime.flex.store import Store
from tests.runtime.flex.house import SHAPE, House, as_told, envelope, frames_of, policies, policy

AFTER_DIG = {"selector": {"nodeId": "dig"}}
UNREACHABLE = {"mode": "json_schema", "schema": {"type": "object", "required": ["moon"], "properties": {"moon": {}}}}
HELD: dict[str, asyncio.Event] = {}  # run id -> set when its first node hangs


class Speechless(Exception):
    """An error that has no words, and fails when it is asked for them."""

    def __str__(self) -> str:
        """Fail."""
        raise ValueError("c4n4ry")


async def moody(task: Task) -> dict[str, Any]:
    """Do what the objective says: fail once, fail always, give nonsense, hang, or simply work."""
    mood = task.bundle.objective
    if mood == "fails once" and task.attempt == 1:
        raise CapabilityError("c4n4ry: not today")
    if mood == "fails once without words" and task.attempt == 1:
        raise Speechless
    if mood == "fails":
        raise CapabilityError("c4n4ry: never", retryable=False)
    if mood == "gives nonsense" and task.feedback is None:
        return {"ore": 7}
    if mood == "hangs":
        HELD.setdefault(task.run_id, asyncio.Event()).set()
        await asyncio.Event().wait()
    return await as_told(task)


@asynccontextmanager
async def at_work(database: Path | None = None, **settings: Any) -> AsyncIterator[Coordinator]:
    """A coordinator whose first node has moods, over a file that lasts as long, or over a given one."""
    house = House(works={"dig": moody})
    with tempfile.TemporaryDirectory() as folder:
        store = await Store.open(f"sqlite:///{database or Path(folder) / 'flex.db'}")
        async with house.coordinator(store, **settings) as coordinator:
            yield coordinator
        await store.close()


async def begin(coordinator: Coordinator, mood: str, **fields: Any) -> tuple[str, list[Frame]]:
    """Accept a run, and return its id and its frames up to its first ending."""
    accepted = await coordinator.accept(envelope(objective=mood, **fields))
    return accepted.run_id, await frames_of(coordinator, accepted.run_id)


async def answered(coordinator: Coordinator, answer: Answer, mood: str, **fields: Any) -> list[Frame]:
    """Begin a run that asks, answer its question, and return all its frames."""
    run_id, frames = await begin(coordinator, mood, **fields)
    behind = await coordinator.resume(run_id, answer=answer)
    return frames + await frames_of(coordinator, run_id, behind)


async def stopped(coordinator: Coordinator) -> list[Frame]:
    """Begin a run that hangs, and cancel it."""
    accepted = await coordinator.accept(envelope(objective="hangs"))
    await HELD.setdefault(accepted.run_id, asyncio.Event()).wait()
    await coordinator.cancel(accepted.run_id, "operator")
    return await frames_of(coordinator, accepted.run_id)


async def stopped_while_paused(coordinator: Coordinator) -> list[Frame]:
    """Cancel a run that waits for a human."""
    run_id, frames = await begin(coordinator, "works", **policies(policy("look", "onNodeComplete", "hitl")))
    await coordinator.cancel(run_id, "operator")
    return frames + await frames_of(coordinator, run_id, frames[-1].seq)


async def fired(coordinator: Coordinator) -> list[Frame]:
    """Trigger a policy by hand while a run hangs."""
    rule = policy("by-hand", "manual", "fail", message="c4n4ry")
    accepted = await coordinator.accept(envelope(objective="hangs", **policies(rule)))
    await HELD.setdefault(accepted.run_id, asyncio.Event()).wait()
    await coordinator.fire(accepted.run_id, "by-hand")
    return await frames_of(coordinator, accepted.run_id)


async def fired_while_paused(coordinator: Coordinator) -> list[Frame]:
    """Trigger a policy by hand while a run waits for a human."""
    rules = policy("by-hand", "manual", "emit", message="c4n4ry"), policy("look", "onNodeComplete", "hitl", **AFTER_DIG)
    run_id, frames = await begin(coordinator, "works", **policies(*rules))
    await coordinator.fire(run_id, "by-hand")
    behind = await coordinator.resume(run_id, answer=Answer("approved"))
    return frames + await frames_of(coordinator, run_id, behind)


async def stopped_too_late_to_be_answered(coordinator: Coordinator) -> list[Frame]:
    """Cancel a run when the time for its question is just up."""
    late = policy("look", "onNodeComplete", "hitl", **AFTER_DIG, expiresInSeconds=0.001)
    run_id, frames = await begin(coordinator, "works", **policies(late))
    await coordinator.cancel(run_id, "operator")
    return frames + await frames_of(coordinator, run_id, frames[-1].seq)


async def simply(coordinator: Coordinator, mood: str, **fields: Any) -> list[Frame]:
    """Begin a run that does not ask."""
    return (await begin(coordinator, mood, **fields))[1]


def _by_policy(action: str, **more: Any) -> Callable[[Coordinator], Awaitable[list[Frame]]]:
    return lambda coordinator: simply(
        coordinator, "works", **policies(policy(f"{action}-it", "onNodeComplete", action, **AFTER_DIG, **more))
    )


def _by_answer(answer: Answer, mood: str, **fields: Any) -> Callable[[Coordinator], Awaitable[list[Frame]]]:
    return lambda coordinator: answered(coordinator, answer, mood, **fields)


ASKS = policies(policy("look", "onNodeComplete", "hitl", **AFTER_DIG, prompt="c4n4ry?"))
RUNS: dict[str, Callable[[Coordinator], Awaitable[list[Frame]]]] = {
    "works": lambda coordinator: simply(coordinator, "works"),
    "fails once": lambda coordinator: simply(coordinator, "fails once"),
    "fails once without words": lambda coordinator: simply(coordinator, "fails once without words"),
    "fails": lambda coordinator: simply(coordinator, "fails"),
    "no plan": lambda coordinator: simply(coordinator, "works", policies={"planner": {"forbid": ["dig"]}}),
    "wrong answer": lambda coordinator: simply(coordinator, "works", outputContract=UNREACHABLE),
    "replan": _by_policy("replan"),
    "goto": _by_policy("goto", node="dig"),
    "emit": _by_policy("emit", message="c4n4ry"),
    "fail": _by_policy("fail", message="c4n4ry"),
    "approved": _by_answer(Answer("approved"), "works", **ASKS),
    "edited": _by_answer(Answer("edited", value={"ore": "gold c4n4ry"}), "works", **ASKS),
    "responded": _by_answer(Answer("responded", text="c4n4ry"), "gives nonsense"),
    "rejected": _by_answer(Answer("rejected", by="c4n4ry"), "works", **ASKS),
    "escalated": _by_answer(Answer("edited", value={"ore": "iron"}), "gives nonsense"),
    "stopped": stopped,
    "stopped while paused": stopped_while_paused,
    "stopped too late to be answered": stopped_too_late_to_be_answered,
    "fired": fired,
    "fired while paused": fired_while_paused,
}


async def day(coordinator: Coordinator) -> dict[str, list[Frame]]:
    """Do all of it, one after the other."""
    return {name: await run(coordinator) for name, run in RUNS.items()}


async def crowd(coordinator: Coordinator, times: int) -> list[Frame]:
    """Do all of it, many times and all at once."""
    runs = [run(coordinator) for _ in range(times) for run in RUNS.values()]
    return [frame for frames in await asyncio.gather(*runs) for frame in frames]


def example() -> object:
    """Return what a day comes to, without what differs from one day to the next."""

    async def all_day() -> dict[str, list[Frame]]:
        async with at_work() as coordinator:
            return await day(coordinator)

    # Sorted: branches that run side by side tell what they do in any order.
    return {
        name: sorted((_plain(frame) for frame in frames), key=str) for name, frames in asyncio.run(all_day()).items()
    }


def _plain(frame: Frame) -> tuple[object, ...]:
    payload = {name: value for name, value in frame.payload.items() if name not in CHANGING}
    return frame.type, frame.node_id, frame.status, frame.plan_version, payload


CHANGING = ("requestId", "waitMs", "latencyMs", "expiresAt")
assert SHAPE["dig"] == (("objective",), "ore")
