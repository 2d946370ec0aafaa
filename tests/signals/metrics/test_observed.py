"""What is looked up when somebody collects: runs, questions, agents, the process, ourselves."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from otel_agents import guard
from otel_agents.operation import Operation
from otel_agents.pauses import MemoryPauses, Pause, Pending
from otel_agents.semconv import agents as a
from otel_agents.semconv import events as e
from otel_agents.semconv import kinds as k
from otel_agents.semconv.metrics import METRICS
from otel_agents.signals.metrics import agents, process
from otel_agents.signals.metrics.observed import LOOKS, Observed
from tests.need import require_module
from tests.signals.metrics.measured import START_NS, Measured


class CountedPauses(MemoryPauses):
    """A store that counts how often it is asked, and fails when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.broken = False

    def pending(self) -> Mapping[str, Pending]:
        self.asked += 1
        if self.broken:
            raise ConnectionError("canary")
        return super().pending()


def pause(request_id: str, at_ns: int, runtime: str = "langgraph") -> Pause:
    return Pause("thread", request_id, "run-1", "run-1", runtime, "", at_ns)


def status(measured: Measured, agent: str, status: str) -> None:
    measured.recorder.fact(e.AGENT_STATUS, {a.YOLO_AGENT: agent, a.YOLO_AGENT_STATUS: status})


def refreshed(measured: Measured, agent: str, **sizes: int) -> None:
    names = {"items": a.YOLO_CONTEXT_ITEMS, "tokens": a.YOLO_CONTEXT_TOKENS}
    measured.recorder.fact(
        e.CONTEXT_REFRESHED, {a.YOLO_AGENT: agent, **{names[each]: size for each, size in sizes.items()}}
    )


@pytest.fixture(autouse=True)
def _fresh_guard() -> object:
    guard.reset()
    yield
    guard.reset()


def test_every_observable_metric_has_a_source() -> None:
    """The table of sources and the table of metrics name the same observable instruments."""
    assert set(LOOKS) == {row.name for row in METRICS if row.instrument.startswith("observable")}


def test_ages_of_running_runs() -> None:
    """By runtime: how many run, how old the oldest is, and how long the quietest did nothing."""
    measured = Measured()
    first = measured.run()
    measured.wait(30)
    second = measured.run()
    other = measured.run("flex")
    measured.wait(10)
    measured.recorder.start(k.NODE, "draft", parent=first)
    measured.wait(5)
    points = measured.collect()
    assert points["flex.run.active"] == {"runtime=langgraph": 2, "runtime=flex": 1}
    assert points["flex.run.oldest.age"] == {"runtime=langgraph": 45, "runtime=flex": 15}
    assert points["flex.run.last_progress.age"] == {"runtime=langgraph": 15, "runtime=flex": 15}
    for run in (first, second, other):
        measured.recorder.end(run)
    points = measured.collect()
    for name in ("flex.run.active", "flex.run.oldest.age", "flex.run.last_progress.age"):
        assert points[name] == {"runtime=langgraph": 0, "runtime=flex": 0}


def test_a_run_inside_a_run_counts_under_its_own_runtime() -> None:
    """A run of another runtime inside a run is active under its own runtime, once."""
    measured = Measured()
    outer = measured.run("flex")
    entered = measured.recorder.enter(outer)
    inner = measured.run("langgraph")
    measured.recorder.leave(outer, entered)
    assert measured.collect()["flex.run.active"] == {"runtime=flex": 1, "runtime=langgraph": 1}
    measured.recorder.end(inner)
    measured.recorder.end(outer)


def test_a_run_that_is_about_to_start_or_just_ended_is_not_running() -> None:
    """A run between its making and its start has no age yet, and one that has an outcome none any more."""
    measured = Measured()
    ended = measured.run()
    measured.recorder.end(ended)
    fresh = Operation(k.RUN, "fresh", ended.run, None, {})
    for run in (ended, fresh):
        measured.recorder.open.add(run)
    points = measured.collect()
    assert (points["flex.run.active"], points["flex.run.oldest.age"]) == ({"runtime=langgraph": 0},) * 2


