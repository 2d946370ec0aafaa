"""Two runtimes in one process: flex inside a LangGraph node, a LangGraph graph inside a flex capability."""

from __future__ import annotations

import asyncio
import io
import logging
from collections import Counter
from collections.abc import Iterator
from typing import Any, TypedDict

import pytest
from langgraph.graph import END, START, StateGraph

from otel_agents.adapters.flex import ADAPTER as FLEX
from otel_agents.adapters.langgraph import ADAPTER as LANGGRAPH
from otel_agents.runtime.flex.capabilities import Task
from otel_agents.testing import Telemetry
from tests.adapters.flexing import at_work, example, simply
from tests.adapters.watching import watched
from tests.runtime.flex.house import House, as_told, frames_of
from tests.runtime.flex.house import envelope as envelope_of


class State(TypedDict, total=False):
    text: str


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    """Watch both."""
    with watched(LANGGRAPH, FLEX) as recorded:
        yield recorded


def _graph(node: Any) -> Any:
    graph = StateGraph(State)
    graph.add_node("only", node)
    graph.add_edge(START, "only")
    graph.add_edge("only", END)
    return graph.compile(name="small")


def _counts(telemetry: Telemetry) -> dict[str, float]:
    kept = ("flex.run.status", "flex.node.duration_count")
    return {name: value for name, value in telemetry.metrics().items() if name.partition("{")[0] in kept}


async def test_flex_inside_a_node_of_langgraph(telemetry: Telemetry) -> None:
    """Both are runs of their own runtime, the inner one below the node, each with its own correlation id."""
    async with at_work() as coordinator:

        async def node(state: State) -> State:
            frames = await simply(coordinator, "works", metadata={"correlationId": "order-1"})
            return {"text": str(frames[-1].payload["status"])}

        assert await _graph(node).ainvoke({}) == {"text": "completed"}

    assert _counts(telemetry) == {
        "flex.run.status{runtime=langgraph,status=completed}": 1,
        "flex.run.status{runtime=flex,status=completed}": 1,
        "flex.node.duration_count{capability=only,kind=step,outcome=ok,runtime=langgraph}": 1,
        **{
            f"flex.node.duration_count{{capability={name},kind=step,outcome=ok,runtime=flex}}": 1
            for name in ("dig", "melt", "wash", "build")
        },
    }
    assert telemetry.tree()[:3] == ["run small: ok", "  node only (step): ok", "    run flex: ok"]
    assert {event.correlation_id for event in telemetry.events if event.runtime == "flex"} == {"order-1"}


async def test_a_graph_of_langgraph_inside_a_capability(telemetry: Telemetry, flex_file) -> None:
    """The graph is a run of runtime langgraph inside the node of flex, counted once, with flex's correlation id."""

    async def melt(task: Task) -> dict[str, Any]:
        said = await _graph(lambda _: {"text": "molten"}).ainvoke({})
        return {"metal": said["text"]}

    house = House(works={"melt": melt})
    async with flex_file() as store, house.coordinator(store) as coordinator:
        accepted = await coordinator.accept(envelope_of(metadata={"correlationId": "order-2"}))
        frames = await frames_of(coordinator, accepted.run_id)

    assert frames[-1].payload["status"] == "completed"
    counts = _counts(telemetry)
    assert counts["flex.run.status{runtime=flex,status=completed}"] == 1
    assert counts["flex.run.status{runtime=langgraph,status=completed}"] == 1
    assert counts["flex.node.duration_count{capability=only,kind=step,outcome=ok,runtime=langgraph}"] == 1
    assert counts["flex.node.duration_count{capability=melt,kind=step,outcome=ok,runtime=flex}"] == 1
    assert Counter(event.correlation_id for event in telemetry.events).keys() == {"order-2"}
    tree = telemetry.tree()
    inner = tree.index("    run small: ok")
    assert tree[inner + 1] == "      node only (step): ok"
    assert "  node melt (step): ok" in tree[:inner]


def test_unwatched_it_says_and_does_the_same() -> None:
    """Frames, results and log lines are the same, to the byte, with and without us."""
    bare = _with_logs(example)
    with watched(FLEX):
        seen = _with_logs(example)

    assert seen == bare


def _with_logs(program: Any) -> tuple[object, str]:
    """Return what a program returns, and all lines that it logs, without the ids that it draws."""
    lines = io.StringIO()
    handler = logging.StreamHandler(lines)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s"))
    logging.getLogger().addHandler(handler)
    try:
        return program(), lines.getvalue()
    finally:
        logging.getLogger().removeHandler(handler)


@pytest.fixture
def flex_file(tmp_path) -> Any:
    """Return what opens a store on an empty file."""
    from contextlib import asynccontextmanager

    from otel_agents.runtime.flex.store import Store

    @asynccontextmanager
    async def opened() -> Any:
        store = await Store.open(f"sqlite:///{tmp_path}/flex.db")
        yield store
        await store.close()

    return opened


def test_the_engine_carries_what_is_current_into_capabilities() -> None:
    """A plain function, which runs in a thread, and a coroutine both see the node that they are the work of."""
    from otel_agents.operation import current

    seen: dict[str, str] = {}

    def melt(task: Task) -> dict[str, Any]:
        operation = current()
        seen["melt"] = operation.subject if operation is not None else ""
        return {"metal": "x"}

    async def wash(task: Task) -> dict[str, Any]:
        operation = current()
        seen["wash"] = operation.subject if operation is not None else ""
        return await as_told(task)

    async def main() -> None:
        async with at_work() as coordinator:
            for name, work in (("melt", melt), ("wash", wash)):
                object.__setattr__(coordinator.registry.get(name), "run", work)
            await simply(coordinator, "works")

    with watched(FLEX):
        asyncio.run(main())
    assert seen == {"melt": "melt", "wash": "wash"}
