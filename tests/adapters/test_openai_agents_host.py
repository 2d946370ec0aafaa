"""Watched or not, a program of the OpenAI Agents SDK is the same: results, exceptions, frames, logs, warnings."""

from __future__ import annotations

import asyncio
import gc
import importlib
import inspect
import logging
import pickle
import subprocess
import sys
import traceback
import weakref
from pathlib import Path
from typing import Any

import pytest
from agents import Agent, RunHooks, Runner

from otel_agents.adapters.openai_agents import ADAPTER
from otel_agents.operation import current
from otel_agents.patching.apply import apply
from otel_agents.patching.place import find
from otel_agents.testing import Telemetry
from tests.adapters.assistants import WAYS, Scripted, agent, approve, call, ping, refund, support
from tests.adapters.watching import watched

EVERY_WAY = pytest.mark.parametrize("way", WAYS)


def both(program: Any) -> tuple[Any, Any]:
    """Return what a program returns without us and with us."""
    bare = program()
    with watched(ADAPTER):
        return bare, program()


def attributes() -> dict[str, Any]:
    """Return what lies at each patched place."""
    found = {}
    for patch in ADAPTER.patches:
        importlib.import_module(patch.module)
        place = find(patch.module, patch.path)
        assert place is not None
        found[patch.target] = place.own()
    return found


def plain(result: Any) -> Any:
    """Return what a result says, without the ids that are made up by the way."""
    items = [(item.type, item.agent.name) for item in result.new_items]
    usage = result.context_wrapper.usage
    asked = [item.name for item in result.interruptions]
    return items, result.final_output, result.last_agent.name, asked, usage.requests, usage.input_tokens


class Hooked(RunHooks[Any]):
    def __init__(self) -> None:
        self.calls: list[str] = []

    async def on_agent_start(self, context: Any, agent: Any) -> None:
        self.calls.append(f"start {agent.name}")

    async def on_agent_end(self, context: Any, agent: Any, output: Any) -> None:
        self.calls.append(f"end {agent.name}")

    async def on_handoff(self, context: Any, from_agent: Any, to_agent: Any) -> None:
        self.calls.append(f"{from_agent.name} to {to_agent.name}")

    async def on_tool_start(self, context: Any, agent: Any, tool: Any) -> None:
        self.calls.append(f"start {tool.name}")

    async def on_tool_end(self, context: Any, agent: Any, tool: Any, result: Any) -> None:
        self.calls.append(f"end {tool.name}: {result}")


@EVERY_WAY
def test_results_and_hooks_are_the_same(way: str) -> None:
    """A run that pauses and goes on returns the same items, usage and questions, and calls the same hooks."""

    def program() -> Any:
        team, hooks = support(), Hooked()
        waits = WAYS[way](team, hooks=hooks)
        done = WAYS[way](team, approve(waits), hooks=hooks)
        return plain(waits), plain(done), hooks.calls

    bare, ours = both(program)

    assert ours == bare


def test_streams_give_the_same_events() -> None:
    """Types of all events and their order are the host's."""

    async def play() -> Any:
        stream = Runner.run_streamed(agent("a", call("ping", text="x"), "done", tools=[ping]), "hi")
        return [(event.type, getattr(event, "name", "")) async for event in stream.stream_events()]

    bare, ours = both(lambda: asyncio.run(play()))

    assert ours == bare
    assert len(ours) > 5


def test_states_are_the_same() -> None:
    """What a paused run is saved as does not know of us."""

    def program() -> Any:
        waits = WAYS["run"](agent("a", call("refund", "c1", text="x"), tools=[refund]))
        return sorted(waits.to_state().to_json())

    bare, ours = both(program)

    assert ours == bare


def _raised(program: Any) -> BaseException:
    with pytest.raises(ConnectionError) as raised:
        program()
    return raised.value


@EVERY_WAY
def test_exceptions_are_the_same(way: str) -> None:
    """Type, arguments and chain are the host's; every patched call on the way adds at most two frames."""
    bare, ours = both(lambda: _raised(lambda: WAYS[way](agent("a", ConnectionError("x")))))

    assert (type(ours), ours.args, ours.__cause__) == (type(bare), bare.args, None)
    frames = [
        [frame for frame in traceback.extract_tb(error.__traceback__) if "/otel_agents/" not in frame.filename]
        for error in (ours, bare)
    ]
    assert [(frame.filename, frame.name) for frame in frames[0]] == [
        (frame.filename, frame.name) for frame in frames[1]
    ]
    added = len(traceback.extract_tb(ours.__traceback__)) - len(frames[0])
    calls_on_the_way = 2  # the run, the model
    assert 0 < added <= 2 * calls_on_the_way


