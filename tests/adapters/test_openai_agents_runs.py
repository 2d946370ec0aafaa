"""Runs of the OpenAI Agents SDK: what they are called, how they nest, and every way in which they end."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from agents import (
    MaxTurnsExceeded,
    RunConfig,
    RunErrorHandlerResult,
    Runner,
    function_tool,
    set_trace_processors,
    set_tracing_disabled,
)
from agents.tracing import TracingProcessor

import otel_agents
from otel_agents.testing import Telemetry
from tests.adapters.assistants import (
    IN,
    OUT,
    RESUMES_IN_AGENT,
    WAYS,
    Gate,
    agent,
    approve,
    call,
    hand_over,
    ping,
    refund,
    streamed,
    support,
)

EVERY_WAY = pytest.mark.parametrize("way", WAYS)

PAUSED = """
run triage: paused
  node triage (agent): ok
    node model (step): ok
    node ping (tool): ok
    node ask (tool): ok
      node helper (agent): ok
        node model (step): ok
        node ping (tool): ok
        node model (step): ok
    node model (step): ok
  handoff billing: ok
  node billing (agent): paused
    node model (step): ok
""".strip().splitlines()
DONE = """
run triage: ok
  node billing (agent): ok
    node refund (tool): ok
    node model (step): ok
    node boom (tool): error
    node model (step): ok
