"""Who listens to a converging run: in the older progress vocabulary, too slowly, or raising; and its log lines."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import otel_agents
from otel_agents import pipeline
from otel_agents.adapters.convergence import ADAPTER
from otel_agents.bus.event import Event
from otel_agents.bus.hub import Hub
from otel_agents.bus.projections import ENDINGS, progress, progress_frame, progress_message
from otel_agents.patching.threads import THREADS
from otel_agents.runtime.convergence import Delivery, Gate, Turn
from otel_agents.testing import Telemetry
from tests.adapters.converging import Stuck, approve, build, cancelled, loop, suite_passes, task, with_a_human
from tests.adapters.watching import watched
from tests.signals.recording import Kept

ASKING = (Gate("tests", suite_passes), Gate("approval", approve))
FLAT = {"timestamp", "workOrderId", "runId", "correlationId"}
# The older vocabulary: what each type has beside its own name and FLAT.
FIELDS = {
    "run_started": {"taskSpec"},
    "run_completed": {"iterations", "metrics", "durationMs"},
    "run_canceled": {"reason", "iterations", "metrics", "durationMs"},
    "run_failed": {"errorType", "iterations", "metrics", "durationMs"},
    "run_paused": {"iterations", "metrics", "durationMs"},
    "iteration_started": {"iteration", "maxIterations"},
    "iteration_completed": {"iteration", "success", "phaseTimings", "gateResults", "durationMs"},
    "phase_started": {"iteration", "phase"},
    "phase_completed": {"iteration", "phase", "success", "durationMs"},
    "gate_checked": {"iteration", "gate", "passed", "durationMs"},
    "delivery_started": set(),
    "delivery_completed": {"success", "prUrl", "ciStatus", "durationMs"},
}
SUMS = {"iterationCount", "totalDurationMs", "phaseDurationsMs", "gatesPassed", "gatesFailed"}


def _raise(turn: Turn) -> None:
    raise ConnectionError("no")


def _every_ending() -> None:
    """Have a run complete, one pause and go on, one be cancelled, one not converge and one fall."""
    asyncio.run(loop().run(task(run_id="completes")))
    asyncio.run(with_a_human(loop(gates=ASKING).start(task(run_id="pauses"))))
    stuck = Stuck()
    asyncio.run(cancelled(stuck, loop(build=stuck).start(task(run_id="stops"))))
    asyncio.run(loop(gates=[Gate("g", lambda turn: False)]).run(task(run_id="fails")))
    with pytest.raises(ConnectionError):
        asyncio.run(loop(snapshot=_raise).run(task(run_id="falls")))


def _records(telemetry: Telemetry) -> list[dict[str, Any]]:
    return [record for event in telemetry.events if (record := progress(event)) is not None]


def test_each_type_has_its_fields() -> None:
    """Every type of the older vocabulary comes out of real runs with exactly its fields; content on adds two."""
    with watched(ADAPTER) as telemetry:
        _every_ending()
        records = _records(telemetry)
    seen = {record["type"] for record in records}
    assert seen == set(FIELDS)
    again = {("run_started", "resumed")}
    unfinished = {("iteration_completed", "success"), ("phase_completed", "success")}  # of what waits for a human
    for record in records:
        odd = {(record["type"], field) for field in (record.keys() ^ (FIELDS[record["type"]] | FLAT | {"type"}))}
        assert odd <= again | (unfinished if record["runId"] == "pauses" else set())
    assert {frozenset(record["metrics"]) for record in records if "metrics" in record} == {frozenset(SUMS)}

    with watched(ADAPTER, capture="EVENT_ONLY") as telemetry:
        asyncio.run(loop().run(task(goal="g" * 200)))
        told = {record["type"]: record for record in _records(telemetry)}
    assert told["run_started"]["taskSpec"] == {"goal": "g" * 100, "strategy": "until_green", "maxIterations": 3}
    assert told["iteration_started"]["feedback"] == f"mend what {'g' * 200} needs"


def test_values_are_those_of_the_run() -> None:
    """The whole progress of one run, field by field; the clocks of events and of the run both count."""
    with watched(ADAPTER) as telemetry:
        asyncio.run(loop(gates=[Gate("g", lambda turn: True)], snapshot=None).run(task(max_iterations=1)))
        records = _records(telemetry)
    ids = {"workOrderId": "wo-7", "runId": "run-7", "correlationId": "corr-7"}
    assert [{name: value for name, value in record.items() if name not in ("timestamp", "durationMs")}
            for record in records] == [
        {"type": "run_started", **ids, "taskSpec": {"strategy": "until_green", "maxIterations": 1}},
        {"type": "iteration_started", **ids, "iteration": 1, "maxIterations": 1},
        {"type": "phase_started", **ids, "iteration": 1, "phase": "build"},
        {"type": "phase_completed", **ids, "iteration": 1, "phase": "build", "success": True},
        {"type": "phase_started", **ids, "iteration": 1, "phase": "verify"},
        {"type": "gate_checked", **ids, "iteration": 1, "gate": "g", "passed": True},
        {"type": "phase_completed", **ids, "iteration": 1, "phase": "verify", "success": True},
        {"type": "iteration_completed", **ids, "iteration": 1, "success": True,
         "phaseTimings": {"build": 1.0, "verify": 1.0}, "gateResults": [{"gate": "g", "passed": True}]},
        {"type": "delivery_started", **ids},
        {"type": "delivery_completed", **ids, "success": True, "prUrl": "https://example.org/pr/7",
         "ciStatus": "green"},
        {"type": "run_completed", **ids, "iterations": 1,
         "metrics": {"iterationCount": 1, "totalDurationMs": 5.0, "phaseDurationsMs": {"build": 1.0, "verify": 1.0},
                     "gatesPassed": 1, "gatesFailed": 0}},
    ]  # fmt: skip
    assert all(record["durationMs"] > 0 for record in records if record["type"].endswith("_completed"))


def test_each_segment_has_one_start_and_one_of_the_four_endings() -> None:
    """Whatever happens, and in this order; over WebSocket all but a pause are `run:completed`."""
    with watched(ADAPTER) as telemetry:
        _every_ending()
        told = [(r["runId"], r["type"]) for r in _records(telemetry) if r["type"].startswith("run_")]
        frames = [f for event in telemetry.events if (f := progress_frame(event)) and "result" in f]
    assert told == [
        ("completes", "run_started"), ("completes", "run_completed"),
        ("pauses", "run_started"), ("pauses", "run_paused"), ("pauses", "run_started"), ("pauses", "run_completed"),
        ("stops", "run_started"), ("stops", "run_canceled"),
        ("fails", "run_started"), ("fails", "run_failed"),
        ("falls", "run_started"), ("falls", "run_failed"),
    ]  # fmt: skip
    assert {type_ for _, type_ in told} - {"run_started"} == {row.name for row in ENDINGS}
    assert [(frame["type"], frame["result"]) for frame in frames] == [
        ("run:completed", "succeeded"), ("run:completed", "succeeded"), ("run:completed", "canceled"),
        ("run:completed", "failed"), ("run:completed", "failed"),
    ]  # fmt: skip


def test_progress_has_its_log_message() -> None:
    """`Progress: <type>`, of what belongs to progress."""
    with watched(ADAPTER) as telemetry:
        asyncio.run(loop(snapshot=None).run(task()))
        said = [progress_message(event) for event in telemetry.events]
    assert said[:3] == ["Progress: run_started", "Progress: iteration_started", "Progress: phase_started"]
    assert said[-1] == "Progress: run_completed"


# Listeners


@pytest.fixture
def hub() -> Iterator[Hub]:
    """The hub of a process in which converging runs are watched."""
    with watched(ADAPTER):
        pipe = pipeline.active()
        assert pipe is not None
        yield pipe.hub


def test_a_listener_that_raises_is_dropped_at_once_and_harms_nobody(hub: Hub) -> None:
    """The run comes out as without it, others hear everything, the failure is counted and told once."""
    heard: list[str] = []
    calls: list[str] = []

    def bad(event: Event) -> None:
        calls.append(event.type)
        raise RuntimeError("listener")

    otel_agents.subscribe(lambda event: heard.append(event.type))
    hub.subscribe(bad, name="bad")
    assert asyncio.run(loop().run(task())).status == "succeeded"
    hub.flush()
    assert calls == ["start"]
    assert otel_agents.health()["failed_subscribers"] == {"bad": 1}
    assert (heard[0], heard[-1], heard.count("log"), heard.count("complete")) == ("start", "complete", 1, 1)


def test_a_slow_listener_misses_the_oldest_and_harms_nobody(hub: Hub) -> None:
    """The run does not wait for it; what it missed is counted, also as a metric; others miss nothing."""
    entered, free = threading.Event(), threading.Event()
    late: list[str] = []
    heard: list[str] = []

    def slow(event: Event) -> None:
        late.append(event.type)
        entered.set()
        free.wait(60)

    async def after_the_first_event(turn: Turn) -> str:
        await asyncio.to_thread(entered.wait)
        return "built"

    otel_agents.subscribe(lambda event: heard.append(event.type))
    hub.subscribe(slow, name="slow", queue_size=5)
    outcome = asyncio.run(loop(build=after_the_first_event).run(task()))
    free.set()
    hub.flush()
    assert outcome.status == "succeeded"
    assert len(heard) == 26
    assert late == [heard[0], *heard[-5:]]
    assert otel_agents.health()["dropped_events"] == {"slow": 20}


def test_the_outcome_is_the_same_whoever_listens() -> None:
    """Watched or not, with listeners of every kind, a run returns the same."""

    def play() -> list[Any]:
        first = asyncio.run(loop(build=build).run(task()))
        second = asyncio.run(with_a_human(loop(gates=ASKING).start(task())))
        return [(each.status, each.reason, each.delivery, each.iterations) for each in (first, second)]

    def bad(event: Event) -> None:
        raise RuntimeError("listener")

    bare = play()
    with watched(ADAPTER):
        otel_agents.subscribe(bad)
        assert play() == bare
    assert isinstance(bare[0][2], Delivery)


# Log lines of the application


@pytest.fixture
def kept() -> Iterator[Kept]:
    """Where the application's lines arrive."""
    handler, logger = Kept(), logging.getLogger("patcher")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


