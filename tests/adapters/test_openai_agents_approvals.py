"""Approvals of the OpenAI Agents SDK: who is asked, what was decided, how long it took, and which run goes on."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from agents import Runner, RunState

from otel_agents.recorder import RECORDER
from otel_agents.testing import Telemetry
from tests.adapters.assistants import WAYS, agent, approve, call, ping, refund
from tests.need import require_module

EVERY_WAY = pytest.mark.parametrize("way", WAYS)
HOUR_NS = 3_600_000_000_000


def told(telemetry: Telemetry, *types: str) -> list[tuple[str, dict[str, Any]]]:
    return [(event.type, dict(event.payload)) for event in telemetry.events if event.type in types]


def two() -> Any:
    wanted = [call("refund", "c1", text="a"), call("refund", "c2", text="b")]
    return agent("a", wanted, "done", tools=[refund])


@EVERY_WAY
@pytest.mark.parametrize(("decision", "executions"), [("approved", 1), ("rejected", 0)])
def test_an_answer_goes_on_with_the_run(way: str, decision: str, executions: int, seen: Telemetry) -> None:
    """The same run under the same name, linked to the paused one, with the decision and the wait."""
    team = agent("a", call("refund", "c1", text="x"), "done", tools=[refund])
    state = WAYS[way](team).to_state()
    wall_ns = RECORDER.wall_ns
    RECORDER.wall_ns = lambda: wall_ns() + HOUR_NS
    (item,) = state.get_interruptions()
    state.approve(item) if decision == "approved" else state.reject(item)
    assert WAYS[way](team, state).final_output == "done"

    asked, answered = told(seen, "hitl_request", "hitl_resolved")
    assert asked == ("hitl_request", {"requestId": "c1", "origin": "refund", "pendingNodeId": "c1"})
    assert answered[1].pop("waitMs") == pytest.approx(HOUR_NS / 1e6, abs=1000)
    assert answered == ("hitl_resolved", {"requestId": "c1", "decision": decision})
    assert sum("refund (tool)" in line for line in seen.tree()) == executions
    paused, resumed = (span for span in seen.spans if span.name == "flex.run a")
    assert [link.context.span_id for link in resumed.links] == [paused.context.span_id]
    assert {dict(span.attributes or {})["flex.run.id"] for span in seen.spans} == {"run-1"}
    assert dict(resumed.attributes or {})["flex.run.resumed"] is True
    assert seen.metrics(zero=True)["flex.hitl.pending{runtime=openai_agents}"] == 0


@EVERY_WAY
def test_each_question_is_asked_once_and_answered_once(way: str, seen: Telemetry) -> None:
    """Of two questions one is answered: the run pauses again, and the other stays the question that it was."""
    team = two()
    state = WAYS[way](team).to_state()
    state.approve(state.get_interruptions()[0])
    again = WAYS[way](team, state)
    assert [item.call_id for item in again.interruptions] == ["c2"]
    assert seen.metrics()["flex.hitl.pending{runtime=openai_agents}"] == 1
    WAYS[way](team, approve(again))

    assert [(event, payload["requestId"]) for event, payload in told(seen, "hitl_request", "hitl_resolved")] == [
        ("hitl_request", "c1"),
        ("hitl_request", "c2"),
        ("hitl_resolved", "c1"),
        ("hitl_resolved", "c2"),
    ]
    ends = [event.status for event in seen.events if event.type == "complete"]
    assert ends == ["awaiting_hitl", "awaiting_hitl", "completed"]
    assert len({event.run_id for event in seen.events}) == 1


@EVERY_WAY
def test_a_run_that_goes_on_without_an_answer_asks_nothing_new(way: str, seen: Telemetry) -> None:
    """Nobody decided: it waits on, for the same answer."""
    team = two()
    WAYS[way](team, WAYS[way](team).to_state())

    assert [event for event, _ in told(seen, "hitl_request", "hitl_resolved")] == ["hitl_request", "hitl_request"]
    assert [event.status for event in seen.events if event.type == "complete"] == ["awaiting_hitl", "awaiting_hitl"]


async def test_a_state_that_waits_for_nobody_is_a_new_run(seen: Telemetry) -> None:
    """A run that was stopped may go on from where it was: nobody was asked, so it was no pause."""
    team = agent("a", call("ping", text="x"), "done", tools=[ping])
    stream = Runner.run_streamed(team, "hi")
    async for _ in stream.stream_events():
        stream.cancel(mode="after_turn")
    assert (await Runner.run(team, stream.to_state())).final_output == "done"

    assert [event.payload.get("resumed") for event in seen.events if event.type == "start"] == [None, None]
    assert len({event.run_id for event in seen.events}) == 2


def test_what_is_always_approved_is_asked_once(seen: Telemetry) -> None:
    """After that the tool runs without a question."""
    team = agent("a", call("refund", text="x"), call("refund", text="y"), "done", tools=[refund])
    WAYS["run"](team, approve(WAYS["run"](team), always=True))

    assert [event for event, _ in told(seen, "hitl_request", "hitl_resolved")] == ["hitl_request", "hitl_resolved"]
    assert sum("refund (tool): ok" in line for line in seen.tree()) == 2


def test_a_state_that_is_used_twice_is_one_answer(seen: Telemetry) -> None:
    """The second use is told as a run of its own: the first has taken the question."""
    team = agent("a", call("refund", text="x"), "done", "done again", tools=[refund])
    saved = WAYS["run"](team).to_state().to_string()
    for _ in range(2):
        state = _load(team, saved)
        state.approve(state.get_interruptions()[0])
        WAYS["run"](team, state)

    assert [event for event, _ in told(seen, "hitl_resolved")] == ["hitl_resolved"]
    assert len({event.run_id for event in seen.events}) == 2


def _load(team: Any, saved: str) -> Any:
    return asyncio.run(RunState.from_string(team, saved))


PROGRAM = """
import json, sys
from otel_agents.adapters.openai_agents import ADAPTER
from otel_agents.patching.apply import apply
from otel_agents.recorder import RECORDER
from otel_agents.testing import capture
apply(ADAPTER)
from pathlib import Path
from tests.adapters.assistants import WAYS, agent, call, refund
from tests.adapters.test_openai_agents_approvals import _load

