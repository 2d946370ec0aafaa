"""Agents of LangGraph: their tools, plans, guardrails, re-asked outputs and models."""

from __future__ import annotations

from typing import Any

import pytest
from langchain.agents.middleware import (
    ModelCallLimitMiddleware,
    PIIMiddleware,
    TodoListMiddleware,
    ToolCallLimitMiddleware,
    ToolRetryMiddleware,
    after_model,
    before_agent,
)
from langchain.agents.middleware.types import AgentMiddleware
from langchain.agents.structured_output import ProviderStrategy, ToolStrategy
from langchain_core.caches import InMemoryCache
from langchain_core.language_models import FakeListLLM
from langchain_core.tools import ToolException, tool
from langgraph.graph import MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import RetryPolicy
from pydantic import BaseModel, Field

from otel_agents.testing import Telemetry
from tests.adapters.graphs import agent, boom, calls, chain, model, ping, thread

HELLO = {"messages": [("user", "hi ada@example.org")]}


class Answer(BaseModel):
    number: int
    words: list[str] = Field(min_length=2)


@tool
def refuse(text: str) -> str:
    """Fail with words for the model."""
    raise ToolException(text)


refuse.handle_tool_error = True


def run(graph: Any, telemetry: Telemetry) -> list[str]:
    """Run an agent and return its tree without the run and its models."""
    graph.invoke(HELLO, thread())
    return [line for line in telemetry.tree()[1:] if "node model" not in line]


def payloads(telemetry: Telemetry, *types: str) -> list[tuple[str, dict[str, object]]]:
    return [(event.type, dict(event.payload)) for event in telemetry.events if event.type in types]


# Tools


def test_each_tool_call_is_one_tool(telemetry: Telemetry) -> None:
    """Two calls in one turn are two tools with ids of their own, named after the tool and not after its node."""
    graph = agent(calls(("ping", {"text": "a"}, "1"), ("ping", {"text": "b"}, "2")), "done", tools=[ping])

    assert run(graph, telemetry) == ["  node ping (tool): ok"] * 2
    span = next(span for span in telemetry.spans if span.name == "flex.node ping")
    assert span.attributes is not None
    assert span.attributes["gen_ai.operation.name"] == "execute_tool"
    assert span.attributes["gen_ai.tool.name"] == "ping"


async def test_async_tools_are_tools(telemetry: Telemetry) -> None:
    """The same for tools that are coroutines."""

    @tool
    async def later(text: str) -> str:
        """Say something, later."""
        return text

    await agent(calls(("later", {"text": "a"}, "1")), "done", tools=[later]).ainvoke(HELLO)

    assert telemetry.tree()[2:3] == ["  node later (tool): ok"]


def test_a_tool_that_raises_is_an_error_of_the_tool_and_the_run(telemetry: Telemetry) -> None:
    """An exception that nobody handles fails the tool, once, and the run."""
    with pytest.raises(ValueError, match="x"):
        agent(calls(("boom", {"text": "x"}, "1")), tools=[boom]).invoke(HELLO)

    assert telemetry.tree() == ["run agent: error", "  node model (step): ok", "  node boom (tool): error"]
    assert [span.name for span in telemetry.spans if span.events] == ["flex.node boom"]
    assert payloads(telemetry, "node_error") == [("node_error", {"attempt": 1, "errorType": "ValueError"})]


@pytest.mark.parametrize(
    ("tools", "call", "expected"),
    [
        ([ping], ("ping", {"wrong": 1}, "1"), ("ping", "pydantic_core._pydantic_core.ValidationError")),
        ([refuse], ("refuse", {"text": "no"}, "1"), ("refuse", "_OTHER")),
        ([ping], ("invented", {}, "1"), ("tools", "_OTHER")),
    ],
    ids=["bad arguments", "refused", "unknown"],
)
def test_a_tool_error_that_becomes_a_message_is_an_error_of_the_tool_only(
    tools: Any, call: Any, expected: Any, telemetry: Telemetry
) -> None:
    """The model reads of the error and goes on; the tool failed. A tool that does not exist has its node's name."""
    assert run(agent(calls(call), "done", tools=tools), telemetry) == [f"  node {expected[0]} (tool): error"]

    assert telemetry.tree()[0] == "run agent: ok"
    assert [payload.get("errorType") for _, payload in payloads(telemetry, "node_error")] == [expected[1]]


