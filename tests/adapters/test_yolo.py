"""What is told of a team beside the good case: refusals, failures, stops, departures, and what is nobody's business."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from otel_agents.adapters.yolo import ADAPTER
from otel_agents.runtime.yolo import (
    Agent,
    CorruptStateError,
    Handoff,
    Limits,
    Orchestrator,
    SafetyBlockedError,
    StateError,
    StoppedError,
    Turn,
)
from otel_agents.testing import Telemetry
from tests.adapters.watching import watched

CANARY = "canary-7f3a"


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    """Watch the team; an error of ours fails the test."""
    with watched(ADAPTER) as recorded:
        yield recorded


def echo(turn: Turn) -> Any:
    return turn.task


def yolo(telemetry: Telemetry, *names: str) -> dict[str, float]:
    """Return what was measured under these names."""
    return {name: value for name, value in telemetry.metrics(zero=True).items() if name.startswith(names)}


async def attempt(team: Orchestrator, error: type[BaseException], *steps: str, task: Any = None) -> None:
    with pytest.raises(error):
        await team.run("work", task, steps=steps)


@pytest.mark.parametrize("to_agent", ["nobody", "a", "b"])
async def test_a_handoff_that_is_refused_is_no_handoff(to_agent: str, telemetry: Telemetry) -> None:
    """To nobody, to oneself, or while the team is paused: an error of the agent, no handoff, no made-up label."""

    async def hands_over(turn: Turn) -> None:
        team.set_mode("paused")
        await turn.handoff(to_agent)

    team = Orchestrator([Agent("a", hands_over), Agent("b", echo)])
    await attempt(team, Exception, "a")

    assert telemetry.tree() == ["run work: error", "  node a (agent): error"]
    assert yolo(telemetry, "yolo_handoff") == {}
    assert yolo(telemetry, "yolo_errors") == {"yolo_errors_total{agent=a,severity=high}": 1}
    assert [len(span.events) for span in telemetry.spans] == [1, 0]


async def test_a_handoff_that_cannot_be_saved_ends_as_an_error(tmp_path: Path, telemetry: Telemetry) -> None:
    """Its span is closed at once, the exception is recorded once, and the next handoff is another one."""

    async def hands_over(turn: Turn) -> None:
        with pytest.raises(StateError):
            await turn.handoff("b", object())
        await turn.handoff("b", 1)

    team = Orchestrator([Agent("a", hands_over), Agent("b", echo)], state=tmp_path / "team.state")
    assert await team.run("work", steps=["a"]) == 1

    assert [line.strip() for line in telemetry.tree() if "state_save" not in line] == [
        "run work: ok",
        "node a (agent): ok",
        "handoff b: error",
        "handoff b: ok",
        "node b (agent): ok",
    ]


async def test_a_save_that_fails_is_no_save(tmp_path: Path, telemetry: Telemetry) -> None:
    """A full disk, or a folder that is gone: the exception is recorded where it was raised, and nothing is counted."""
    team = Orchestrator([Agent("a", echo)], state=tmp_path / "nowhere" / "team.state")
    await attempt(team, FileNotFoundError, "a")

    assert telemetry.tree() == ["run work: error", "  state_save: error", "  state_save: error"]
    assert yolo(telemetry, "yolo_state") == {"yolo_state_saves_total": 0}
    assert "state_saved" not in telemetry.event_types()


async def test_a_state_that_is_damaged_is_not_loaded(tmp_path: Path, telemetry: Telemetry) -> None:
    """The time is measured whatever the outcome; the event says only what is true."""
    path = tmp_path / "team.state"
    team = Orchestrator([Agent("a", echo)], state=path)
    assert await team.save() > 0
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(CorruptStateError):
        await team.load()

    assert telemetry.tree() == ["state_save: ok", "state_load: error"]
    assert telemetry.event_types().count("state_loaded") == 0
    assert yolo(telemetry, "yolo_state_load_time_seconds_count") == {"yolo_state_load_time_seconds_count": 1}


async def test_what_an_attempt_handed_over_ends_with_it(telemetry: Telemetry) -> None:
    """A handoff of an attempt that failed is an error of its own, and the target ends only the one that it takes up."""

    async def flaky(turn: Turn) -> None:
        await turn.handoff("b", turn.attempt)
        if turn.attempt == 1:
            raise ConnectionError

    team = Orchestrator([Agent("a", flaky, retries=1), Agent("b", echo)])
    assert await team.run("work", steps=["a"]) == 2

    assert telemetry.tree() == [
        "run work: ok",
        "  node a (agent): ok",
        "  handoff b: error",
        "  handoff b: ok",
        "  node b (agent): ok",
    ]
    assert telemetry.span("flex.node a").attributes["flex.node.attempt"] == 2  # type: ignore[index]
    assert [each.payload for each in telemetry.events if each.type == "node_retry"] == [
        {"attempt": 1, "errorType": "ConnectionError"}
    ]


async def test_a_context_that_outlives_its_agent_tells_nothing(telemetry: Telemetry) -> None:
    """A refresh that ends after its agent has left is measured, and what it came to is nobody's."""
    asked, answer = asyncio.Event(), asyncio.Event()

    async def slow(items: object) -> list[str]:
        asked.set()
        await answer.wait()
        return ["summary"]

    team = Orchestrator([Agent("a", echo, context_limit=100)])
    refreshing = asyncio.create_task(team.context("a").refresh(slow))
    await asked.wait()
    team.remove("a")
    answer.set()
    await refreshing

    found = telemetry.metrics()
    assert found["yolo_context_refresh_time_seconds_count{agent=a}"] == 1
    assert not any(name.startswith(("yolo_context_tokens", "yolo_context_items")) for name in found)
    assert dict(telemetry.events[-1].payload) == {"agent": "a"}


