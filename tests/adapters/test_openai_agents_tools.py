"""Tools of the OpenAI Agents SDK: which calls are executions, and how they end."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import Any

import pytest
from agents import LocalShellTool, RunConfig, Runner, ShellTool, ToolTimeoutError, UserError, function_tool
from openai.types.responses import ResponseFunctionShellToolCall
from openai.types.responses.response_output_item import LocalShellCall, LocalShellCallAction

from otel_agents.testing import Telemetry
from tests.adapters.assistants import WAYS, agent, approve, boom, call, ping, refund

EVERY_WAY = pytest.mark.parametrize("way", WAYS)


def tools(telemetry: Telemetry) -> list[str]:
    return [line.strip() for line in telemetry.tree() if "(tool)" in line]


def node_errors(telemetry: Telemetry) -> list[tuple[Any, Any]]:
    return [
        (event.capability_id, event.payload.get("errorType"))
        for event in telemetry.events
        if event.type == "node_error"
    ]


@EVERY_WAY
def test_a_tool_is_known_by_its_call(way: str, seen: Telemetry) -> None:
    """The id of a tool's node is that of its call: two calls of one tool are two nodes."""
    calls = [call("ping", "c1", text="a"), call("ping", "c2", text="b")]
    WAYS[way](agent("a", calls, "done", tools=[ping]))

    ids = [event.node_id for event in seen.events if event.type == "node_start" and event.capability_id == "ping"]
    assert sorted(map(str, ids)) == ["c1", "c2"]
    span = next(span for span in seen.spans if span.name == "flex.node ping")
    assert dict(span.attributes or {})["gen_ai.tool.name"] == "ping"


@EVERY_WAY
def test_a_failure_that_becomes_a_message_is_a_failure_still(way: str, seen: Telemetry) -> None:
    """The model is told, and the run goes on: the tool is an error with the tool's own exception."""
    assert WAYS[way](agent("a", call("boom", text="x"), "done", tools=[boom])).final_output == "done"

    assert tools(seen) == ["node boom (tool): error"]
    assert node_errors(seen) == [("boom", "ValueError")]
    assert seen.tree()[0] == "run a: ok"
    assert [span.name for span in seen.spans if span.events] == ["flex.node boom"]


@EVERY_WAY
def test_a_failure_that_nobody_handles_fails_the_run(way: str, seen: Telemetry) -> None:
    """The tool has its own exception, agent and run the one that the SDK made of it."""

    @function_tool(failure_error_function=None)
    def fatal() -> str:
        """Fail for good."""
        raise LookupError

    with pytest.raises(UserError):
        WAYS[way](agent("a", call("fatal"), tools=[fatal]))

    assert seen.tree() == [
        "run a: error",
        "  node a (agent): error",
        "    node model (step): ok",
        "    node fatal (tool): error",
    ]
    assert node_errors(seen) == [("fatal", "LookupError"), ("a", "agents.exceptions.UserError")]


@EVERY_WAY
@pytest.mark.parametrize("behavior", ["error_as_result", "raise_exception"])
def test_a_tool_that_takes_too_long_is_a_failure(way: str, behavior: Any, seen: Telemetry) -> None:
    """Whether the timeout is raised or told to the model."""

    @function_tool(timeout=0.001, timeout_behavior=behavior)
    async def slow() -> str:
        """Wait for ever."""
        await asyncio.Event().wait()
        return ""

    raised = pytest.raises(ToolTimeoutError) if behavior == "raise_exception" else contextlib.nullcontext()
    with raised:
        WAYS[way](agent("a", call("slow"), "done", tools=[slow]))

    assert tools(seen) == ["node slow (tool): error"]
    assert node_errors(seen)[0] == ("slow", "agents.exceptions.ToolTimeoutError")


