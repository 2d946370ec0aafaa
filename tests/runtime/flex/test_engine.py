from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from otel_agents.runtime.flex.capabilities import CapabilityError
from otel_agents.runtime.flex.engine import calls
from otel_agents.runtime.flex.plan import PlanGraph
from otel_agents.runtime.flex.planner import Planner
from tests.runtime.flex.house import SHAPE, House, kinds, run, story

WALL = {"type": "object", "properties": {"wall": {"type": "string"}}, "required": ["wall"]}


def of_node(frames, node_id: str) -> list[str]:
    return [text for text, frame in zip(story(frames), frames, strict=True) if frame.node_id == node_id]


async def test_a_run_tells_every_step_in_order(coordinator) -> None:
    """Start, plan, nodes after what they depend on, and a complete frame with the output, all with the run's ids."""
    frames = await run(coordinator, metadata={"correlationId": "c-1", "runLabel": "walls"})

    told = story(frames)
    assert [frame.seq for frame in frames] == list(range(1, len(frames) + 1))
    assert {frame.correlation_id for frame in frames} == {"c-1"}
    assert told[:5] == ["start", "plan_requested initial", "plan_generated", "node_start dig", "node_complete dig ok"]
    assert sorted(told[5:9]) == sorted(
        ["node_start melt", "node_start wash", "node_complete melt ok", "node_complete wash ok"]
    )
    assert told[9:] == ["node_start build", "node_complete build ok", "complete completed"]
    assert frames[0].payload == {"name": "walls", "objective": "a wall"}
    assert frames[-1].payload == {"status": "completed", "output": {"wall": "build 1"}}
    assert [frame.plan_version for frame in frames[:3]] == [None, None, 1]
    assert frames[3].capability_id == "dig"
    assert frames[3].facet_provenance is not None
    assert frames[-1].duration_ms is not None


async def test_branches_run_side_by_side(house, coordinator) -> None:
    """Two nodes that need nothing of each other run at once."""
    both = asyncio.Barrier(2)

    async def meet(task) -> dict[str, str]:
        async with asyncio.timeout(5):
            await both.wait()
        return {SHAPE[task.node_id][1]: "met"}

    house.works |= {"melt": meet, "wash": meet}

    assert story(await run(coordinator))[-1] == "complete completed"


async def test_no_more_nodes_run_at_once_than_the_caller_allows(house, coordinator) -> None:
    """With a concurrency of one, branches come one after the other."""
    frames = await run(coordinator, constraints={"concurrency": 1})

    nodes = [text for text in story(frames) if text.startswith("node")]
    assert [text.split()[0] for text in nodes] == ["node_start", "node_complete"] * 4


async def test_a_node_is_tried_again_with_growing_pauses(house, coordinator) -> None:
    """Each attempt that failed is told with its retry; pauses double, and half of them is left to chance."""

    def fail_twice(task) -> dict[str, str]:
        if task.attempt < 3:
            raise ConnectionError("gone")
        return {"ore": "at last"}

    house.works["dig"] = fail_twice
    frames = await run(coordinator)

    assert of_node(frames, "dig") == [
        "node_start dig",
        *(["node_error dig", "node_retry dig"] * 2),
        "node_complete dig ok",
    ]
    assert house.slept == [0.025, 0.05]
    retries = [frame.payload for frame in frames if frame.type == "node_retry"]
    assert retries == [{"attempt": attempt, "errorType": "ConnectionError"} for attempt in (1, 2)]
    assert next(f for f in frames if f.type == "node_complete").payload["attempts"] == 3


async def test_a_node_waits_as_long_as_the_other_side_asks(house, coordinator) -> None:
    """What an error says about when to come again goes before our own pauses."""

    def busy(task) -> dict[str, str]:
        if task.attempt == 1:
            raise CapabilityError("busy", retry_after_s=7)
        return {"ore": "at last"}

    house.works["dig"] = busy
    await run(coordinator)

    assert house.slept == [7]