def test_a_tool_that_a_middleware_tries_again_is_one_tool(telemetry: Telemetry) -> None:
    """Tries of a retrying middleware are attempts of the tool."""
    failures = iter([ConnectionError("1"), ConnectionError("2")])

    @tool
    def flaky(text: str) -> str:
        """Fail twice."""
        for failure in failures:
            raise failure
        return text

    again = ToolRetryMiddleware(max_retries=3, initial_delay=0.001, jitter=False)
    graph = agent(calls(("flaky", {"text": "a"}, "1")), "done", tools=[flaky], middleware=[again])

    assert run(graph, telemetry) == ["  node flaky (tool): ok"]
    failed = {"errorType": "ConnectionError"}
    assert payloads(telemetry, "node_error", "node_retry") == [
        ("node_error", {"attempt": 1, **failed}),
        ("node_retry", {"attempt": 1, **failed}),
        ("node_error", {"attempt": 2, **failed}),
        ("node_retry", {"attempt": 2, **failed}),
    ]
    assert telemetry.metrics()["flex.node.retries{capability=flaky,runtime=langgraph}"] == 2


def test_a_tool_node_of_a_hand_written_graph_runs_its_tools(telemetry: Telemetry) -> None:
    """A node that looks for tool calls in the state is a step; the tools stand under it."""
    node = ToolNode([ping, boom], name="tools", handle_tool_errors=True)
    graph = chain(node, state=MessagesState)
    graph.invoke({"messages": [calls(("ping", {"text": "a"}, "1"), ("boom", {"text": "b"}, "2"))]}, thread())

    assert telemetry.tree() == [
        "run chain: ok",
        "  node tools (step): ok",
        "    node ping (tool): ok",
        "    node boom (tool): error",
    ]
    ids = [event.node_id for event in telemetry.events if event.type == "node_start"]
    assert ids[1:] == ["1", "2"]


# Plans


def _todos(*words: str) -> dict[str, Any]:
    return {"todos": [{"content": word, "status": "pending"} for word in words]}


def test_todos_are_plans(telemetry: Telemetry) -> None:
    """The first todos are the plan, later ones replace it; a call with wrong arguments is no plan."""
    graph = agent(
        calls(("write_todos", _todos("a", "b"), "1")),
        calls(("write_todos", {"todos": "c"}, "2")),
        calls(("write_todos", _todos("a", "b", "c"), "3")),
        "done",
        middleware=[TodoListMiddleware()],
    )

    assert [line for line in run(graph, telemetry) if "plan" in line] == ["  plan: ok", "  plan: error", "  plan: ok"]
    nodes = [{"id": "0", "capabilityId": "todo"}, {"id": "1", "capabilityId": "todo"}]
    assert payloads(telemetry, "plan_requested", "plan_generated", "plan_updated", "plan_rejected") == [
        ("plan_requested", {"phase": "initial", "attempt": 1}),
        ("plan_generated", {"version": 1, "nodeCount": 2, "nodes": nodes}),
        ("plan_requested", {"phase": "replan", "attempt": 1}),
        ("plan_requested", {"phase": "replan", "attempt": 1}),
        ("plan_updated", {"previousVersion": 1, "version": 2, "trigger": "write_todos"}),
    ]
    assert telemetry.span("flex.run agent").attributes["flex.plan.version"] == 2  # type: ignore[index]


def planned(state: Any) -> Any:
    return {"x": [], "plan": ["a", "b", "c"]}


class Planned(MessagesState):
    x: list[int]
    plan: Any


def test_planner_nodes_are_plans(telemetry: Telemetry) -> None:
    """A node called planner, plan or replan is a plan, as is one that says so in its metadata; its list is counted."""
    nodes = [("planner", planned), ("replan", lambda state: {"plan": {"steps": [1, 2]}}), ("think", planned)]
    graph: Any = _graph(Planned, nodes, metadata={"think": {"otel_agents.kind": "plan"}})
    graph.invoke({"messages": []})

    assert telemetry.tree() == ["run chain: ok", *["  plan: ok"] * 3]
    assert payloads(telemetry, "plan_generated", "plan_updated") == [
        ("plan_generated", {"version": 1, "nodeCount": 3}),
        ("plan_updated", {"previousVersion": 1, "version": 2, "trigger": "replan"}),
        ("plan_updated", {"previousVersion": 2, "version": 3, "trigger": "think"}),
    ]
    counts = [span.attributes.get("flex.plan.node_count") for span in telemetry.spans if span.name == "flex.plan"]  # type: ignore[union-attr]
    assert counts == [3, 2, 3]


def _graph(state: Any, nodes: list[tuple[str, Any]], metadata: dict[str, Any]) -> Any:
    graph: Any = StateGraph(state)
    for name, node in nodes:
        graph.add_node(name, node, metadata=metadata.get(name))
    before = "__start__"
    for name, _ in nodes:
        graph.add_edge(before, name)
        before = name
    return graph.compile(name="chain")


