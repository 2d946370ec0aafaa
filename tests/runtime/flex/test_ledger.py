"""Whoever counts calls at the observed methods counts what the frames say: type by type, over a mixed day."""

from __future__ import annotations

import asyncio
import inspect
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from otel_agents.runtime.flex.capabilities import CapabilityError
from otel_agents.runtime.flex.coordinator import Coordinator
from otel_agents.runtime.flex.engine import Engine, NodePaused, Scene
from otel_agents.runtime.flex.frames import FRAME_TYPES
from otel_agents.runtime.flex.hitl import Answer, Desk
from otel_agents.runtime.flex.planner import Planner, PlanRejected
from otel_agents.runtime.flex.policy import Policies
from otel_agents.runtime.flex.validation import Validator
from tests.runtime.flex.house import SHAPE, House, as_told, envelope, frames_of, policies, policy, until

Tell = Callable[[Any, BaseException | None], tuple[str, ...]]


def plan_events(request: Any, error: BaseException | None) -> tuple[str, ...]:
    """Return what the end of a planner's attempt stands for."""
    if isinstance(error, PlanRejected):
        return ("plan_rejected",)
    names = {"initial": ("plan_generated",), "replan": ("plan_updated",)}
    return names.get(request.phase, ()) if error is None else ()


def node_events(_: Any, error: BaseException | None) -> tuple[str, ...]:
    """Return what the end of a node stands for."""
    is_failure = error is not None and not isinstance(error, NodePaused | asyncio.CancelledError)
    return ("node_error", "node_complete") if is_failure else ("node_complete",)


# Method -> the event at its start, and those at its end, of its first argument, its result and its error.
OBSERVED: tuple[tuple[type, str, str, Callable[[Any, Any, Any], tuple[str, ...]]], ...] = (
    (Coordinator, "execute", "start", lambda given, ending, error: ("complete",)),
    (Coordinator, "cancel_asked", "cancel_requested", lambda *_: ()),
    (Coordinator, "cancel_obeyed", "cancel_acknowledged", lambda *_: ()),
    (Planner, "plan", "plan_requested", lambda given, graph, error: plan_events(given, error)),
    (Engine, "run_node", "node_start", lambda given, result, error: node_events(given, error)),
    (Policies, "act", "", lambda given, action, error: ("policy_triggered",) if error is None else ()),
    (Validator, "validate", "", lambda given, details, error: ("validation_error",) if details else ()),
    (Desk, "ask", "hitl_request", lambda *_: ()),
    (Desk, "settle", "hitl_resolved", lambda *_: ()),
    (Scene, "note", "log", lambda *_: ()),
)


@pytest.fixture
def counted(monkeypatch) -> Counter[str]:
    """Count at the observed methods as an observer would, without the runtime's knowing."""
    events: Counter[str] = Counter()
    for owner, name, first, last in OBSERVED:
        monkeypatch.setattr(owner, name, _watched(getattr(owner, name), first, last, events))
    failed = Engine.attempt_failed

    def attempt_failed(self, *args: Any, retried: bool) -> None:
        events.update(("node_error", "node_retry") if retried else ())
        failed(self, *args, retried=retried)

    monkeypatch.setattr(Engine, "attempt_failed", attempt_failed)
    return events


def _watched(original: Any, first: str, last: Any, events: Counter[str]) -> Any:
    def begin() -> None:
        events.update([first] if first else [])

    async def later(self: Any, *args: Any, **kwargs: Any) -> Any:
        begin()
        result, error = None, None
        try:
            result = await original(self, *args, **kwargs)
        except BaseException as raised:
            error = raised
            raise
        finally:
            events.update(last(args[0], result, error))
        return result

    def now(self: Any, *args: Any, **kwargs: Any) -> Any:
        begin()
        result = original(self, *args, **kwargs)
        events.update(last(args[0], result, None))
        return result

    return later if inspect.iscoroutinefunction(original) else now


async def moody(task: Any) -> dict[str, Any]:
    """Behave as the objective of the run says."""
    mood = task.bundle.objective
    if mood == "fails":
        raise CapabilityError("no", retryable=False)
    if mood == "stumbles" and task.attempt == 1:
        raise OSError("not yet")
    if mood == "hangs":
        await asyncio.Event().wait()
    if mood == "lies" and task.feedback is None:
        return {"ore": ""}
    return await as_told(task)


def on(node_id: str, action: str, **more: Any) -> dict[str, Any]:
    return policies(policy("p", "onNodeComplete", action, selector={"nodeId": node_id}, **more))


IMPOSSIBLE = {"planner": {"maxNodes": 1}}
HITL_BOTH = policies(*(policy(node, "onNodeComplete", "hitl", selector={"nodeId": node}) for node in ("melt", "wash")))
# What the objective makes of the run, the rest of its envelope, and the answer to each of its questions.
DAY: tuple[tuple[str, dict[str, Any], str | None], ...] = (
    ("works", {}, None),
    ("stumbles", {}, None),
    ("fails", {}, None),
    ("lies", {}, "responded"),
    ("lies", {"constraints": {"maxAttempts": 1}}, "rejected"),
    ("works", {"policies": IMPOSSIBLE}, None),
    ("works", on("dig", "emit", message="hi"), None),
    ("works", on("dig", "fail"), None),
    ("works", on("dig", "replan"), None),
    ("works", on("build", "goto", node="wash"), None),
    ("works", on("dig", "pause"), "approved"),
    ("works", on("melt", "hitl"), "edited"),
    ("works", HITL_BOTH, "approved"),
    ("works", on("melt", "hitl"), "cancel"),
    ("hangs", {"constraints": {"nodeTimeoutSeconds": 0.2, "maxAttempts": 2}}, None),
    ("hangs", {"constraints": {"timeoutSeconds": 0.5}}, None),
    ("hangs", {}, "cancel"),
    ("hangs", policies(policy("t", "onTimeout", "hitl")) | {"constraints": {"timeoutSeconds": 0.5}}, "rejected"),
)
ANSWERS = {
    "approved": Answer("approved"),
    "edited": Answer("edited", value="gold"),
    "responded": Answer("responded", text="better"),
    "rejected": Answer("rejected"),
}


async def live_through(coordinator: Coordinator, mood: str, fields: dict[str, Any], answer: str | None) -> str:
    """Run one run to its end."""
    accepted = await coordinator.accept(envelope(objective=mood, **fields))
    if answer == "cancel":
        if mood != "hangs":
            await until(coordinator, accepted.run_id, "awaiting_hitl")
        await coordinator.cancel(accepted.run_id)
        await until(coordinator, accepted.run_id, "cancelled")
        return accepted.run_id
    frames = await frames_of(coordinator, accepted.run_id)
    if frames[-1].status == "awaiting_hitl":
        questions = [row for row in await coordinator.pending() if row["runId"] == accepted.run_id]
        for row in questions:
            await coordinator.resolve(row["requestId"], ANSWERS[str(answer)])
        await until(coordinator, accepted.run_id, "failed" if answer == "rejected" else "completed", len(frames))
    return accepted.run_id


async def test_frames_are_what_an_observer_counts(house: House, flex_store, counted) -> None:
    """For every type of frame there are as many frames as calls that stand for it."""
    house.works = {name: moody if name == "dig" else as_told for name in SHAPE}
    async with house.coordinator(flex_store) as coordinator, asyncio.timeout(100):
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(live_through(coordinator, *run)) for run in DAY * 2]
        told: Counter[str] = Counter()
        for task in tasks:
            told.update(frame.type for frame in await frames_of(coordinator, task.result()))

    assert told == counted
    assert set(told) == set(FRAME_TYPES)