@pytest.mark.parametrize(
    ("special", "error"),
    [
        ({}, CapabilityError("no", retryable=False)),
        ({"repeatable": False}, OSError("no")),
        ({"attempts": 1}, OSError("no")),
    ],
)
async def test_what_cannot_be_tried_again_fails_at_once(house, flex_store, special, error) -> None:
    """An error that is for good, or work that must not be repeated, ends the run after one attempt."""

    def fail(_: Any) -> None:
        raise error

    house.works["dig"], house.special["dig"] = fail, special
    async with house.coordinator(flex_store) as coordinator:
        frames = await run(coordinator)

    kind = type(error).__name__
    assert story(frames)[3:] == ["node_start dig", "node_error dig", "node_complete dig error", "complete failed"]
    assert frames[-1].payload == {
        "status": "failed",
        "reason": "node_failed",
        "errorType": kind,
        "error": {"code": "node_failed", "message": f"{kind}: no", "details": []},
    }
    assert house.calls["dig"] == 1


async def test_a_failure_stops_the_other_branches(house, coordinator) -> None:
    """When a node fails for good, its siblings are cancelled, and are told so before the run ends."""
    stopped = []

    async def forever(_: Any) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.append("wash")

    def fail(_: Any) -> None:
        raise CapabilityError("no", retryable=False)

    house.works |= {"wash": forever, "melt": fail}
    frames = await run(coordinator)

    assert stopped == ["wash"]
    assert story(frames)[-2:] == ["node_complete wash cancelled", "complete failed"]


async def test_an_attempt_that_takes_too_long_is_stopped(house, coordinator) -> None:
    """Each attempt has its time; the last one ends the node with node_timeout."""
    stopped = []

    async def forever(_: Any) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.append(1)

    house.works["dig"] = forever
    frames = await run(coordinator, constraints={"nodeTimeoutSeconds": 0.05, "maxAttempts": 2})

    assert len(stopped) == 2
    assert frames[-1].payload["error"]["code"] == "node_timeout"
    assert kinds(frames)["node_retry"] == 1


async def test_a_thread_that_takes_too_long_is_left_to_itself(flex_store) -> None:
    """Plain functions run in threads; a late one does not hold up the run, and what it returns is ignored."""
    house, release = House(), threading.Event()
    house.special["dig"] = {"run": lambda task: release.wait(10) and {"ore": "too late"}}
    async with house.coordinator(flex_store) as coordinator:
        frames = await run(coordinator, constraints={"nodeTimeoutSeconds": 0.05, "maxAttempts": 1})
        release.set()

    assert frames[-1].payload["error"]["code"] == "node_timeout"


async def test_work_that_does_not_let_itself_be_cancelled_is_left_to_itself(house, coordinator, monkeypatch) -> None:
    """A coroutine that swallows its cancellation holds nobody up."""
    monkeypatch.setattr(calls, "STOP_S", 0.05)
    release = asyncio.Event()

    async def stubborn(_: Any) -> dict[str, str]:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                pass
        return {"ore": "too late"}

    house.works["dig"] = stubborn
    frames = await run(coordinator, constraints={"nodeTimeoutSeconds": 0.05, "maxAttempts": 1})
    release.set()

    assert frames[-1].payload["error"]["code"] == "node_timeout"


async def test_work_that_was_left_to_itself_ends_with_its_process(house, flex_store, monkeypatch) -> None:
    """It holds nobody up then either: what is still there is ended when the coordinator stops."""
    monkeypatch.setattr(calls, "STOP_S", 0.05)

    async def stubborn(_: Any) -> None:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                pass

    house.works["dig"] = stubborn
    async with house.coordinator(flex_store) as coordinator:
        await run(coordinator, constraints={"nodeTimeoutSeconds": 0.05, "maxAttempts": 1})
        [left] = [task for task in asyncio.all_tasks() if task.get_name() == "flex-work-dig"]
    await asyncio.wait([left], timeout=5)

    assert left.done()


async def test_a_plain_function_is_executed(flex_store) -> None:
    """A capability need not be a coroutine function."""
    house = House()
    house.special["dig"] = {"run": lambda task: {"ore": threading.current_thread().name}}
    async with house.coordinator(flex_store) as coordinator:
        frames = await run(coordinator)

    assert frames[4].payload["output"] == {"ore": "flex-work"}


async def test_an_error_of_a_thread_is_the_error_of_the_node(flex_store) -> None:
    """What a plain function raises is raised where it is awaited."""
    house = House()

    def fail(_: Any) -> None:
        raise LookupError("nothing there")

    house.special["dig"] = {"run": fail, "attempts": 1}
    async with house.coordinator(flex_store) as coordinator:
        frames = await run(coordinator)

    assert frames[-1].payload["errorType"] == "LookupError"


