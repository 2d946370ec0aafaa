"""What must not grow: chains of tasks that start each other, handoffs that nobody takes, operations left open."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any

import pytest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider

import otel_agents
from otel_agents import guard, pipeline
from otel_agents.config import Config
from otel_agents.handoffs import PENDING
from otel_agents.operation import Identity, Operation, current
from otel_agents.recorder import RECORDER, Entered
from otel_agents.semconv import kinds as k
from otel_agents.semconv.model import Kind
from otel_agents.testing import capture

LINKS = 200
Step = Callable[[int], Coroutine[Any, Any, None]]


@contextmanager
def watching() -> Iterator[Callable[[], int]]:
    """Have every signal at work, on providers that keep nothing; gives what counts the operations that are held."""
    others = alive()
    before = pipeline.active()
    pipeline.start(
        Config.load(environ={}),
        tracer_provider=TracerProvider(shutdown_on_exit=False),
        meter_provider=MeterProvider(shutdown_on_exit=False),
        logger_provider=LoggerProvider(shutdown_on_exit=False),
    )
    try:
        with guard.strict():
            yield lambda: alive() - others
    finally:
        pipeline.stop(then=before)


def started(kind: Kind, subject: str) -> Operation:
    """Start an operation that somebody listens to."""
    operation = RECORDER.start(kind, subject)
    assert operation is not None
    return operation


def alive() -> int:
    """Count the operations that something still holds."""
    gc.collect()
    return sum(type(each) is Operation for each in gc.get_objects())


async def chained(step: Callable[[Step, int], Coroutine[Any, Any, None]], held: Callable[[], int]) -> int:
    """Have each task start the next; return how many operations are held at the last link."""
    last: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    tasks: set[asyncio.Task[None]] = set()

    async def start(left: int) -> None:
        if left:
            task = asyncio.create_task(step(start, left - 1))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            await asyncio.sleep(0)
        else:
            last.set_result(held())

    await start(LINKS)
    return await last


async def a_node_that_starts_the_next(start: Step, left: int) -> None:
    with otel_agents.node("link"):
        await start(left)
        await asyncio.sleep(0)


async def a_plan_inside_a_node_that_starts_the_next(start: Step, left: int) -> None:
    with otel_agents.node("link"), otel_agents.plan():
        await start(left)
        await asyncio.sleep(0)


async def a_node_after_which_the_next_starts(start: Step, left: int) -> None:
    with otel_agents.node("link"):
        await asyncio.sleep(0)
    await start(left)


async def a_run_that_starts_the_next(start: Step, left: int) -> None:
    with otel_agents.run("link"):
        await start(left)
        await asyncio.sleep(0)


async def a_run_whose_node_starts_the_next(start: Step, left: int) -> None:
    with otel_agents.run("link"), otel_agents.node("inside"):
        await start(left)


@pytest.mark.parametrize("around", [True, False], ids=["inside a run", "outside"])
@pytest.mark.parametrize(
    "step",
    [
        a_node_that_starts_the_next,
        a_plan_inside_a_node_that_starts_the_next,
        a_node_after_which_the_next_starts,
        a_run_that_starts_the_next,
        a_run_whose_node_starts_the_next,
    ],
)
def test_a_chain_of_tasks_does_not_keep_its_ancestors(step: Any, around: bool) -> None:
    """However long tasks start each other, an operation that is over does not keep those before it alive."""

    async def main(held: Callable[[], int]) -> int:
        if not around:
            return await chained(step, held)
        with otel_agents.run("around", runtime="flex"):
            return await chained(step, held)

    with watching() as held:
        assert asyncio.run(main(held)) < 12


def test_an_operation_left_inside_one_that_is_open_does_not_stay_current() -> None:
    """What ended elsewhere is taken away when what is around it is left, however its ancestors were cut short."""
    with watching():
        around = started(k.PHASE, "around")
        outside = RECORDER.enter(around)
        ended = [started(k.NODE, str(number)) for number in range(3)]
        for operation in ended:
            RECORDER.enter(operation)
        for operation in ended:
            RECORDER.end(operation)
        assert current() is ended[-1]
        RECORDER.leave(around, outside)
        assert current() is None


def test_a_hundred_thousand_open_operations_start_and_end_at_once() -> None:
    """Operations inside each other cost the same however deep, and all are let go of at their end."""
    with watching() as held:
        entered: list[tuple[Operation, Entered]] = []
        for _ in range(100_000):
            operation = started(k.NODE, "deeper")
            entered.append((operation, RECORDER.enter(operation)))
        while entered:
            operation, before = entered.pop()
            RECORDER.leave(operation, before)
            RECORDER.end(operation)
        del operation, before
        assert held() == 0


def test_operations_that_are_dropped_without_an_end_are_let_go_of() -> None:
    """Operations and runs that nobody ends live no longer than the code that they stand for."""

    def drop() -> None:
        run = RECORDER.start_run("dropped", Identity("flex"))
        assert run is not None
        RECORDER.enter(run)
        RECORDER.enter(started(k.NODE, "dropped"))

    with watching() as held:
        for _ in range(1000):
            copy_context().run(drop)
        assert held() == 0


def test_handoffs_to_nobody_are_bounded() -> None:
    """Of the handoffs that wait for a target the oldest end as abandoned, so that none are kept without end."""
    with capture() as telemetry:
        run = RECORDER.start_run("brief", Identity("langgraph"))
        assert run is not None
        before = RECORDER.enter(run)
        for number in range(PENDING + 3):
            RECORDER.start_handoff("triage", f"nobody{number}")
        assert len(run.run.handoffs) == PENDING
        assert [event.status for event in telemetry.events if event.type == "handoff"] == ["abandoned"] * 3
        RECORDER.leave(run, before)
        RECORDER.end(run)
    assert len([event for event in telemetry.events if event.type == "handoff"]) == PENDING + 3


def test_no_handoff_is_forgotten_when_nodes_start_beside() -> None:
    """Every handoff that was asked for ends once, also when nodes of the run start in other threads meanwhile."""

    def ask() -> None:
        for number in range(500):
            RECORDER.start_handoff("triage", f"nobody{number}")

    def work() -> None:
        for _ in range(500):
            with otel_agents.node("work"):
                pass

    usual_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with capture() as telemetry, otel_agents.run("brief"):
            threads = [threading.Thread(target=copy_context().run, args=(each,)) for each in (ask, work, ask, work)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            waiting = telemetry.event_types().count("handoff")
    finally:
        sys.setswitchinterval(usual_s)
    assert waiting == 1000 - PENDING
    assert telemetry.event_types().count("handoff") == 1000
