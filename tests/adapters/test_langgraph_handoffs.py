"""Handoffs between agents: who to whom, once, however the program words them."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.tools import tool
from langgraph.errors import ParentCommand
from langgraph.graph import MessagesState, StateGraph
from langgraph.types import Command, Send
from langgraph_supervisor import create_supervisor
from langgraph_swarm import create_handoff_tool, create_swarm

from otel_agents.testing import Telemetry
from tests.adapters.graphs import agent, calls, chain, model, ping, thread

# The supervisor still makes its agents the old way.
pytestmark = pytest.mark.filterwarnings("ignore:create_react_agent has been moved")

HELLO = {"messages": [("user", "hi")]}


def handoffs(telemetry: Telemetry) -> list[tuple[Any, Any]]:
    return [
        (event.payload["fromAgent"], event.payload["toAgent"]) for event in telemetry.events if event.type == "handoff"
    ]


def swarm(*answers_of_a: Any, b: Any = ("done",)) -> Any:
    a = agent(*answers_of_a, tools=[create_handoff_tool(agent_name="b"), ping], name="a")
    again = agent(*b, tools=[create_handoff_tool(agent_name="a")], name="b")
    return create_swarm([a, again], default_active_agent="a").compile(name="swarm")


def supervisor(*answers: Any, **options: Any) -> Any:
    workers = [agent("two", name="math"), agent("found", name="search")]
    return create_supervisor(workers, model=model(*answers), **options).compile(name="team")


def parent(*goto: Any) -> Command[Any]:
    return Command(goto=goto[0] if len(goto) == 1 else list(goto), graph=Command.PARENT)


def test_a_swarm_hands_over_once(telemetry: Telemetry) -> None:
    """From the agent whose tool asked to the agent that goes on, until its first node starts."""
    swarm(calls(("transfer_to_b", {}, "h"))).invoke(HELLO, thread())

    assert telemetry.tree() == [
        "run swarm: ok",
        "  node a (agent): ok",
        "    node model (step): ok",
        "    node transfer_to_b (tool): ok",
        "  handoff b: ok",
        "  node b (agent): ok",
        "    node model (step): ok",
    ]
    assert handoffs(telemetry) == [("a", "b")]
    types = [(event.type, event.capability_id) for event in telemetry.events]
    assert types.index(("handoff", None)) < types.index(("node_start", "b"))


async def test_an_async_swarm_hands_over_once(telemetry: Telemetry) -> None:
    """The same holds for ainvoke."""
    await swarm(calls(("transfer_to_b", {}, "h"))).ainvoke(HELLO, thread())

    assert handoffs(telemetry) == [("a", "b")]


def test_to_and_fro_without_work_is_a_loop(telemetry: Telemetry) -> None:
    """A to B to A with nothing done between counts as a loop at A; the second handoff closes it."""
    swarm(calls(("transfer_to_b", {}, "1")), "done", b=[calls(("transfer_to_a", {}, "2"))]).invoke(HELLO, thread())

    assert handoffs(telemetry) == [("a", "b"), ("b", "a")]
    assert telemetry.metrics()["yolo_handoff_loops_total{agent=a}"] == 1


def test_a_supervisor_hands_over_to_its_worker_only(telemetry: Telemetry) -> None:
    """The way back is an ordinary edge: the messages that the supervisor makes of it are no handoff."""
    supervisor(calls(("transfer_to_math", {}, "h")), "done").invoke(HELLO, thread())

    assert handoffs(telemetry) == [("supervisor", "math")]
    assert [line for line in telemetry.tree() if line.startswith("  node")] == [
        "  node supervisor (agent): ok",
        "  node math (agent): ok",
        "  node supervisor (agent): ok",
    ]


def test_of_parallel_handoffs_the_one_that_took_effect_counts(telemetry: Telemetry) -> None:
    """Two tools ask for a handoff at once; only nodes that are then run were handed over to."""
    graph = supervisor(
        calls(("transfer_to_math", {}, "1"), ("transfer_to_search", {}, "2")), "done", parallel_tool_calls=True
    )
    graph.invoke(HELLO, thread())

    started = [event.capability_id for event in telemetry.events if event.type == "node_start"]
    assert handoffs(telemetry) == [("supervisor", name) for name in ("math", "search") if name in started]
    assert len(handoffs(telemetry)) >= 1


@pytest.mark.parametrize(
    ("goto", "expected"),
    [
        (("b",), [("a", "b")]),
        ((Send("b", {}),), [("a", "b")]),
        ((Send("b", {}), Send("b", {})), [("a", "b")]),
        (("b", "c"), [("a", "b"), ("a", "c")]),
        (("__end__",), []),
        (((),), []),
    ],
)
def test_a_hand_written_command_hands_over(goto: Any, expected: Any, telemetry: Telemetry) -> None:
    """A command for the parent graph hands over to each node that it names, whatever its form; the end is no agent."""
    inner = chain(("decide", lambda state: parent(*goto)), name="a")
    graph: Any = StateGraph(MessagesState)
    graph.add_node("a", inner, destinations=("b", "c"))
    graph.add_node("b", lambda state: {})
    graph.add_node("c", lambda state: {})
    graph.add_edge("__start__", "a")
    graph.compile(name="team").invoke(HELLO, thread())

    assert handoffs(telemetry) == expected
    assert telemetry.tree()[:3] == ["run team: ok", "  node a (agent): ok", "    node decide (step): ok"]


def test_a_command_passes_through_graphs_to_the_one_it_is_for(telemetry: Telemetry) -> None:
    """A command that leaves two graphs is a handoff of the node whose graph obeys it."""

    def decide(state: Any) -> Any:
        raise ParentCommand(Command(goto="b", graph="both"))

    low = chain(decide, name="low")
    graph: Any = StateGraph(MessagesState)
    graph.add_node("both", chain(low, name="both"), destinations=("b",))
    graph.add_node("b", lambda state: {})
    graph.add_edge("__start__", "both")
    graph.compile(name="top").invoke(HELLO, thread())

    assert handoffs(telemetry) == [("both", "b")]
    assert telemetry.tree() == [
        "run top: ok",
        "  node both (agent): ok",
        "    node low (agent): ok",
        "      node decide (step): ok",
        "  handoff b: ok",
        "  node b (step): ok",
    ]


def test_going_on_within_a_graph_is_no_handoff(telemetry: Telemetry) -> None:
    """A command without a graph is an edge."""
    graph: Any = StateGraph(MessagesState)
    graph.add_node("a", lambda state: Command(goto="b"), destinations=("b",))
    graph.add_node("b", lambda state: {})
    graph.add_edge("__start__", "a")
    graph.compile(name="team").invoke(HELLO, thread())

    assert handoffs(telemetry) == []


def test_a_command_that_the_program_swallows_is_no_handoff(telemetry: Telemetry) -> None:
    """A node that catches what its inner graph sends up hands nothing over."""
    inner = chain(("decide", lambda state: parent("b")), name="inner")

    def outer(state: Any) -> Any:
        try:
            inner.invoke({"messages": []})
        except Exception:
            return {}
        return {}

    graph: Any = StateGraph(MessagesState)
    graph.add_node("outer", outer, destinations=("b",))
    graph.add_node("b", lambda state: {})
    graph.add_edge("__start__", "outer")
    graph.compile(name="team").invoke(HELLO, thread())

    assert handoffs(telemetry) == []


def test_a_tool_that_returns_a_command_of_its_own_hands_over(telemetry: Telemetry) -> None:
    """Nothing depends on the helper that made the tool."""

    @tool
    def give_up() -> Any:
        """Let somebody else do it."""
        return Command(goto="b", graph=Command.PARENT)

    graph: Any = StateGraph(MessagesState)
    graph.add_node("a", agent(calls(("give_up", {}, "g")), tools=[give_up], name="a"), destinations=("b",))
    graph.add_node("b", lambda state: {})
    graph.add_edge("__start__", "a")
    graph.compile(name="team").invoke(HELLO, thread())

    assert handoffs(telemetry) == [("a", "b")]