async def test_gauges_of_an_agent_who_left_are_gone(telemetry: Telemetry) -> None:
    """Status, tokens and items of a departed agent have no series; what it was active for is kept."""

    def learns(turn: Turn) -> None:
        turn.context.add("x" * 40)

    team = Orchestrator([Agent("a", learns), Agent("b", learns)])
    await team.run("work", steps=["a", "b"])
    gauges = ("yolo_agent_status", "yolo_agents", "yolo_context")
    living = {
        "yolo_agents_active": 0,
        "yolo_agent_status_info{agent=b,status=idle}": 1,
        "yolo_agent_status_info{agent=b,status=active}": 0,
        "yolo_agent_status_info{agent=b,status=blocked}": 0,
        "yolo_context_tokens{agent=b}": 10,
        "yolo_context_items{agent=b}": 1,
    }
    assert yolo(telemetry, *gauges).keys() > living.keys()
    team.remove("a")

    assert yolo(telemetry, *gauges) == living
    assert len(yolo(telemetry, "yolo_agent_active_time_seconds_total")) == 2


async def test_an_agent_is_active_while_it_works_and_blocked_when_it_may_not(telemetry: Telemetry) -> None:
    """The state set follows, and so does the number of agents at work."""
    seen: list[dict[str, float]] = []

    async def work(turn: Turn) -> None:
        seen.append(yolo(telemetry, "yolo_agent"))
        await turn.decide("delete", lambda: "all")

    team = Orchestrator([Agent("a", work)], limits=Limits(forbidden=["delete"]))
    await attempt(team, SafetyBlockedError, "a")
    seen.append(yolo(telemetry, "yolo_agent"))

    info = "yolo_agent_status_info{{agent=a,status={}}}".format
    states = [[each[info(status)] for status in ("idle", "active", "blocked")] for each in seen]
    assert states == [[0, 1, 0], [0, 0, 1]]
    assert [each["yolo_agents_active"] for each in seen] == [1, 0]


async def test_a_limit_on_steps_and_handoffs_is_told_as_a_block(telemetry: Telemetry) -> None:
    """The block says whom it stopped and from what; the loop of the two before it is counted."""
    ping, pong = Agent("ping", lambda turn: Handoff("pong")), Agent("pong", lambda turn: Handoff("ping"))
    await attempt(Orchestrator([ping, pong], limits=Limits(handoffs=3)), SafetyBlockedError, "ping")

    assert [each.payload for each in telemetry.events if each.type == "safety_block"] == [
        {"agent": "pong", "decisionType": "handoff"}
    ]
    assert yolo(telemetry, "yolo_handoff_loops") == {
        "yolo_handoff_loops_total{agent=ping}": 1,
        "yolo_handoff_loops_total{agent=pong}": 1,
    }
    assert yolo(telemetry, "yolo_errors") == {}


async def test_progress_between_two_handoffs_is_no_loop(telemetry: Telemetry) -> None:
    """Who gives work back after having used a tool has done something."""

    async def back(turn: Turn) -> None:
        await turn.use("look", abs, 1)
        await turn.handoff("a", "done")

    team = Orchestrator([Agent("a", lambda turn: turn.task or Handoff("b")), Agent("b", back)])
    assert await team.run("work", steps=["a"]) == "done"
    assert yolo(telemetry, "yolo_handoff_loops") == {}


