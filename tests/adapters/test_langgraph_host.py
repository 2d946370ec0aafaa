"""Watched or not, a LangGraph program is the same program: results, graphs, exceptions, pickles, frames."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import inspect
import pickle
import subprocess
import sys
import traceback
from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.callbacks.manager import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.messages import AnyMessage
from langchain_core.tools import BaseTool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.pregel import Pregel, _loop, _retry, _runner
from langgraph.types import Command

from otel_agents.adapters.langgraph import ADAPTER
from otel_agents.patching.apply import Applied, apply
from otel_agents.testing import Telemetry, capture
from tests.adapters.graphs import agent, boom, calls, chain, ping, release_notes, thread


@contextlib.contextmanager
def watched() -> Iterator[Applied]:
    with capture():
        applied = apply(ADAPTER)
        try:
            yield applied
        finally:
            applied.undo()


def both(program: Any) -> tuple[Any, Any]:
    """Return what a program returns without us and with us."""
    bare = program()
    with watched():
        return bare, program()


def attributes() -> dict[str, Any]:
    """Return what lies at each patched place."""
    from langchain.agents import factory
    from langgraph.pregel.main import Pregel as Main

    places: list[tuple[Any, str]] = [
        *((Main, name) for name in ("stream", "astream")),
        *((_runner, name) for name in ("run_with_retry", "arun_with_retry")),
        (_retry, "_should_retry_on"),
        (_loop, "should_interrupt"),
        *((BaseTool, name) for name in ("run", "arun")),
        (CallbackManagerForLLMRun, "on_llm_end"),
        (AsyncCallbackManagerForLLMRun, "on_llm_end"),
        (factory, "_handle_structured_output_error"),
    ]
    return {f"{owner.__name__}.{name}": vars(owner)[name] for owner, name in places}


def plain(values: dict[str, Any]) -> dict[str, Any]:
    """Return a state without the ids that langchain makes up for messages."""
    messages: list[AnyMessage] = values.get("messages", [])
    return {**values, "messages": [(type(each).__name__, each.content) for each in messages]}


def test_results_are_the_same() -> None:
    """The example returns the same state, streams the same updates, and asks the same question."""

    def program() -> Any:
        graph = release_notes(InMemorySaver())
        streamed = list(graph.stream({"messages": [("user", "go")]}, thread(), stream_mode="updates"))
        final = graph.invoke(Command(resume="approve"), thread())
        return [sorted(update) for update in streamed], plain(final)

    bare, ours = both(program)

    assert ours == bare


def test_async_results_are_the_same() -> None:
    """The same for asynchronous runs, in every kind of stream."""

    async def play() -> Any:
        graph = agent(calls(("ping", {"text": "a"}, "c")), "done", tools=[ping])
        modes = ["values", "updates", "messages", "custom", "debug"]
        return [mode async for mode, _ in graph.astream({"messages": [("user", "hi")]}, stream_mode=modes)]

    bare, ours = both(lambda: asyncio.run(play()))

    assert ours == bare
    assert len(ours) > 10


def test_graphs_have_the_same_shape() -> None:
    """Agents and graphs that are built while watched have the nodes and edges that they have without."""

    def program() -> Any:
        return release_notes(None).get_graph(xray=True).to_json()

    bare, ours = both(program)

    assert ours == bare


def _raised(program: Any) -> BaseException:
    with pytest.raises(ValueError, match="x") as raised:
        program()
    return raised.value


def test_exceptions_are_the_same() -> None:
    """Type, arguments, notes and chain are the host's; every patched call adds at most two frames."""

    def inner(state: Any) -> Any:
        raise ValueError("x")

    graph = chain(chain(inner, name="inner"))
    bare, ours = both(lambda: _raised(lambda: graph.invoke({"x": []})))

    assert (type(ours), ours.args, ours.__cause__, ours.__context__) == (type(bare), bare.args, None, None)
    assert [note.rsplit(" ", 1)[0] for note in ours.__notes__] == [note.rsplit(" ", 1)[0] for note in bare.__notes__]
    added = len(traceback.extract_tb(ours.__traceback__)) - len(traceback.extract_tb(bare.__traceback__))
    calls_on_the_way = 4  # two streams, two tasks
    assert added <= 2 * calls_on_the_way