def test_a_planner_that_fails_made_no_plan(telemetry: Telemetry) -> None:
    """A plan that raised has no version, and the next one is the first."""

    def planner(state: Any) -> Any:
        raise LookupError

    with pytest.raises(LookupError):
        chain(planner).invoke({"x": []})

    assert telemetry.tree() == ["run chain: error", "  plan: error"]
    assert payloads(telemetry, "plan_generated") == []


def test_a_planner_that_is_tried_again_is_one_plan(telemetry: Telemetry) -> None:
    """Attempts at a planner node are attempts at the plan."""
    failures = iter([ConnectionError("once")])

    def planner(state: Any) -> Any:
        for failure in failures:
            raise failure
        return {"x": []}

    graph: Any = StateGraph(Planned)
    graph.add_node("planner", planner, retry_policy=RetryPolicy(initial_interval=0.001, jitter=False))
    graph.add_edge("__start__", "planner")
    graph.compile(name="chain").invoke({"messages": []})

    assert telemetry.tree() == ["run chain: ok", "  plan: ok"]
    plan = telemetry.span("flex.plan").attributes
    assert plan is not None
    assert (plan["flex.plan.attempt"], plan["flex.plan.version"]) == (2, 1)
    assert telemetry.metrics()["flex.node.retries{capability=planner,runtime=langgraph}"] == 1


def test_a_planner_that_is_an_agent_is_an_agent(telemetry: Telemetry) -> None:
    """Its todos are the plan, it is not."""
    chain(agent("done", name="planner"), state=MessagesState).invoke(HELLO)

    assert telemetry.tree()[1] == "  node planner (agent): ok"


# Guardrails


def test_a_guardrail_that_lets_pass_did_not_act(telemetry: Telemetry) -> None:
    """A policy that had nothing to do is an operation without action: no event, no count."""
    guard = PIIMiddleware("credit_card", strategy="redact")

    assert run(agent("done", middleware=[guard]), telemetry) == ["  policy PIIMiddleware[credit_card]: ok"] * 2
    assert payloads(telemetry, "policy_triggered") == []
    assert [name for name in telemetry.metrics() if "policy" in name] == []


@pytest.mark.parametrize("strategy", ["redact", "mask", "hash"])
def test_a_guardrail_that_changes_messages_acted(strategy: Any, telemetry: Telemetry) -> None:
    """The action is the strategy of the middleware, the trigger its hook."""
    run(agent("done", middleware=[PIIMiddleware("email", strategy=strategy)]), telemetry)

    acted = {"policyId": "PIIMiddleware[email]", "trigger": "before_model", "action": strategy}
    assert payloads(telemetry, "policy_triggered") == [("policy_triggered", acted)]


def test_a_guardrail_that_blocks_is_the_failure(telemetry: Telemetry) -> None:
    """What it raises goes on unchanged, is recorded on the policy, and the action is to block."""
    with pytest.raises(Exception, match="email") as raised:
        agent("done", middleware=[PIIMiddleware("email", strategy="block")]).invoke(HELLO)

    assert type(raised.value).__name__ == "PIIDetectionError"
    assert telemetry.tree() == ["run agent: error", "  policy PIIMiddleware[email]: error"]
    assert [payload["action"] for _, payload in payloads(telemetry, "policy_triggered")] == ["block"]


@pytest.mark.parametrize(
    ("limit", "behavior", "action"),
    [
        (ModelCallLimitMiddleware, "end", "end"),
        (ModelCallLimitMiddleware, "error", "fail"),
        (ToolCallLimitMiddleware, "continue", "continue"),
        (ToolCallLimitMiddleware, "error", "fail"),
    ],
)
def test_limits_are_policies(limit: Any, behavior: str, action: str, telemetry: Telemetry) -> None:
    """A limit that was reached acts once, by the way that it ends things."""
    try:
        guard = limit(run_limit=1, exit_behavior=behavior)
    except ValueError:
        pytest.skip(f"{limit.__name__} of this version of langchain does not know {behavior!r}")
    turn = calls(("ping", {"text": "a"}, "1")), calls(("ping", {"text": "a"}, "2"), ("ping", {"text": "a"}, "3"))
    graph = agent(*turn, "done", tools=[ping], middleware=[guard])
    if action == "fail":
        with pytest.raises(Exception, match="limit"):
            graph.invoke(HELLO)
    else:
        graph.invoke(HELLO)

    actions = [payload["action"] for _, payload in payloads(telemetry, "policy_triggered")]
    assert actions[:1] == [action]