async def test_switched_off_a_workflow_is_cancelled_and_goes_on_as_the_same_run(
    tmp_path: Path, telemetry: Telemetry
) -> None:
    """A stop is no error; in another process the run has its id and correlation id again, and is called resumed."""

    def stops(turn: Turn) -> str:
        turn.context.add("x" * 40)
        team.set_mode("off")
        return "half"

    agents = [Agent("a", stops), Agent("b", echo)]
    team = Orchestrator(agents, state=tmp_path / "team.state")
    with pytest.raises(StoppedError):
        await team.run("work", steps=["a", "b"], correlation_id="ticket-17")
    [workflow] = team.unfinished
    telemetry.reset()
    new = Orchestrator(agents, state=tmp_path / "team.state")
    await new.load()
    assert await new.resume(workflow) == "half"

    assert telemetry.tree()[:2] == ["state_load: ok", "run work: ok"]
    starts = [each for each in telemetry.events if each.type == "start"]
    assert [(each.run_id, each.correlation_id, each.payload) for each in starts] == [
        (workflow, "ticket-17", {"name": "work", "resumed": True})
    ]
    assert yolo(telemetry, "flex.run.transitions{runtime=yolo,state=resumed}") == {
        "flex.run.transitions{runtime=yolo,state=resumed}": 1
    }
    assert yolo(telemetry, "yolo_context_tokens{agent=a}") == {"yolo_context_tokens{agent=a}": 10}


async def test_how_a_workflow_ends(telemetry: Telemetry) -> None:
    """Stopped and cancelled workflows are cancelled, without red spans; both are counted as such."""

    async def ends(turn: Turn) -> None:
        if turn.task == "off":
            team.set_mode("off")
        else:
            raise asyncio.CancelledError

    team = Orchestrator([Agent("a", ends), Agent("b", echo)])
    await attempt(team, asyncio.CancelledError, "a")
    await attempt(team, StoppedError, "a", "b", task="off")

    assert telemetry.tree() == [
        "run work: cancelled",
        "  node a (agent): cancelled",
        "run work: cancelled",
        "  node a (agent): ok",
    ]
    assert all(span.status.is_unset for span in telemetry.spans)
    assert [each.payload for each in telemetry.events if each.type == "complete"] == [
        {"status": "cancelled"},
        {"status": "cancelled", "reason": "off"},
    ]
    assert [each.payload for each in telemetry.events if each.type == "workflow_finished"] == [
        {"workflow": "work", "success": False}
    ] * 2
    assert yolo(telemetry, "yolo_workflows_total{outcome=cancelled}") == {"yolo_workflows_total{outcome=cancelled}": 2}


async def test_a_team_inside_a_team_is_one_run(telemetry: Telemetry) -> None:
    """An agent whose work is another workflow adds its turns to the run around, and nothing is counted twice."""
    inner = Orchestrator([Agent("c", echo)])

    async def delegates(turn: Turn) -> Any:
        return await inner.run("inner", turn.task, steps=["c"])

    assert await Orchestrator([Agent("a", delegates)]).run("outer", 7, steps=["a"]) == 7

    assert telemetry.tree() == ["run outer: ok", "  node a (agent): ok", "    node c (agent): ok"]
    assert yolo(telemetry, "yolo_workflows_total{outcome=ok}") == {"yolo_workflows_total{outcome=ok}": 1}


async def test_workflows_side_by_side_keep_to_themselves(telemetry: Telemetry) -> None:
    """Two that run at the same time, with the same agents, are two runs with their own turns and handoffs."""
    both = asyncio.Barrier(2)

    async def first(turn: Turn) -> Handoff:
        await both.wait()
        return Handoff("b", turn.task)

    async def second(turn: Turn) -> Any:
        await both.wait()
        return turn.task

    team = Orchestrator([Agent("a", first), Agent("b", second)])
    done = await asyncio.gather(team.run("one", 1, steps=["a"]), team.run("two", 2, steps=["a"]))

    assert list(done) == [1, 2]
    branch = ["  node a (agent): ok", "  handoff b: ok", "  node b (agent): ok"]
    assert telemetry.tree() == ["run one: ok", *branch, "run two: ok", *branch]


async def test_what_agents_work_on_is_told_nowhere(tmp_path: Path, telemetry: Telemetry) -> None:
    """Tasks, results, contexts, decisions, arguments and messages stand in no signal."""

    async def work(turn: Turn) -> Handoff:
        turn.context.add(CANARY)
        await turn.context.refresh(lambda items: [CANARY, *(item.text for item in items)])
        await turn.decide("route", lambda text: text, CANARY)
        await turn.use("look", str.upper, CANARY)
        turn.report(LookupError(CANARY), "low")
        if turn.attempt == 1:
            raise ConnectionError(CANARY)
        return Handoff("b", CANARY)

    def fails(turn: Turn) -> None:
        raise ValueError(CANARY)

    team = Orchestrator([Agent("a", work, retries=1), Agent("b", fails)], state=tmp_path / "team.state")
    await attempt(team, ValueError, "a", task=CANARY)

    told = [*telemetry.events, *(span.to_json() for span in telemetry.spans), *telemetry.metrics()]
    told += [each.log_record.to_json() if hasattr(each.log_record, "to_json") else each for each in telemetry.logs]
    assert len(told) > 50
    assert [each for each in told if CANARY in str(each)] == []
    assert CANARY in (tmp_path / "team.state.bak").read_text()  # the state is the user's own
    assert os.fspath(tmp_path) not in str(told)