""".strip().splitlines()
DONE_BEFORE = ["run triage: ok", "  node refund (tool): ok", DONE[1], *DONE[3:]]
TREE = [*PAUSED, *(DONE if RESUMES_IN_AGENT else DONE_BEFORE)]


def play(way: str, **options: Any) -> Any:
    team = support()
    waits = WAYS[way](team, **options)
    return WAYS[way](team, approve(waits), **options)


def ends(telemetry: Telemetry) -> list[tuple[Any, Any, Any]]:
    told = (event for event in telemetry.events if event.type == "complete")
    return [(event.status, event.payload.get("errorType"), event.payload["iterations"]) for event in told]


def told(telemetry: Telemetry, *types: str) -> list[tuple[str, dict[str, Any]]]:
    return [(event.type, dict(event.payload)) for event in telemetry.events if event.type in types]


# What it looks like


@EVERY_WAY
def test_a_run_is_its_agents_turns_tools_and_handoffs(way: str, seen: Telemetry) -> None:
    """However it is run, the tree of a run that pauses and goes on is the same."""
    assert play(way).final_output == "done"
    assert seen.tree() == TREE


@EVERY_WAY
def test_events_come_in_the_order_of_what_happens(way: str, seen: Telemetry) -> None:
    """Start, agent, turn, tools, handoff, question, answer, end: exactly these, each belonging to its node."""
    play(way)

    told = [(event.type, event.capability_id or "", event.status or "") for event in seen.events]
    paused = told.index(("complete", "", "awaiting_hitl")) + 1
    start, tool = ("node_start", "ping", ""), ("node_complete", "ping", "ok")
    ask, model = ("node_start", "ask", ""), [("node_start", "model", ""), ("node_complete", "model", "ok")]
    first = told[:paused]
    assert first[:4] == [("start", "", ""), ("node_start", "triage", ""), *model]
    assert sorted(first[4:14]) == sorted(
        [start, tool, ask, ("node_start", "helper", ""), *model, start, tool, *model]
    )  # the tools of one turn run at the same time
    assert first[14:] == [
        ("node_complete", "helper", "ok"),
        ("node_complete", "ask", "ok"),
        *model,
        ("node_complete", "triage", "ok"),
        ("handoff", "", "ok"),
        ("node_start", "billing", ""),
        *model,
        ("node_complete", "billing", "paused"),
        ("hitl_request", "", ""),
        ("complete", "", "awaiting_hitl"),
    ]
    begin, refunded = ("node_start", "billing", ""), [("node_start", "refund", ""), ("node_complete", "refund", "ok")]
    assert told[paused:] == [
        ("start", "", ""),
        ("hitl_resolved", "", ""),
        *([begin, *refunded] if RESUMES_IN_AGENT else [*refunded, begin]),
        *model,
        ("node_start", "boom", ""),
        ("node_error", "boom", "error"),
        ("node_complete", "boom", "error"),
        *model,
        ("node_complete", "billing", "ok"),
        ("complete", "", "completed"),
    ]


@EVERY_WAY
def test_what_is_counted(way: str, seen: Telemetry) -> None:
    """Every instrument has exactly what happened: a tool that waits is no execution, tokens are those of all models."""
    play(way)

    def nodes(capability: str, kind: str, outcome: str = "ok") -> str:
        return (
            f"flex.node.duration_count{{capability={capability},kind={kind},outcome={outcome},runtime=openai_agents}}"
        )

    counted = {name: value for name, value in seen.metrics().items() if "_sum{" not in name and "{" in name}
    assert counted == {
        "flex.run.status{runtime=openai_agents,status=awaiting_hitl}": 1,
        "flex.run.status{runtime=openai_agents,status=completed}": 1,
        "flex.run.transitions{runtime=openai_agents,state=start}": 1,
        "flex.run.transitions{runtime=openai_agents,state=paused}": 1,
        "flex.run.transitions{runtime=openai_agents,state=resumed}": 1,
        "flex.run.transitions{runtime=openai_agents,state=complete}": 1,
        "flex.run.duration_count{runtime=openai_agents,status=awaiting_hitl}": 1,
        "flex.run.duration_count{runtime=openai_agents,status=completed}": 1,
        "flex.hitl.requests{runtime=openai_agents}": 1,
        "flex.hitl.resolved{decision=approved,runtime=openai_agents}": 1,
        "flex.hitl.wait.duration_count{decision=approved,runtime=openai_agents}": 1,
        "flex.model.tokens{direction=input,runtime=openai_agents}": 7 * IN,
        "flex.model.tokens{direction=output,runtime=openai_agents}": 7 * OUT,
        nodes("triage", "agent"): 1,
        nodes("helper", "agent"): 1,
        nodes("billing", "agent", "paused"): 1,
        nodes("billing", "agent"): 1,
        nodes("model", "step"): 7,
        nodes("ping", "tool"): 2,
        nodes("ask", "tool"): 1,
        nodes("refund", "tool"): 1,
        nodes("boom", "tool", "error"): 1,
        "yolo_handoffs_total{from_agent=triage,to_agent=billing}": 1,
        "yolo_handoff_duration_seconds_count{from_agent=triage,to_agent=billing}": 1,
    }


def test_spans_say_who_used_what(seen: Telemetry) -> None:
    """Agents and the run carry the tokens of all models inside; the nodes their ids, the run its turns."""
    WAYS["run"](agent("a", call("ask", input="q"), "done", tools=[agent("b", "b").as_tool("ask", "Ask.")]))

    used = {
        span.name: (attributes["gen_ai.usage.input_tokens"], attributes["gen_ai.usage.output_tokens"])
        for span in seen.spans
        if (attributes := dict(span.attributes or {})).get("gen_ai.usage.input_tokens")
    }
    assert used == {"flex.node b": (IN, OUT), "flex.node a": (3 * IN, 3 * OUT), "flex.run a": (3 * IN, 3 * OUT)}
    ids = [event.node_id for event in seen.events if event.type == "node_start"]
    assert [each for each in ids if not str(each).startswith("call-")][:2] == ["a", "a/model"]
    assert len(set(ids)) == 5  # both turns of an agent have one id, each tool call has its own
    (run,) = (dict(span.attributes or {}) for span in seen.spans if span.name == "flex.run a")
    assert (run["flex.run.max_iterations"], run["flex.run.iterations"]) == (10, 2)
    assert run["flex.runtime"] == "openai_agents"


# The SDK's own tracing


class Kept(TracingProcessor):
    def __init__(self) -> None:
        self.spans = 0

    def on_trace_start(self, trace: Any) -> None: ...
    def on_trace_end(self, trace: Any) -> None: ...
    def on_span_start(self, span: Any) -> None: ...
    def shutdown(self) -> None: ...
    def force_flush(self) -> None: ...
    def on_span_end(self, span: Any) -> None:
        self.spans += 1


@EVERY_WAY
@pytest.mark.parametrize("tracing", ["replaced", "disabled", "disabled for the run", "without tasks and turns"])
def test_the_sdks_tracing_may_be_as_it_likes(way: str, tracing: str, seen: Telemetry) -> None:
    """On, off, or with processors that nobody knew of: the tree is the same, and theirs see all of their spans."""
    kept, options = Kept(), {}
    set_trace_processors([kept])
    set_tracing_disabled(tracing == "disabled")
    if tracing == "disabled for the run":
        options["run_config"] = RunConfig(tracing_disabled=True)
    if tracing == "without tasks and turns" and RESUMES_IN_AGENT:
        options["run_config"] = RunConfig(tracing={"include_task_and_turn_spans": False})
    try:
        play(way, **options)
    finally:
        set_tracing_disabled(False)
        set_trace_processors([])

    assert seen.tree() == TREE
    assert (kept.spans == 0) == tracing.startswith("disabled")


def test_tracing_may_be_off_by_the_environment() -> None:
    """The variable of the SDK switches off its tracing, not us."""
    program = """