def test_runs_that_start_meanwhile_disturb_no_collection() -> None:
    """Collecting while other threads start and end runs finds no error of ours."""
    measured = Measured()
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            runs = [measured.run() for _ in range(50)]
            for run in runs:
                measured.recorder.end(run)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        assert measured.collect()["flex.run.active"]["runtime=langgraph"] >= 0
    stop.set()
    for thread in threads:
        thread.join()
    assert guard.errors() == {}
    assert measured.collect()["flex.run.active"] == {"runtime=langgraph": 0}


def test_questions_come_from_the_store() -> None:
    """Open questions of all processes that share the store are shown by runtime, with the age of the oldest."""
    measured = Measured()
    measured.metrics.announce("flex")
    measured.pauses.put(pause("r1", START_NS - 60_000_000_000))
    measured.pauses.put(pause("r2", START_NS))
    points = measured.collect()
    assert points["flex.hitl.pending"] == {"runtime=langgraph": 2, "runtime=flex": 0}
    assert points["flex.hitl.oldest.age"] == {"runtime=langgraph": 60, "runtime=flex": 0}


def test_the_store_is_asked_at_most_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two gauges and several collections within a second ask the store once."""
    store, clock = CountedPauses(), [5_000_000_000]
    measured = Measured(pauses=store)
    monkeypatch.setattr(time, "monotonic_ns", lambda: clock[0])
    measured.collect()
    clock[0] += 999_999_999
    measured.collect()
    assert store.asked == 1
    clock[0] += 1
    measured.collect()
    assert store.asked == 2


def test_what_this_process_asks_is_seen_at_once() -> None:
    """A question asked or answered here shows at the next collection, however soon that is."""
    measured = Measured()
    run = measured.run()
    seen = [measured.collect()["flex.hitl.pending"]]
    measured.pauses.put(pause("r1", START_NS))
    measured.recorder.fact(e.HITL_REQUEST, {}, operation=run)
    seen.append(measured.collect()["flex.hitl.pending"])
    measured.pauses.take("thread", "r1")
    measured.recorder.fact(e.HITL_RESOLVED, {}, operation=run)
    seen.append(measured.collect()["flex.hitl.pending"])
    assert seen == [{"runtime=langgraph": 0}, {"runtime=langgraph": 1}, {"runtime=langgraph": 0}]


def test_a_store_that_fails_reports_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """A failing store shows no questions instead of none open, is counted, and is not asked again at once."""
    store = CountedPauses()
    store.broken = True
    measured = Measured(pauses=store)
    measured.metrics.announce("flex")
    points = measured.collect()
    assert "flex.hitl.pending" not in points
    assert "flex.hitl.oldest.age" not in points
    assert (guard.errors(), store.asked) == ({"pauses.pending": 1}, 1)
    assert measured.collect()["otel_agents.guard.errors"] == {"place=pauses.pending": 1}
    assert "canary" not in caplog.text


def test_status_of_agents() -> None:
    """An agent has a 1 for its status and a 0 for the other ones; who is gone has nothing."""
    measured = Measured()
    for agent, now in (("triage", "active"), ("writer", "idle"), ("critic", "active"), ("triage", "blocked")):
        status(measured, agent, now)
    points = measured.collect()
    assert points["yolo_agents_active"] == {"": 1}
    assert points["yolo_agent_status_info"] == {
        "agent=triage,status=idle": 0, "agent=triage,status=active": 0, "agent=triage,status=blocked": 1,
        "agent=writer,status=idle": 1, "agent=writer,status=active": 0, "agent=writer,status=blocked": 0,
        "agent=critic,status=idle": 0, "agent=critic,status=active": 1, "agent=critic,status=blocked": 0,
    }  # fmt: skip
    for agent in ("triage", "writer", "critic"):
        status(measured, agent, "gone")
    points = measured.collect()
    assert points["yolo_agents_active"] == {"": 0}
    assert "yolo_agent_status_info" not in points


def test_context_of_living_agents() -> None:
    """Context sizes are the newest that were told; what a fact does not say stays; who is gone has none."""
    measured = Measured()
    refreshed(measured, "triage", items=3, tokens=900)
    refreshed(measured, "triage", tokens=1200)
    refreshed(measured, "writer", items=1)
    points = measured.collect()
    assert points["yolo_context_tokens"] == {"agent=triage": 1200}
    assert points["yolo_context_items"] == {"agent=triage": 3, "agent=writer": 1}
    assert "yolo_agent_status_info" not in points
    refreshed(measured, "triage", items=4)
    assert measured.collect()["yolo_context_tokens"] == {"agent=triage": 1200}
    status(measured, "triage", "gone")
    points = measured.collect()
    assert "yolo_context_tokens" not in points
    assert points["yolo_context_items"] == {"agent=writer": 1}


def step(measured: Measured, agent: str, kind: str = "agent") -> Operation:
    """Start a node."""
    operation = measured.recorder.start(k.NODE, agent, {a.FLEX_NODE_KIND: kind})
    assert operation is not None
    return operation


def test_an_idle_agent_is_active_while_it_works_at_nodes() -> None:
    """Nobody needs to tell: at one node or at several at once, to the last; its active time is that of both."""
    measured = Measured()
    status(measured, "triage", "idle")
    first = step(measured, "triage")
    measured.wait(10)
    second = step(measured, "triage")
    measured.wait(5)
    measured.recorder.end(first)
    assert measured.collect()["yolo_agents_active"] == {"": 1}
    measured.wait(1)
    measured.recorder.end(second, error=ValueError())
    measured.wait(100)
    points = measured.collect()
    assert points["yolo_agents_active"] == {"": 0}
    assert points["yolo_agent_status_info"]["agent=triage,status=idle"] == 1
    assert points["yolo_agent_active_time_seconds_total"] == {"agent=triage": 16}


def test_what_is_told_of_an_agent_counts_more_than_its_nodes() -> None:
    """One that is blocked stays so while its node ends; one that is told to be active stays so when it has ended."""
    measured = Measured()
    for agent, now in (("triage", "blocked"), ("writer", "active")):
        status(measured, agent, "idle")
        node = step(measured, agent)
        status(measured, agent, now)
        assert measured.collect()["yolo_agent_status_info"][f"agent={agent},status={now}"] == 1
        measured.recorder.end(node)
        assert measured.collect()["yolo_agent_status_info"][f"agent={agent},status={now}"] == 1


def test_nodes_make_no_agents() -> None:
    """Whose status nobody told has none, and a tool is no agent, whatever its name."""
    measured = Measured()
    step(measured, "editor")
    status(measured, "triage", "idle")
    step(measured, "triage", "tool")
    points = measured.collect()
    assert points["yolo_agents_active"] == {"": 0}
    assert {name.partition(",")[0] for name in points["yolo_agent_status_info"]} == {"agent=triage"}


def test_active_time_goes_on() -> None:
    """Active time counts while it passes, stops with the status, and outlives the agent."""
    measured = Measured()
    seen = []
    for now, seconds in (("active", 10), ("active", 5), ("blocked", 100), ("active", 1), ("gone", 100)):
        status(measured, "triage", now)
        measured.wait(seconds)
        seen.append(measured.collect()["yolo_agent_active_time_seconds_total"]["agent=triage"])
    assert seen == [10, 15, 15, 16, 16]


def test_agents_beyond_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gauges of agents beyond the bound are dropped, their active time is added up; both are counted."""
    monkeypatch.setattr(agents, "KEPT", 6)
    measured = Measured(sets=4)
    for n in range(8):
        status(measured, f"a{n}", "active")
        refreshed(measured, f"a{n}", tokens=n + 1)
    measured.wait(1)
    points = measured.collect()
    assert points["yolo_context_tokens"] == {f"agent=a{n}": n + 1 for n in range(4)}
    assert points["yolo_agent_active_time_seconds_total"] == {f"agent=a{n}": 1 for n in range(4)} | {"agent=_other": 2}
    assert points["yolo_agents_active"] == {"": 6}
    assert len(points["yolo_agent_status_info"]) == 4
    assert measured.collect()["otel_agents.metrics.overflow"]["instrument=yolo_context_tokens"] == 4