@EVERY_WAY
def test_a_tool_that_is_cancelled_by_itself_is_cancelled(way: str, seen: Telemetry) -> None:
    """The model is told, the run goes on, and nothing failed."""

    @function_tool
    async def stops() -> str:
        """Stop."""
        raise asyncio.CancelledError

    assert WAYS[way](agent("a", call("stops"), "done", tools=[stops])).final_output == "done"

    assert tools(seen) == ["node stops (tool): cancelled"]
    assert seen.tree()[0] == "run a: ok"
    assert node_errors(seen) == []


MCP_SERVER = """
import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    params = asked.get("params") or {}
    answers = {
        "initialize": {"protocolVersion": params.get("protocolVersion"), "capabilities": {"tools": {}},
                       "serverInfo": {"name": "s", "version": "1"}},
        "tools/list": {"tools": [{"name": "look", "inputSchema": {"type": "object"}}]},
        "tools/call": {"content": [{"type": "text", "text": "x"}], "isError": "broken" in params.get("arguments", {})},
    }
    if "id" in asked:
        known = asked["method"] in answers
        answer = {"result": answers[asked["method"]]} if known else {"error": {"code": -32601, "message": "no"}}
        print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], **answer}), flush=True)
"""


def test_a_call_that_an_mcp_server_answers_with_an_error_is_a_failure(seen: Telemetry) -> None:
    """Nothing is raised: the answer says so, and the run goes on."""
    from agents.mcp import MCPServerStdio

    async def run() -> Any:
        async with MCPServerStdio({"command": sys.executable, "args": ["-c", MCP_SERVER]}) as server:
            team = agent("a", call("look", "c1"), call("look", "c2", broken=1), "done", mcp_servers=[server])
            return await Runner.run(team, "hi")

    assert asyncio.run(run()).final_output == "done"
    assert tools(seen) == ["node look (tool): ok", "node look (tool): error"]
    assert node_errors(seen) == [("look", "tool_error")]
    assert seen.tree()[0] == "run a: ok"


@EVERY_WAY
def test_an_agent_that_fails_is_a_tool_that_fails(way: str, seen: Telemetry) -> None:
    """Its error is recorded once, on the model that raised it; the outer run goes on."""
    helper = agent("helper", ConnectionError("no")).as_tool("ask", "Ask.")
    assert WAYS[way](agent("a", call("ask", input="q"), "done", tools=[helper])).final_output == "done"

    assert seen.tree() == [
        "run a: ok",
        "  node a (agent): ok",
        "    node model (step): ok",
        "    node ask (tool): error",
        "      node helper (agent): error",
        "        node model (step): error",
        "    node model (step): ok",
    ]
    assert [span.status.is_unset for span in seen.spans if span.name == "flex.node ask"] == [True]


@EVERY_WAY
def test_a_call_that_waits_for_approval_is_no_execution(way: str, seen: Telemetry) -> None:
    """There is no node for it, and nothing is counted, until it is approved and really runs."""
    team = agent("a", call("refund", text="x"), "done", tools=[refund])
    waits = WAYS[way](team)
    assert tools(seen) == []
    WAYS[way](team, approve(waits))

    assert tools(seen) == ["node refund (tool): ok"]


@EVERY_WAY
def test_an_agent_inside_that_waits_is_a_tool_that_waits(way: str, seen: Telemetry) -> None:
    """It did run, and is paused with its agent; it goes on as another execution."""
    inner = agent("inner", call("refund", text="x"), "inner done", tools=[refund])
    team = agent("outer", call("ask", input="q"), "done", tools=[inner.as_tool("ask", "Ask.")])
    waits = WAYS[way](team)
    assert seen.tree() == [
        "run outer: paused",
        "  node outer (agent): paused",
        "    node model (step): ok",
        "    node ask (tool): paused",
        "      node inner (agent): paused",
        "        node model (step): ok",
    ]
    seen.reset()
    assert WAYS[way](team, approve(waits)).final_output == "done"

    assert tools(seen) == ["node ask (tool): ok", "node refund (tool): ok"]
    assert [event.payload["decision"] for event in seen.events if event.type == "hitl_resolved"] == ["approved"]