def test_tool_exceptions_are_the_same() -> None:
    """What a tool raises comes out as it is."""
    bare, ours = both(lambda: _raised(lambda: boom.invoke({"text": "x"})))

    assert (type(ours), ours.args) == (type(bare), bare.args)


def test_states_still_pickle_and_copy() -> None:
    """A final state, a graph's methods and tools pickle and copy as without us."""

    def program() -> Any:
        graph = agent(calls(("ping", {"text": "a"}, "c")), "done", tools=[ping])
        state = graph.invoke({"messages": [("user", "hi")]})
        assert pickle.loads(pickle.dumps(Pregel.stream)) is Pregel.stream
        assert pickle.loads(pickle.dumps(vars(_runner)["run_with_retry"])) is vars(_runner)["run_with_retry"]
        assert copy.copy(ping).invoke({"text": "a"}) == "pong a"
        return plain(pickle.loads(pickle.dumps(copy.deepcopy(state))))

    bare, ours = both(program)

    assert ours == bare


def test_patched_functions_look_like_themselves() -> None:
    """Signatures and shapes stay what they were."""

    def program() -> Any:
        return {
            name: (
                str(inspect.signature(function)),
                inspect.isgeneratorfunction(function),
                inspect.isasyncgenfunction(function),
                inspect.iscoroutinefunction(function),
                function.__name__,
            )
            for name, function in attributes().items()
        }

    bare, ours = both(program)

    assert ours == bare


def test_uninstrument_restores_every_attribute() -> None:
    """What lies at each patched place is the very object again, also after the second time."""
    before = attributes()
    for _ in range(2):
        with watched() as applied:
            assert [state.target for state in applied.states() if state.state != "applied"] == []
            changed = attributes()
            assert [name for name in before if changed[name] is before[name]] == []
        assert [name for name, function in attributes().items() if function is not before[name]] == []


def test_a_graph_works_across_instrument_and_uninstrument(telemetry: Telemetry) -> None:
    """A graph that was built before, or in between, is watched exactly while we are there."""
    graph = chain(("one", lambda state: {"x": [1]}))
    graph.invoke({"x": []})
    apply(ADAPTER).undo()
    graph.invoke({"x": []})
    assert telemetry.tree() == ["run chain: ok", "  node one (step): ok"]
    again = apply(ADAPTER)
    graph.invoke({"x": []})
    again.undo()

    assert telemetry.tree() == ["run chain: ok", "  node one (step): ok"] * 2


def test_undone_in_the_middle_of_a_run_nothing_breaks(telemetry: Telemetry) -> None:
    """A run that is under way when we leave goes on, and ends."""

    def leave(state: Any) -> Any:
        apply(ADAPTER).undo()
        return {"x": [1]}

    assert chain(leave, ("two", lambda state: {"x": [2]})).invoke({"x": []}) == {"x": [1, 2]}
    assert telemetry.tree()[0] == "run chain: ok"


def test_nothing_is_imported_for_the_adapter() -> None:
    """Loading and applying adapters imports neither a framework nor OpenTelemetry."""
    program = """
import sys
from otel_agents.adapters import load
from otel_agents.config import Selection
from otel_agents.patching.apply import apply
states = [state.state for adapter in load(Selection()) for state in apply(adapter).states()]
loaded = {name.partition(".")[0] for name in sys.modules}
print(sorted(loaded & {"agents", "langgraph", "langchain", "langchain_core", "opentelemetry"}), sorted(set(states)))
import langgraph.graph, langchain.agents
from otel_agents.patching.apply import patch_counts
print(sorted(count for count in patch_counts().items() if "applied" in count[0]))
"""
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

    assert output.splitlines() == [
        "[] ['applied', 'waiting']",
        "[(('langgraph', 'applied'), 11), (('threads', 'applied'), 2)]",
    ]