def test_names_of_agents_that_come_and_go_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time of agents that are long gone is kept for a bounded number of names, the rest as one sum."""
    monkeypatch.setattr(agents, "KEPT", 3)
    measured = Measured()
    for n in range(10):
        status(measured, f"a{n}", "active")
        measured.wait(1)
        status(measured, f"a{n}", "gone")
    expected = {"agent=a0": 1, "agent=a1": 1, "agent=a2": 1, "agent=_other": 7}
    assert measured.collect()["yolo_agent_active_time_seconds_total"] == expected


def test_cpu_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """CPU is what was used since the last look, 100 being one core."""
    clock, cpu = [0], [0]
    monkeypatch.setattr(time, "monotonic_ns", lambda: clock[0])
    monkeypatch.setattr(time, "process_time_ns", lambda: cpu[0])
    measured = Measured()
    seen = []
    for passed, used in ((2_000_000_000, 500_000_000), (500_000_000, 500_000_000), (1_500_000_000, 3_500_000_000)):
        clock[0] += passed
        cpu[0] += used
        seen.append(measured.collect()["yolo_cpu_usage_percent"][""])
    assert seen == [25, 25, 200]


def test_resident_memory_is_in_units_of_a_million_bytes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The second number of /proc/self/statm is the resident pages; the metric is in 10^6 bytes."""
    statm = tmp_path / "statm"
    statm.write_text("90000 5000 700 1 0 80 0\n")
    monkeypatch.setattr(process, "STATM", statm)
    expected = 5000 * os.sysconf("SC_PAGE_SIZE") / 1_000_000
    assert Measured().collect()["yolo_memory_usage_mb"] == {"": expected}


