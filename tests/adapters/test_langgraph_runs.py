"""Runs of LangGraph: what they are called, how they nest, and every way in which they end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.errors import GraphRecursionError
from langgraph.func import entrypoint, task
from langgraph.graph import START, StateGraph
from langgraph.types import RetryPolicy, Send

import otel_agents
from otel_agents.testing import Telemetry
from tests.adapters.graphs import State, agent, calls, chain, model, ping, thread


def one(state: Any) -> Any:
    return {"x": [1]}


def two(state: Any) -> Any:
    return {"x": [2]}


def fail(state: Any) -> Any:
    raise LookupError


async def slow(state: Any) -> Any:
    await asyncio.sleep(30)


def ends(telemetry: Telemetry) -> list[tuple[Any, Any]]:
    return [(event.status, event.payload.get("reason")) for event in telemetry.events if event.type == "complete"]


CHAIN = ["run chain: ok", "  node one (step): ok", "  node two (step): ok"]


def test_a_run_is_named_after_its_graph(telemetry: Telemetry) -> None:
    """The name of the graph is the run's, unless the caller names the run; a graph without a name is LangGraph."""
    chain(one).invoke({"x": []})
    chain(one).invoke({"x": []}, {"run_name": "nightly"})
    graph: Any = StateGraph(State)
    graph.add_node("one", one)
    graph.add_edge(START, "one")
    graph.add_node("two", two)
    graph.compile().invoke({"x": []})

    assert [root.operation.subject for root in telemetry.forest.roots] == ["chain", "nightly", "LangGraph"]


def test_a_run_knows_its_thread(telemetry: Telemetry) -> None:
    """The thread id stands on the start of the run, also when it is bound to the graph, and nowhere without one."""
    graph = chain(one, checkpointer=InMemorySaver())
    graph.invoke({"x": []}, thread("a"))
    graph.with_config({"configurable": {"thread_id": 7}}).invoke({"x": []})
    chain(one).invoke({"x": []})

    threads = [event.payload.get("threadId") for event in telemetry.events if event.type == "start"]
    assert threads == ["a", "7", None]


def test_every_batched_input_is_a_run(telemetry: Telemetry) -> None:
    """A batch is as many runs as it has inputs, each with its own nodes."""
    chain(one, two).batch([{"x": []}] * 3)

    assert telemetry.tree() == CHAIN * 3
    assert len({root.operation.run.id for root in telemetry.forest.roots}) == 3


async def test_async_batches_and_event_streams_are_runs(telemetry: Telemetry) -> None:
    """The indirect asynchronous ways are no different."""
    await chain(one, two).abatch([{"x": []}] * 2)
    async for _ in chain(one, two).astream_events({"x": []}, version="v2"):
        pass

    assert sorted(telemetry.tree()) == sorted(CHAIN * 3)


def test_a_stream_that_nobody_reads_is_no_run(telemetry: Telemetry) -> None:
    """Nothing starts before the first step."""
    chain(one).stream({"x": []}).close()

    assert telemetry.tree() == []


def test_an_agent_as_root_is_the_run(telemetry: Telemetry) -> None:
    """An agent that is called by itself has no node of its own."""
    agent("done", name="solo").invoke({"messages": [("user", "hi")]})

    assert telemetry.tree() == ["run solo: ok", "  node model (step): ok"]


def test_a_graph_inside_a_graph_is_part_of_its_run(telemetry: Telemetry) -> None:
    """A graph that is a node is that node; one that a node calls by hand is a node of its own."""
    inner = chain(one, name="inner")
    helper = agent("done", name="helper")

    def by_hand(state: Any) -> Any:
        helper.invoke({"messages": [("user", "hi")]})
        inner.invoke({"x": []})
        return {"x": []}

    chain(inner, by_hand, name="outer").invoke({"x": []})

    assert telemetry.tree() == [
        "run outer: ok",
        "  node inner (agent): ok",
        "    node one (step): ok",
        "  node by_hand (step): ok",
        "    node helper (agent): ok",
        "      node model (step): ok",
        "    node inner (step): ok",
        "      node one (step): ok",
    ]
    assert len({event.run_id for event in telemetry.events}) == 1