def _say(where: str) -> str:
    logging.getLogger("patcher").info(where)
    return where


async def _asay(where: str) -> str:
    await asyncio.sleep(0)
    return _say(where)


async def _in_tasks_and_threads(turn: Turn) -> str:
    loop_ = asyncio.get_running_loop()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(_say, ["mapped"]))
        await loop_.run_in_executor(pool, _say, "executor")
        await asyncio.to_thread(_say, "to_thread")
        await asyncio.gather(_asay("gathered"), asyncio.create_task(_asay("task")))
        async with asyncio.TaskGroup() as group:
            group.create_task(_asay("group"))
        thread = threading.Thread(target=_say, args=("thread",))
        thread.start()
        thread.join()
    return _say("build")


def test_every_line_of_a_run_carries_its_ids(kept: Kept) -> None:
    """In coroutines, tasks, thread pools, threads and plain functions: run, work order, iteration, phase, trace."""
    with watched(ADAPTER, THREADS):
        _say("before")
        gates = [Gate("tests", suite_passes), Gate("said", lambda turn: bool(_say("gate")))]
        asyncio.run(
            loop(
                build=_in_tasks_and_threads,
                gates=gates,
                snapshot=lambda turn: _say("snapshot"),
                feedback=lambda turn: _say("feedback"),
                deliver=lambda turn: bool(_say("delivery")) and None,
            ).run(task())
        )
        _say("after")
    lines = [(r.getMessage(), getattr(r, "iteration", None), getattr(r, "phase", None)) for r in kept.records]
    built = ["mapped", "executor", "to_thread", "task", "gathered", "group", "thread", "build"]
    rounds = [
        [
            *((line, number, "build") for line in built),
            ("snapshot", number, "snapshot"),
            ("gate", number, "verify"),
            ("feedback", number, "feedback"),
        ]
        for number in (1, 2)
    ]
    assert lines == [
        ("before", None, None), *rounds[0], *rounds[1][:-1], ("delivery", None, None), ("after", None, None),
    ]  # fmt: skip
    inside = kept.records[1:-1]
    ids = {tuple(getattr(r, name, None) for name in ("runId", "correlationId", "workOrderId")) for r in inside}
    assert ids == {("run-7", "corr-7", "wo-7")}
    assert len({getattr(r, "traceId", None) for r in inside}) == 1
    assert not any(hasattr(r, "runId") for r in (kept.records[0], kept.records[-1]))


def test_lines_of_runs_at_the_same_time_are_told_apart(kept: Kept) -> None:
    """Two runs on one event loop, whose threads come from one pool."""

    async def speak(turn: Turn) -> None:
        for _ in range(3):
            await asyncio.to_thread(_say, turn.task.run_id)
            await _asay(turn.task.run_id)

    async def both() -> None:
        await asyncio.gather(*(loop(build=speak).run(task(run_id=each)) for each in ("a", "b")))

    with watched(ADAPTER, THREADS):
        asyncio.run(both())
    assert len(kept.records) == 24
    assert [record.getMessage() for record in kept.records] == [getattr(r, "runId", None) for r in kept.records]