@EVERY_WAY
def test_a_tool_that_answers_for_its_agent_does_not_wait(way: str, seen: Telemetry) -> None:
    """Code decides, not a human: no question is told, and the tool is done when it is done."""
    inner = agent("inner", call("refund", text="x"), "inner done", tools=[refund])

    @function_tool
    async def decide() -> str:
        """Ask, and say yes."""
        waits = await Runner.run(inner, "hi")
        return str((await Runner.run(inner, approve(waits))).final_output)

    WAYS[way](agent("outer", call("decide"), "done", tools=[decide]))

    assert tools(seen) == ["node decide (tool): ok", "node refund (tool): ok"]
    assert not [event for event in seen.events if event.type.startswith("hitl")]


# Tools of the SDK's own


def shell_call() -> Any:
    action = {"commands": ["ls"], "timeout_ms": None, "max_output_length": None}
    fields = {"id": "s", "call_id": "sh", "type": "shell_call", "status": "completed", "environment": None}
    return ResponseFunctionShellToolCall.model_validate({**fields, "action": action})


def fail(request: Any) -> Any:
    raise LookupError


@pytest.mark.parametrize("is_off", [False, True], ids=["traced", "untraced"])
@pytest.mark.parametrize(("executor", "outcome"), [(lambda request: "x", "ok"), (fail, "error")], ids=["ok", "error"])
def test_a_shell_is_a_tool(executor: Any, outcome: str, is_off: bool, seen: Telemetry) -> None:
    """Traced or not; that it failed stands in its result, and not what was raised."""
    team = agent("a", shell_call(), "done", tools=[ShellTool(executor=executor)])
    WAYS["run"](team, run_config=RunConfig(tracing_disabled=is_off))

    assert tools(seen) == [f"node shell (tool): {outcome}"]
    assert node_errors(seen) == ([("shell", "tool_error")] if outcome == "error" else [])


def test_the_old_shell_is_a_tool(seen: Telemetry) -> None:
    """It has a way of its own through the SDK."""
    action = LocalShellCallAction(type="exec", command=["ls"], env={})
    wanted = LocalShellCall(id="l", call_id="lc", status="completed", type="local_shell_call", action=action)
    WAYS["run"](agent("a", wanted, "done", tools=[LocalShellTool(executor=lambda request: "x")]))

    assert tools(seen) == ["node local_shell (tool): ok"]
    assert "lc" in [event.node_id for event in seen.events]


@pytest.mark.parametrize("decision", ["approved", "rejected"])
def test_a_shell_that_needs_approval_pauses(decision: str, seen: Telemetry) -> None:
    """Its node is paused while somebody is asked, and runs only when it is approved."""
    ran: list[Any] = []
    executor: Any = ran.append
    team = agent("a", shell_call(), "done", tools=[ShellTool(executor=executor, needs_approval=True)])
    state = WAYS["run"](team).to_state()
    assert (tools(seen), ran) == (["node shell (tool): paused"], [])
    (item,) = state.get_interruptions()
    state.approve(item) if decision == "approved" else state.reject(item)
    WAYS["run"](team, state)

    executed = ["node shell (tool): ok"] if decision == "approved" else []
    assert tools(seen)[1:] == executed
    assert len(ran) == len(executed)
    assert [event.payload["decision"] for event in seen.events if event.type == "hitl_resolved"] == [decision]


def test_a_shell_that_code_refuses_is_cancelled(seen: Telemetry) -> None:
    """Nobody is asked: the callback says no, and the run goes on without the tool."""
    refuse: Any = lambda context, item: {"approve": False, "reason": "no"}  # noqa: E731
    shell = ShellTool(executor=fail, needs_approval=True, on_approval=refuse)
    WAYS["run"](agent("a", shell_call(), "done", tools=[shell]))

    assert tools(seen) == ["node shell (tool): cancelled"]
    assert seen.tree()[0] == "run a: ok"