def test_a_function_that_is_named_after_its_agent_is_that_agent(telemetry: Telemetry) -> None:
    """A node whose function calls the agent of the same name, as supervisors make them, is one node."""
    math = agent("two", name="math")

    def call(state: Any) -> Any:
        math.invoke({"messages": [("user", "hi")]})
        return {}

    chain(("math", call)).invoke({"x": []})

    assert telemetry.tree() == ["run chain: ok", "  node math (agent): ok", "    node model (step): ok"]


def test_an_agent_as_tool_is_a_node_of_the_tool(telemetry: Telemetry) -> None:
    """An agent that a tool asks stands under the tool."""
    helper = agent("done", name="helper")

    from langchain_core.tools import tool

    @tool
    def delegate(text: str) -> str:
        """Ask the helper."""
        helper.invoke({"messages": [("user", text)]})
        return "done"

    agent(calls(("delegate", {"text": "a"}, "c")), "done", tools=[delegate]).invoke({"messages": [("user", "hi")]})

    assert telemetry.tree() == [
        "run agent: ok",
        "  node model (step): ok",
        "  node delegate (tool): ok",
        "    node helper (agent): ok",
        "      node model (step): ok",
        "  node model (step): ok",
    ]


def test_functions_of_the_functional_api_are_tasks(telemetry: Telemetry) -> None:
    """An entrypoint is a run that is named after its function; its tasks stand under it, with their attempts."""
    failures = iter([ConnectionError("once")])

    def work(number: int) -> int:
        for failure in failures:
            raise failure
        return number + 1

    make: Any = task
    working = make(name="work", retry_policy=RetryPolicy(initial_interval=0.001, jitter=False))(work)

    @entrypoint()
    def flow(number: int) -> int:
        return int(working(number).result() + working(number).result())

    assert flow.invoke(1) == 4

    assert telemetry.tree() == [
        "run flow: ok",
        "  node flow (step): ok",
        "    node work (step): ok",
        "    node work (step): ok",
    ]
    assert telemetry.metrics()["flex.node.retries{capability=work,runtime=langgraph}"] == 1


def test_nodes_that_fan_out_are_one_node_each(telemetry: Telemetry) -> None:
    """Three sends are three executions of one capability, each with an id of its own."""
    graph: Any = StateGraph(State)
    graph.add_node("one", one)
    graph.add_conditional_edges(START, lambda state: [Send("one", {})] * 3, ["one"])
    graph.compile(name="fan").invoke({"x": []}, thread())

    assert telemetry.tree() == ["run fan: ok", *["  node one (step): ok"] * 3]
    assert len({event.node_id for event in telemetry.events if event.type == "node_start"}) == 3


def test_attempts_are_facts_of_one_node(telemetry: Telemetry) -> None:
    """A node that is tried three times fails twice with the number of the attempt, and is measured once."""
    failures = iter([ConnectionError("1"), TimeoutError("2")])

    def flaky(state: Any) -> Any:
        for failure in failures:
            raise failure
        return {}

    again = RetryPolicy(initial_interval=0.001, jitter=False, retry_on=(ConnectionError, TimeoutError))
    graph: Any = StateGraph(State)
    graph.add_node("flaky", flaky, retry_policy=[RetryPolicy(retry_on=KeyError), again])
    graph.add_edge(START, "flaky")
    graph.compile(name="flaky").invoke({"x": []})

    told = [(event.type, dict(event.payload)) for event in telemetry.events if event.type.startswith("node")]
    assert told == [
        ("node_start", {"kind": "step", "label": "flaky"}),
        ("node_error", {"attempt": 1, "errorType": "ConnectionError"}),
        ("node_retry", {"attempt": 1, "errorType": "ConnectionError"}),
        ("node_error", {"attempt": 2, "errorType": "TimeoutError"}),
        ("node_retry", {"attempt": 2, "errorType": "TimeoutError"}),
        ("node_complete", {"kind": "step", "attempts": 3}),
    ]
    assert telemetry.span("flex.node flaky").attributes["flex.node.attempt"] == 3  # type: ignore[index]
    counted = telemetry.metrics()
    assert counted["flex.node.duration_count{capability=flaky,kind=step,outcome=ok,runtime=langgraph}"] == 1
    assert counted["flex.node.retries{capability=flaky,runtime=langgraph}"] == 2