@pytest.mark.parametrize(
    "error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), BaseException("x"), asyncio.CancelledError()]
)
async def test_work_cannot_end_more_than_itself(house, coordinator, error) -> None:
    """Work that wants to exit, or says that it was cancelled, has failed like any other."""

    def leave(_: Any) -> None:
        raise error

    house.works["dig"] = leave
    frames = await run(coordinator, constraints={"maxAttempts": 1})

    assert frames[-1].payload["errorType"] == "CapabilityError"


@pytest.mark.parametrize("output", [None, "ore", {"ore": float("nan")}, {"ore": {1, 2}}, {"ore": "\0"}])
async def test_output_that_is_no_json_is_a_failure(house, coordinator, output) -> None:
    """What cannot be stored is no output."""
    house.works["dig"] = lambda _: output
    frames = await run(coordinator, constraints={"maxAttempts": 1})

    assert frames[-1].payload["error"]["code"] == "node_failed"


async def test_output_that_is_too_large_is_told_to_be(house, coordinator) -> None:
    """The error says which limit was meant."""
    house.works["dig"] = lambda _: {"ore": "x" * 1_000_001}
    frames = await run(coordinator, constraints={"maxAttempts": 1})

    assert frames[-1].payload["error"]["details"] == [{"path": "", "message": "has more than 1000000 bytes"}]


async def test_an_invalid_output_is_asked_for_again(house, coordinator) -> None:
    """Output that breaks the node's contract is told, without the value, and the node is tried again."""
    house.works["dig"] = lambda task: {"ore": "" if task.attempt == 1 else "good"}
    frames = await run(coordinator)

    assert of_node(frames, "dig") == [
        "node_start dig",
        "validation_error dig",
        "node_error dig",
        "node_retry dig",
        "node_complete dig ok",
    ]
    invalid = next(frame for frame in frames if frame.type == "validation_error")
    assert invalid.payload == {
        "scope": "output",
        "errorCount": 1,
        "attempt": 1,
        "retried": True,
        "details": [{"path": "/ore", "message": "is shorter than 1"}],
    }


async def test_the_run_has_its_time(house, coordinator) -> None:
    """A run that takes too long ends with run_timeout, and nothing of it runs on."""

    async def forever(_: Any) -> None:
        await asyncio.Event().wait()

    house.works["dig"] = forever
    frames = await run(coordinator, constraints={"timeoutSeconds": 1})

    assert story(frames)[-2:] == ["node_complete dig cancelled", "complete failed"]
    assert frames[-1].payload["error"]["code"] == "run_timeout"


class Rejected:
    """A proposer whose plans are no good."""

    def __init__(self) -> None:
        self.seen: list[tuple] = []

    async def propose(self, request, registry) -> PlanGraph:
        self.seen.append(request.diagnostics)
        return PlanGraph(1, ())


async def test_a_plan_that_is_no_good_is_asked_for_again(house, flex_store) -> None:
    """Each attempt hears what was wrong with the one before; after the last one the run fails."""
    proposer = Rejected()
    async with house.coordinator(flex_store, Planner(house.registry(), proposer, attempts=2)) as coordinator:
        frames = await run(coordinator)

    assert [frame.type for frame in frames] == ["start", *(["plan_requested", "plan_rejected"] * 2), "complete"]
    assert frames[2].payload["codes"] == ["empty_plan"]
    assert frames[-1].payload["error"]["code"] == "plan_rejected"
    assert [len(seen) for seen in proposer.seen] == [0, 1]


async def test_a_mistake_of_the_planner_ends_the_run(house, flex_store, caplog) -> None:
    """What is nobody's answer is told as an internal error, and logged; the run does not hang."""

    class Broken:
        async def propose(self, request, registry) -> PlanGraph:
            raise ZeroDivisionError

    async with house.coordinator(flex_store, Planner(house.registry(), Broken())) as coordinator:
        frames = await run(coordinator)

    assert frames[-1].payload["error"]["code"] == "internal"
    assert frames[-1].payload["errorType"] == "ZeroDivisionError"
    assert "a mistake of ours" in caplog.text