def test_hooks_of_the_program_are_policies_when_they_stop_the_agent(telemetry: Telemetry) -> None:
    """A hook that may jump is a policy; one that raises acted, too; others are steps."""

    @before_agent(can_jump_to=["end"])
    def curfew(state: Any, runtime: Any) -> Any:
        return {"jump_to": "end"} if len(state["messages"]) > 1 else None

    @after_model
    def note(state: Any, runtime: Any) -> Any:
        return None

    graph = agent("done", "again", middleware=[curfew, note])

    assert run(graph, telemetry) == ["  policy curfew: ok", "  node note.after_model (step): ok"]
    assert payloads(telemetry, "policy_triggered") == []
    graph.invoke({"messages": [("user", "a"), ("user", "b")]})
    acted = {"policyId": "curfew", "trigger": "before_agent", "action": "end"}
    assert payloads(telemetry, "policy_triggered") == [("policy_triggered", acted)]


def test_a_hook_that_raises_acted(telemetry: Telemetry) -> None:
    """Nobody could know the hook to be a policy: it is a node that failed, and a policy that triggered."""

    class Strict(AgentMiddleware):
        def before_model(self, state: Any, runtime: Any) -> Any:
            raise PermissionError

    with pytest.raises(PermissionError):
        agent("done", middleware=[Strict()]).invoke(HELLO)

    assert telemetry.tree() == ["run agent: error", "  node Strict.before_model (step): error"]
    acted = {"policyId": "Strict", "trigger": "before_model", "action": "fail"}
    assert payloads(telemetry, "policy_triggered") == [("policy_triggered", acted)]


# Structured output


def test_an_invalid_output_that_is_asked_for_again_is_a_validation_error(telemetry: Telemetry) -> None:
    """Each invalid output counts its errors and its attempt; the one that passes says nothing."""
    answers = [
        calls(("Answer", {"number": "x", "words": []}, "1")),
        calls(("Answer", {"number": 1, "words": []}, "2")),
        calls(("Answer", {"number": 1, "words": ["a", "b"]}, "3")),
    ]
    agent(*answers, response_format=ToolStrategy(Answer)).invoke(HELLO)

    told = {"scope": "output", "retried": True}
    assert payloads(telemetry, "validation_error") == [
        ("validation_error", {**told, "errorCount": 2, "attempt": 1}),
        ("validation_error", {**told, "errorCount": 1, "attempt": 2}),
    ]
    assert telemetry.metrics()["flex.validation.errors{runtime=langgraph,scope=output}"] == 3
    assert telemetry.metrics()["flex.validation.retries{runtime=langgraph,scope=output}"] == 2


@pytest.mark.parametrize(
    ("answer", "strategy"),
    [
        (calls(("Answer", {"number": 1, "words": []}, "1")), ToolStrategy(Answer, handle_errors=False)),
        ('{"number": 1, "words": []}', ProviderStrategy(Answer)),
    ],
)
def test_an_invalid_output_that_is_not_asked_for_again_is_told_once(
    answer: Any, strategy: Any, telemetry: Telemetry
) -> None:
    """The error fails the run, and is one validation error that was not retried."""
    with pytest.raises(Exception, match="Answer"):
        agent(answer, response_format=strategy).invoke(HELLO)

    told = {"scope": "output", "errorCount": 1, "attempt": 1}
    assert payloads(telemetry, "validation_error") == [("validation_error", told)]
    assert [name for name in telemetry.metrics() if "validation.retries" in name] == []


# Models


def test_tokens_are_counted_once_per_model_call(telemetry: Telemetry) -> None:
    """Called, streamed or batched, each call counts; one that a cache answers, or that has no usage, does not."""
    cache = InMemoryCache()
    cached = model(*"aa")
    cached.cache = cache

    def ask(state: Any) -> Any:
        model("a").invoke("x")
        list(model("a").stream("x"))
        model("a", "b").batch(["x", "y"], {"max_concurrency": 1})
        cached.invoke("same")
        cached.invoke("same")
        FakeListLLM(responses=["no usage"]).invoke("x")
        return {}

    chain(ask).invoke({"x": []})

    counted = telemetry.metrics()
    assert counted["flex.model.tokens{direction=input,runtime=langgraph}"] == 50
    assert counted["flex.model.tokens{direction=output,runtime=langgraph}"] == 10
    assert telemetry.span("flex.run chain").attributes["gen_ai.usage.output_tokens"] == 10  # type: ignore[index]