def test_attempts_that_are_used_up_are_an_error(telemetry: Telemetry) -> None:
    """The last attempt fails the node and the run; it is not tried again."""
    again = RetryPolicy(max_attempts=2, retry_on=LookupError, initial_interval=0.001, jitter=False)
    graph: Any = StateGraph(State)
    graph.add_node("fail", fail, retry_policy=again)
    graph.add_edge(START, "fail")
    with pytest.raises(LookupError):
        graph.compile(name="fail").invoke({"x": []})

    told = [(event.type, event.payload.get("attempt")) for event in telemetry.events if "_" in event.type]
    assert told == [
        ("node_start", None),
        ("node_error", 1),
        ("node_retry", 1),
        ("node_error", 2),
        ("node_complete", None),
    ]
    assert telemetry.tree() == ["run fail: error", "  node fail (step): error"]
    assert ends(telemetry) == [("failed", None)]


def test_a_failure_is_red_where_it_happened_and_on_the_run(telemetry: Telemetry) -> None:
    """The exception is recorded once, on the innermost node; graphs in between stay unset."""
    with pytest.raises(LookupError):
        chain(chain(fail, name="inner"), name="outer").invoke({"x": []})

    assert telemetry.tree() == ["run outer: error", "  node inner (agent): error", "    node fail (step): error"]
    red = {span.name for span in telemetry.spans if not span.status.is_unset}
    assert red == {"flex.node fail", "flex.run outer"}
    assert [(span.name, len(span.events)) for span in telemetry.spans if span.events] == [("flex.node fail", 1)]


def test_the_recursion_limit_fails_the_run_only(telemetry: Telemetry) -> None:
    """Too many steps are an error of the run; no node failed."""
    graph: Any = StateGraph(State)
    graph.add_node("one", one)
    graph.add_edge(START, "one")
    graph.add_edge("one", "one")
    with pytest.raises(GraphRecursionError):
        graph.compile(name="loop").invoke({"x": []}, {"recursion_limit": 3})

    assert telemetry.tree() == ["run loop: error", *["  node one (step): ok"] * 3]
    assert ends(telemetry) == [("failed", None)]


def test_a_consumer_that_leaves_abandons_the_run(telemetry: Telemetry) -> None:
    """A break, a close and a forgotten stream end the run as cancelled, reason abandoned; nothing is an error."""
    for _ in chain(one, two).stream({"x": []}, stream_mode="updates"):
        break
    stream = chain(one, two).stream({"x": []}, stream_mode="updates")
    next(stream)
    stream.close()
    stream = chain(one, two).stream({"x": []}, stream_mode="updates")
    next(stream)
    del stream
    gc.collect()

    assert telemetry.tree() == ["run chain: abandoned", "  node one (step): ok"] * 3
    assert ends(telemetry) == [("cancelled", "abandoned")] * 3


async def test_an_async_consumer_that_leaves_abandons_the_run(telemetry: Telemetry) -> None:
    """The same for async streams, also when another task closes them."""
    stream = chain(one, two).astream({"x": []}, stream_mode="updates")
    await anext(stream)
    await asyncio.create_task(stream.aclose())

    assert telemetry.tree() == ["run chain: abandoned", "  node one (step): ok"]
    assert ends(telemetry) == [("cancelled", "abandoned")]


async def test_a_cancelled_run_is_cancelled_with_its_nodes(telemetry: Telemetry) -> None:
    """Cancelling the task, or running out of time, cancels the run and what runs in it; it is no error."""
    running = asyncio.create_task(chain(slow).ainvoke({"x": []}))
    await asyncio.sleep(0.05)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(chain(slow).ainvoke({"x": []}), 0.05)

    assert telemetry.tree() == ["run chain: cancelled", "  node slow (step): cancelled"] * 2
    assert ends(telemetry) == [("cancelled", None)] * 2
    assert [event.type for event in telemetry.events if event.type == "node_error"] == []