@EVERY_WAY
def test_log_output_is_the_same(way: str, caplog: pytest.LogCaptureFixture) -> None:
    """The SDK logs what it logs without us."""

    def program() -> Any:
        caplog.clear()
        with caplog.at_level(logging.DEBUG, "openai.agents"):
            WAYS[way](agent("a", call("ping", text="x"), "done", tools=[ping]))
        return [(record.name, record.levelname) for record in caplog.records if record.name.startswith("openai")]

    bare, ours = both(program)

    assert ours == bare
    assert bare


def test_patched_functions_look_like_themselves() -> None:
    """Signatures, shapes and names stay what they were, and functions pickle."""

    def program() -> Any:
        pickle.loads(pickle.dumps(importlib.import_module("agents.run").AgentRunner.run))
        return {
            name: (
                str(inspect.signature(getattr(function, "__func__", function))),
                type(function),
                inspect.isasyncgenfunction(function),
                inspect.iscoroutinefunction(function),
                function.__name__,
                function.__qualname__,
            )
            for name, function in attributes().items()
        }

    bare, ours = both(program)

    assert ours == bare


def test_uninstrument_restores_every_attribute() -> None:
    """What lies at each patched place is the very object again, also after the second time."""
    before = attributes()
    for _ in range(2):
        with watched(ADAPTER):
            assert [state.target for state in apply(ADAPTER).states() if state.state != "applied"] == []
            changed = attributes()
            assert [name for name in before if changed[name] is before[name]] == []
        assert [name for name, function in attributes().items() if function is not before[name]] == []


def test_undone_in_the_middle_of_a_run_nothing_breaks(seen: Telemetry) -> None:
    """A run that is under way when we leave goes on, and ends with the agents that it had."""
    from agents import function_tool

    @function_tool
    def leave() -> str:
        """Switch us off."""
        apply(ADAPTER).undo()
        return "left"

    result = WAYS["run"](agent("a", call("leave"), call("ping", text="x"), "done", tools=[leave, ping]))

    assert result.final_output == "done"
    assert seen.tree() == [
        "run a: ok",
        "  node a (agent): ok",
        "    node model (step): ok",
        "    node leave (tool): ok",
    ]
    assert current() is None


def test_nothing_of_the_host_is_kept(seen: Telemetry) -> None:
    """When a run is over its agents and results can go, without the collector's help where they could before."""

    def play() -> Any:
        lone = agent("a", call("ping", text="x"), "done", tools=[ping])
        result = WAYS["run"](lone)
        return weakref.ref(lone), weakref.ref(result)

    kept = play()
    seen.reset()
    gc.collect()

    assert [each() for each in kept] == [None, None]


class Subclassed(Scripted):
    """A model as users write them: it calls another one."""

    async def get_response(self, *given: Any, **options: Any) -> Any:
        return await super().get_response(*given, **options)


def test_models_of_users_are_watched_like_any_other(seen: Telemetry) -> None:
    """What a model does inside makes no turns of its own, and its tokens count once."""
    WAYS["run"](Agent(name="a", model=Subclassed("done")))

    assert seen.tree() == ["run a: ok", "  node a (agent): ok", "    node model (step): ok"]
    assert seen.metrics()["flex.model.tokens{direction=input,runtime=openai_agents}"] == 10


def test_a_package_of_the_programs_own_by_that_name_is_left_alone(tmp_path: Path) -> None:
    """It has what the SDK has, by name, and nothing is patched, missing or swallowed."""
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "__init__.py").touch()
    (tmp_path / "agents" / "run.py").write_text("class AgentRunner:\n    def run(self, job):\n        return job\n")
    program = """
from otel_agents import guard
from otel_agents.adapters.openai_agents import ADAPTER
from otel_agents.patching.apply import apply
from otel_agents.testing import capture
applied = apply(ADAPTER)
import agents.run
before = vars(agents.run.AgentRunner)["run"]
with capture() as telemetry:
    print(agents.run.AgentRunner().run(3), telemetry.tree(), guard.errors())
print({state.state for state in applied.states()}, applied.states()[0].detail)
print(vars(agents.run.AgentRunner)["run"] is before, before.__code__.co_name)
"""
    output = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path
    ).stdout

    assert output.splitlines() == [
        "3 [] {}",
        "{'waiting'} this is another package than that of openai-agents",
        "True run",
    ]


def test_nothing_is_imported_for_the_adapter() -> None:
    """Applying the adapter imports neither the SDK nor OpenTelemetry; importing the SDK puts it in force."""
    program = """
import sys
from otel_agents.adapters.openai_agents import ADAPTER
from otel_agents.patching.apply import apply
applied = apply(ADAPTER)
loaded = {name.partition(".")[0] for name in sys.modules}
print(sorted(loaded & {"agents", "openai", "opentelemetry"}))
import agents, agents.mcp.server
print({state.state for state in applied.states()})
"""
    output = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    ).stdout

    assert output.splitlines() == ["[]", "{'applied'}"]