way, step, run_id, later_s, folder = sys.argv[1:]
saved = Path(folder) / "state.json"
answers = [call("refund", "c1", text="x")] if step == "start" else ["done"]
helper = agent("helper", *answers, tools=[refund])
outer = ["all done"] if step != "start" else [call("ask", "c0", input="q")]
team = agent("desk", *outer, tools=[helper.as_tool("ask", "Ask.")])

with capture(pause_store=f"sqlite:///{folder}/pauses.sqlite") as telemetry:
    wall_ns, RECORDER.new_id = RECORDER.wall_ns, lambda: run_id
    RECORDER.wall_ns = lambda: wall_ns() + int(later_s) * 10**9
    if step == "start":
        saved.write_text(WAYS[way](team).to_state().to_string())
    else:
        state = _load(team, saved.read_text())
        for item in state.get_interruptions():
            state.approve(item)
        assert WAYS[way](team, state).final_output == "all done"
    span = telemetry.span("flex.run desk")
    print(json.dumps({
        "runs": sorted({event.run_id for event in telemetry.events}),
        "answers": [dict(event.payload) for event in telemetry.events if event.type == "hitl_resolved"],
        "span": span.context.span_id,
        "trace": span.context.trace_id,
        "links": [link.context.trace_id for link in span.links],
        "status": span.attributes["flex.run.status"],
        "pending": telemetry.metrics().get("flex.hitl.pending{runtime=openai_agents}", 0),
    }))
"""


def _play(folder: Path, *arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-c", PROGRAM, *arguments, str(folder)]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=root)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@EVERY_WAY
def test_a_run_goes_on_in_another_process(way: str, tmp_path: Path) -> None:
    """Its state is a string, also that of an agent inside; the second process answers the first one's question."""
    require_module("sqlalchemy")
    paused = _play(tmp_path, way, "start", "run-a", "0")
    resumed = _play(tmp_path, way, "resume", "run-b", "3600")

    assert (paused["status"], paused["pending"]) == ("awaiting_hitl", 1)
    assert (resumed["status"], resumed["pending"]) == ("completed", 0)
    assert paused["runs"] == resumed["runs"] == ["run-a"]
    assert resumed["links"] == [paused["trace"]]
    (answer,) = resumed["answers"]
    assert (answer["requestId"], answer["decision"]) == ("c1", "approved")
    assert answer["waitMs"] == pytest.approx(3_600_000, abs=1000)