def test_a_child_of_a_fork_used_nothing_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """A CPU clock that starts again is no negative use."""
    monkeypatch.setattr(time, "process_time_ns", lambda: 5_000_000_000)
    looking = process.Process()
    monkeypatch.setattr(time, "process_time_ns", lambda: 1_000_000)
    assert looking.look().cpu_percent == 0


def test_memory_where_the_system_has_no_proc(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without /proc memory comes from psutil, which says the same as /proc where both are there."""
    psutil = require_module("psutil")
    monkeypatch.setattr(process, "STATM", tmp_path / "missing")
    found, expected = process.Process().look().memory_bytes, psutil.Process().memory_info().rss
    assert found is not None
    assert abs(found - expected) < 50_000_000


def test_memory_that_nobody_knows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without /proc and psutil there is no figure and no error; CPU is still there."""
    monkeypatch.setattr(process, "STATM", tmp_path / "missing")
    monkeypatch.setitem(sys.modules, "psutil", None)
    points = Measured().collect()
    assert "yolo_memory_usage_mb" not in points
    assert "yolo_cpu_usage_percent" in points
    assert guard.errors() == {}


def test_what_we_say_of_ourselves() -> None:
    """Patch points, dropped events and swallowed errors are read from those who count them."""
    points: dict[tuple[str, str], int] = {("langgraph", "applied"): 7, ("langgraph", "missing"): 1}
    dropped = {"audit": 3}
    measured = Measured(patch_points=lambda: points, dropped=lambda: dropped)
    guard.run("somewhere", int, "x")
    found = measured.collect()
    assert found["otel_agents.patch.points"] == {
        "adapter=langgraph,state=applied": 7,
        "adapter=langgraph,state=missing": 1,
    }
    assert found["otel_agents.events.dropped"] == {"subscriber=audit": 3}
    assert found["otel_agents.guard.errors"] == {"place=somewhere": 1}
    dropped["audit"] = 5
    assert measured.collect()["otel_agents.events.dropped"] == {"subscriber=audit": 5}


def test_a_source_that_fails_costs_its_own_metric_only() -> None:
    """A source that raises reports nothing and is counted; all other metrics are there."""

    def fail() -> dict[tuple[str, str], int]:
        raise RuntimeError("canary")

    points = Measured(patch_points=fail).collect()
    assert "otel_agents.patch.points" not in points
    assert points["yolo_agents_active"] == {"": 0}
    assert guard.errors() == {"metrics.otel_agents.patch.points": 1}


def test_a_look_hands_over_values_in_the_order_of_the_row() -> None:
    """Sources yield label values in the order of the metric's labels, since labels are put on by position."""
    observed = Observed(Measured().recorder, MemoryPauses(), lambda: {("flex", "applied"): 1}, dict)
    assert list(observed.look(METRICS["otel_agents.patch.points"])) == [(1, ("flex", "applied"))]
