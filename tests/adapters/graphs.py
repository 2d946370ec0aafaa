"""Host programs of the tests: scripted models, small agents and graphs; they know nothing of telemetry."""

from __future__ import annotations

import asyncio
import importlib.util
import operator
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

from tests.need import require_module

for _name in ("langgraph", "langchain", "langgraph_swarm", "langgraph_supervisor"):
    require_module(_name, "demo")

from langchain.agents import create_agent  # noqa: E402
from langchain_core.language_models import BaseChatModel  # noqa: E402
from langchain_core.messages import AIMessage  # noqa: E402
from langchain_core.outputs import ChatGeneration, ChatResult  # noqa: E402
from langchain_core.tools import tool  # noqa: E402
from langgraph.graph import START, StateGraph  # noqa: E402
from typing_extensions import TypedDict  # noqa: E402

EXAMPLE = Path(__file__).parents[2] / "examples" / "langgraph_app"


class State(TypedDict, total=False):
    x: Annotated[list[Any], operator.add]


class Scripted(BaseChatModel):
    """Give one answer after the other, each worth 10 tokens in and 2 out."""

    answers: list[Any]
    turn: Any = None

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Any, **options: Any) -> Scripted:
        return self

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **options: Any) -> ChatResult:
        answer = next(self.turn)
        answer = AIMessage(answer) if isinstance(answer, str) else answer.model_copy()
        answer.usage_metadata = {"input_tokens": 10, "output_tokens": 2, "total_tokens": 12}
        return ChatResult(generations=[ChatGeneration(message=answer)])


def model(*answers: Any) -> Scripted:
    """Make a model that gives these answers."""
    return Scripted(answers=list(answers), turn=iter(answers))


def calls(*wanted: tuple[str, dict[str, Any], str]) -> AIMessage:
    """Make an answer that calls tools: (name, arguments, id)."""
    return AIMessage("", tool_calls=[{"name": name, "args": args, "id": call_id} for name, args, call_id in wanted])


def agent(*answers: Any, tools: Any = (), name: str = "agent", **options: Any) -> Any:
    """Make an agent with a model that gives these answers."""
    return create_agent(model(*answers), tools=list(tools), name=name, **options)


def chain(*nodes: Any, name: str = "chain", state: Any = State, **compile_options: Any) -> Any:
    """Make a graph whose nodes follow each other; a node is a function, a graph, or a pair of name and either."""
    graph: Any = StateGraph(state)
    last = START
    for each in nodes:
        node_name, node = each if isinstance(each, tuple) else (getattr(each, "name", None) or each.__name__, each)
        graph.add_node(node_name, node)
        graph.add_edge(last, node_name)
        last = node_name
    return graph.compile(name=name, **compile_options)


def thread(thread_id: str = "t", **more: Any) -> Any:
    """Return the config of a thread, one node at a time, so that the order of things is certain."""
    return {"configurable": {"thread_id": thread_id}, "max_concurrency": 1, **more}


@tool
def ping(text: str) -> str:
    """Say something."""
    return f"pong {text}"


@tool
def boom(text: str) -> str:
    """Fail."""
    raise ValueError(text)


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"langgraph_app_{name}", EXAMPLE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[f"langgraph_app_{name}"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


crew, scripted = _load("crew"), _load("scripted")


class Counting(scripted.ScriptedModel):  # type: ignore[name-defined,misc]
    """Play a role of the example and keep what each call used."""

    used: Any = None

    def _generate(self, *arguments: Any, **options: Any) -> ChatResult:
        result: ChatResult = super()._generate(*arguments, **options)
        self.used.append(result.generations[0].message.usage_metadata)  # type: ignore[attr-defined]
        return result


def release_notes(checkpointer: Any, used: list[Any] | None = None) -> Any:
    """Build the graph of the example; `used` receives the usage of each model call."""
    kept = [] if used is None else used
    return crew.build(lambda role: Counting(role=role, used=_Uncopied(kept)), checkpointer)


class _Uncopied:
    """Hold a list that a model's validation would otherwise copy."""

    def __init__(self, kept: list[Any]) -> None:
        self.append = kept.append


async def _drain(stream: Any) -> None:
    async for _ in stream:
        pass


MODES: dict[str, Callable[[Any, Any, Any], object]] = {
    "invoke": lambda graph, given, config: graph.invoke(given, config),
    "stream": lambda graph, given, config: list(graph.stream(given, config)),
    "ainvoke": lambda graph, given, config: asyncio.run(graph.ainvoke(given, config)),
    "astream": lambda graph, given, config: asyncio.run(_drain(graph.astream(given, config))),
}