async def test_what_runs_beside_a_failure_is_cancelled(telemetry: Telemetry) -> None:
    """When one of two nodes fails, the other one was cancelled, not wrong."""
    graph: Any = StateGraph(State)
    graph.add_node("slow", slow)
    graph.add_node("fail", fail)
    graph.add_edge(START, "slow")
    graph.add_edge(START, "fail")
    with pytest.raises(LookupError):
        await graph.compile(name="both").ainvoke({"x": []})

    assert telemetry.tree()[0] == "run both: error"
    assert sorted(telemetry.tree()[1:]) == ["  node fail (step): error", "  node slow (step): cancelled"]


def test_a_drained_run_is_cancelled_with_its_reason(telemetry: Telemetry) -> None:
    """A graph that is told to stop between steps has not failed."""
    errors = pytest.importorskip("langgraph.errors")
    runtime = pytest.importorskip("langgraph.runtime")
    if not hasattr(errors, "GraphDrained"):
        pytest.skip("this version of langgraph cannot be drained")
    control = runtime.RunControl()

    def stop(state: Any) -> Any:
        control.request_drain("deploy")
        return {}

    with pytest.raises(errors.GraphDrained):
        chain(stop, two, checkpointer=InMemorySaver()).invoke({"x": []}, thread(), control=control)

    assert telemetry.tree() == ["run chain: cancelled", "  node stop (step): ok"]
    assert ends(telemetry) == [("cancelled", "drained")]


def test_runs_in_threads_do_not_mix(telemetry: Telemetry) -> None:
    """Runs at the same time in a pool each have their own nodes, and an id of their own."""
    barrier = threading.Barrier(4)

    def meet(state: Any) -> Any:
        barrier.wait(10)
        return {"x": [1]}

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(chain(meet, two).invoke, [{"x": []}] * 4))

    assert [list(root.lines()) for root in telemetry.forest.roots] == [
        ["run chain: ok", "  node meet (step): ok", "  node two (step): ok"]
    ] * 4
    assert len({root.operation.run.id for root in telemetry.forest.roots}) == 4


async def test_runs_in_one_event_loop_do_not_mix(telemetry: Telemetry) -> None:
    """The same for tasks of one event loop."""
    met = asyncio.Barrier(4)

    async def meet(state: Any) -> Any:
        await met.wait()
        return {"x": [1]}

    await asyncio.gather(*(chain(meet, two).ainvoke({"x": []}) for _ in range(4)))

    assert [list(root.lines()) for root in telemetry.forest.roots] == [
        ["run chain: ok", "  node meet (step): ok", "  node two (step): ok"]
    ] * 4


def test_a_run_inside_a_manual_run_is_its_child(telemetry: Telemetry) -> None:
    """A run of another runtime around keeps its own id, and lends its correlation id."""
    with otel_agents.run("shift", correlation_id="c-1"):
        chain(one).invoke({"x": []})

    assert telemetry.tree() == ["run shift: ok", "  run chain: ok", "    node one (step): ok"]
    ids = {event.run_id: (event.runtime, event.correlation_id) for event in telemetry.events}
    assert list(ids.values()) == [("manual", "c-1"), ("langgraph", "c-1")]


def test_manual_operations_inside_a_node_stand_under_it(telemetry: Telemetry) -> None:
    """The program's own operations nest with ours in one tree."""

    def own(state: Any) -> Any:
        with otel_agents.policy("quota"):
            model("hi").invoke("hello")
            ping.invoke({"text": "a"})
        return {}

    chain(own).invoke({"x": []})

    assert telemetry.tree() == [
        "run chain: ok",
        "  node own (step): ok",
        "    policy quota: ok",
        "      node ping (tool): ok",
    ]
    assert telemetry.metrics()["flex.model.tokens{direction=input,runtime=langgraph}"] == 10


def test_tools_and_models_outside_graphs_are_not_ours(telemetry: Telemetry) -> None:
    """What happens outside every graph is no fact of LangGraph."""
    ping.invoke({"text": "a"})
    model("hi").invoke("hello")

    assert telemetry.tree() == []
    assert telemetry.events == []