from otel_agents.adapters.openai_agents import ADAPTER
from otel_agents.patching.apply import apply
from otel_agents.testing import capture
apply(ADAPTER)
from tests.adapters.test_openai_agents_runs import TREE, play
with capture() as telemetry:
    play("run")
print(telemetry.tree() == TREE)
"""
    environment = {**os.environ, "OPENAI_AGENTS_DISABLE_TRACING": "1"}
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment, cwd=root
    )

    assert done.stdout.splitlines() == ["True"]


# Names


def test_a_run_is_named_by_its_caller_or_its_first_agent(seen: Telemetry) -> None:
    """The workflow's name is the run's, if somebody gave one; a group is the thread."""
    WAYS["run"](agent("a", "done"))
    WAYS["run"](agent("a", "done"), run_config=RunConfig(workflow_name="nightly", group_id="chat-7"))

    assert [root.operation.subject for root in seen.forest.roots] == ["a", "nightly"]
    assert [event.payload.get("threadId") for event in seen.events if event.type == "start"] == [None, "chat-7"]


async def test_runs_at_the_same_time_are_each_their_own(seen: Telemetry) -> None:
    """Runs that are gathered are as many runs, each with its own agents."""
    await asyncio.gather(*(Runner.run(agent(name, "done"), "hi") for name in "abc"))

    expected = [[f"run {name}: ok", f"  node {name} (agent): ok", "    node model (step): ok"] for name in "abc"]
    assert [list(root.lines()) for root in seen.forest.roots] == expected
    assert len({event.run_id for event in seen.events}) == 3


@EVERY_WAY
def test_a_run_inside_a_tool_is_a_part_of_its_run(way: str, seen: Telemetry) -> None:
    """Whether the tool is the agent, or calls the Runner itself: one run, and the agent stands under the tool."""

    @function_tool
    async def by_hand() -> str:
        """Ask a helper."""
        return str((await streamed(agent("second", "2"))).final_output)

    tools = [agent("first", "1").as_tool("ask", "Ask."), by_hand]
    WAYS[way](agent("a", call("ask", input="q"), call("by_hand"), "done", tools=tools))

    assert seen.tree() == [
        "run a: ok",
        "  node a (agent): ok",
        "    node model (step): ok",
        "    node ask (tool): ok",
        "      node first (agent): ok",
        "        node model (step): ok",
        "    node model (step): ok",
        "    node by_hand (tool): ok",
        "      node second (agent): ok",
        "        node model (step): ok",
        "    node model (step): ok",
    ]
    assert len({event.run_id for event in seen.events}) == 1
    assert seen.metrics()["flex.run.status{runtime=openai_agents,status=completed}"] == 1


def test_a_run_inside_another_runtime_is_its_child(seen: Telemetry) -> None:
    """It has an id of its own, and the correlation id of what is around it."""
    with otel_agents.run("outer"):
        WAYS["run"](agent("a", "done"))

    runs = {event.runtime: (event.run_id, event.correlation_id) for event in seen.events}
    assert runs["openai_agents"][0] != runs["manual"][0]
    assert runs["openai_agents"][1] == runs["manual"][1]


# Endings


@EVERY_WAY
def test_a_failure_is_recorded_where_it_happened(way: str, seen: Telemetry) -> None:
    """A model that fails is red with the run; the agent in between failed, and its span stays unset."""
    with pytest.raises(ConnectionError):
        WAYS[way](agent("a", ConnectionError("no")))

    assert seen.tree() == ["run a: error", "  node a (agent): error", "    node model (step): error"]
    assert ends(seen) == [("failed", "ConnectionError", 1)]
    red = {span.name for span in seen.spans if not span.status.is_unset}
    assert red == {"flex.run a", "flex.node model"}
    assert [span.name for span in seen.spans if span.events] == ["flex.node model"]


@EVERY_WAY
def test_turns_that_are_used_up_fail_the_run(way: str, seen: Telemetry) -> None:
    """Also where only the consumer of a stream gets to see the exception."""
    with pytest.raises(MaxTurnsExceeded):
        WAYS[way](agent("a", *(call("ping", text="x") for _ in range(5)), tools=[ping]), max_turns=2)

    assert seen.tree()[:2] == ["run a: error", "  node a (agent): error"]
    assert ends(seen) == [("failed", "agents.exceptions.MaxTurnsExceeded", 2)]


@EVERY_WAY
def test_turns_that_are_used_up_may_be_handled(way: str, seen: Telemetry) -> None:
    """A handler's answer is the run's: nothing failed."""
    handlers = {"max_turns": lambda data: RunErrorHandlerResult(final_output="enough")}
    result = WAYS[way](agent("a", call("ping", text="x"), tools=[ping]), max_turns=1, error_handlers=handlers)

    assert result.final_output == "enough"
    assert seen.tree()[:2] == ["run a: ok", "  node a (agent): ok"]
    assert ends(seen) == [("completed", None, 1)]


async def test_a_run_that_is_cancelled_ends_cancelled(seen: Telemetry) -> None:
    """Whoever cancels its task: agent, model and run are cancelled, and nothing is an error."""
    gate = Gate()
    running = asyncio.create_task(Runner.run(agent("a", gate), "hi"))
    await gate.reached.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert seen.tree() == ["run a: cancelled", "  node a (agent): cancelled", "    node model (step): cancelled"]
    assert ends(seen) == [("cancelled", None, 1)]
    assert all(span.status.is_unset for span in seen.spans)


# Streams


CANCELS = ("cancel_requested", "cancel_acknowledged")


async def test_a_stream_that_is_cancelled_at_once(seen: Telemetry) -> None:
    """The wish is told before the run obeys, once, and then how long that took."""
    gate = Gate()
    stream: Any = Runner.run_streamed(agent("a", gate), "hi")
    await gate.reached.wait()
    stream.cancel()
    stream.cancel()
    async for _ in stream.stream_events():
        pass
    await asyncio.gather(stream.run_loop_task, return_exceptions=True)

    assert seen.tree() == ["run a: cancelled", "  node a (agent): cancelled", "    node model (step): cancelled"]
    (asked, obeyed) = told(seen, *CANCELS)
    assert asked == ("cancel_requested", {"source": "user"})
    assert (obeyed[0], obeyed[1]["source"]) == ("cancel_acknowledged", "user")
    assert seen.event_types()[-1] == "complete"
    assert seen.metrics()["flex.run.cancel.latency_count{runtime=openai_agents,source=user}"] == 1


async def test_a_stream_that_is_cancelled_after_its_turn(seen: Telemetry) -> None:
    """The turn is done with its tools; the run is cancelled all the same, since it has no answer."""
    stream = Runner.run_streamed(agent("a", call("ping", text="x"), "never", tools=[ping]), "hi")
    async for _ in stream.stream_events():
        stream.cancel(mode="after_turn")

    assert seen.tree() == [
        "run a: cancelled",
        "  node a (agent): ok",
        "    node model (step): ok",
        "    node ping (tool): ok",
    ]
    assert [event for event, _ in told(seen, *CANCELS)] == [*CANCELS]


async def test_a_wish_that_comes_too_late_is_not_obeyed(seen: Telemetry) -> None:
    """A run that is at its last turn has an answer: it is complete, and nothing is acknowledged."""
    stream = Runner.run_streamed(agent("a", "done"), "hi")
    async for _ in stream.stream_events():
        stream.cancel(mode="after_turn")

    assert seen.tree()[0] == "run a: ok"
    assert [event for event, _ in told(seen, *CANCELS)] == ["cancel_requested"]


async def test_a_stream_that_is_over_cannot_be_cancelled(seen: Telemetry) -> None:
    """Nothing is told of a wish to stop what has ended."""
    (await streamed(agent("a", "done"))).cancel()

    assert told(seen, *CANCELS) == []


async def test_a_stream_goes_on_when_its_consumer_leaves(seen: Telemetry) -> None:
    """The SDK lets it run to its end, and so it is told."""
    stream: Any = Runner.run_streamed(agent("a", call("ping", text="x"), "done", tools=[ping]), "hi")
    async for _ in stream.stream_events():
        break
    await stream.run_loop_task

    assert seen.tree()[0] == "run a: ok"
    assert ends(seen) == [("completed", None, 2)]


def test_a_stream_whose_loop_is_closed_is_cancelled(seen: Telemetry) -> None:
    """The loop cancels what still runs when it closes."""

    async def leave() -> None:
        async for _ in Runner.run_streamed(agent("a", Gate()), "hi").stream_events():
            break

    asyncio.run(leave())

    assert seen.tree()[0] == "run a: cancelled"


async def test_a_stream_that_never_started_is_no_run(seen: Telemetry) -> None:
    """Its task was cancelled before its first step."""
    stream = Runner.run_streamed(agent("a", "never"), "hi")
    stream.cancel()
    async for _ in stream.stream_events():
        pass

    assert seen.tree() == []


# Handoffs


@EVERY_WAY
def test_work_that_comes_back_is_a_loop(way: str, seen: Telemetry) -> None:
    """Each handoff ends when its target starts; one that only comes back is counted as a loop."""
    first, second = agent("first", hand_over("second"), "done"), agent("second", hand_over("first"))
    first.handoffs, second.handoffs = [second], [first]
    assert WAYS[way](first).final_output == "done"

    assert [line for line in seen.tree() if line.startswith("  ") and line[2] != " "] == [
        "  node first (agent): ok",
        "  handoff second: ok",
        "  node second (agent): ok",
        "  handoff first: ok",
        "  node first (agent): ok",
    ]
    loops = [(name, value) for name, value in seen.metrics().items() if name.startswith("yolo_handoff_loops_total")]
    assert loops == [("yolo_handoff_loops_total{agent=first}", 1)]


@EVERY_WAY
def test_of_several_handoffs_the_first_is_made(way: str, seen: Telemetry) -> None:
    """The SDK ignores the others, and so do we."""
    team = [agent("b", "b"), agent("c", "c")]
    assert WAYS[way](agent("a", [hand_over("b"), hand_over("c")], handoffs=team)).final_output == "b"

    assert told(seen, "handoff") == [("handoff", {"fromAgent": "a", "toAgent": "b"})]


@EVERY_WAY
def test_a_handoff_that_fails_is_none(way: str, seen: Telemetry) -> None:
    """Nobody took over: the agent failed."""
    from agents import handoff

    def refuse(context: Any) -> None:
        raise LookupError

    with pytest.raises(LookupError):
        WAYS[way](agent("a", hand_over("b"), handoffs=[handoff(agent("b", "b"), on_handoff=refuse)]))

    assert seen.tree() == ["run a: error", "  node a (agent): error", "    node model (step): ok"]
    assert told(seen, "handoff") == []


@EVERY_WAY
def test_it_is_the_same_while_another_exception_is_handled(way: str, seen: Telemetry) -> None:
    """An exception of the caller's that is being handled around a run is none of its agents'."""
    try:
        raise LookupError
    except LookupError:
        WAYS[way](agent("a", hand_over("b"), handoffs=[agent("b", "b", tools=[refund])]))

    assert {line.rpartition(" ")[2] for line in seen.tree()} == {"ok"}
