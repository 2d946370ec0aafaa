"""A program that puts a canary, and a secret beside it, into all that a program has for itself."""

from __future__ import annotations

import operator
from typing import Annotated, Any

from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware, PIIMiddleware, TodoListMiddleware
from langchain.agents.structured_output import ToolStrategy
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.types import Command, RetryPolicy, Send, interrupt
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

CANARY = "canary-7f3a"
SECRET = "hunter2-99c1"
TEXT = f"{CANARY} password={SECRET}"
CONFIG: Any = {
    "configurable": {"thread_id": "t-1", "user": TEXT, "api_key": SECRET},
    "metadata": {"who": TEXT, CANARY: 1},
    "tags": [TEXT],
}


class State(TypedDict, total=False):
    x: Annotated[list[Any], operator.add]


class Scripted(BaseChatModel):
    """Gives one answer after the other."""

    turn: Any

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Any, **options: Any) -> Scripted:
        return self

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **options: Any) -> ChatResult:
        answer = next(self.turn).model_copy()
        answer.usage_metadata = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
        return ChatResult(generations=[ChatGeneration(message=answer)])


def says(*answers: AIMessage) -> Scripted:
    return Scripted(turn=iter(answers))


def calls(name: str, args: dict[str, Any], call_id: str) -> AIMessage:
    return AIMessage(TEXT, tool_calls=[{"name": name, "args": args, "id": call_id}])


@tool
def ping(text: str) -> str:
    """Answer."""
    return TEXT + text


@tool
def boom(text: str) -> str:
    """Fail."""
    raise ValueError(TEXT + text)


class Short(BaseModel):
    text: str = Field(max_length=3)


class Noted(Exception):
    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.add_note(TEXT)


class Evil:
    def __str__(self) -> str:
        raise RuntimeError(TEXT)

    __repr__ = __str__


def attempt(function: Any, *arguments: Any) -> None:
    """Have something fail, and say only how."""
    try:
        function(*arguments)
    except Exception as error:
        print(type(error).__name__)  # noqa: T201  # a program


def agent(*given: Any, **options: Any) -> Any:
    """Make an agent, past the types of its many parameters."""
    return create_agent(*given, **options)


def graph(*nodes: Any, **options: Any) -> Any:
    """Make a graph of one node after the other."""
    made: Any = StateGraph(State)
    last = START
    for node in nodes:
        made.add_node(node.__name__, node, **options)
        made.add_edge(last, node.__name__)
        last = node.__name__
    return made


def a_graph_with_a_pause() -> None:
    tries: list[int] = []

    def flaky(state: State) -> State:
        tries.append(1)
        if len(tries) == 1:
            raise ConnectionError(TEXT)
        return {"x": [TEXT]}

    def ask(state: State) -> State:
        return {"x": [interrupt({"question": TEXT})]}

    def leaf(state: State) -> State:
        return {"x": [TEXT]}

    again = RetryPolicy(max_attempts=3, initial_interval=0.01, jitter=False)
    made = graph(flaky, ask, retry_policy=again, metadata={"m": TEXT})
    made.add_node("leaf", leaf)
    made.add_conditional_edges("ask", lambda _: [Send("leaf", {"x": [TEXT]})], ["leaf"])
    compiled = made.compile(InMemorySaver(), name="graph")
    compiled.invoke({"x": [TEXT]}, CONFIG)
    compiled.invoke(Command(resume={"decision": TEXT}), CONFIG)


def agents() -> None:
    todos = {"todos": [{"content": TEXT, "status": "pending"}]}
    answers = calls("ping", {"text": TEXT}, "1"), calls("write_todos", todos, "2"), calls(CANARY, {"text": TEXT}, "3")
    planner = agent(
        says(*answers, calls("boom", {"text": TEXT}, "4")),
        tools=[ping, boom],
        name="agent",
        middleware=[TodoListMiddleware(), PIIMiddleware("email", strategy="redact")],
    )
    attempt(planner.invoke, {"messages": [("user", f"{TEXT} ada@example.org")]}, CONFIG)
    typed = agent(
        says(calls("Short", {"text": TEXT}, "5"), calls("Short", {"text": "ok"}, "6")),
        tools=[],
        response_format=ToolStrategy(Short),
        name="typed",
    )
    typed.invoke({"messages": [("user", TEXT)]}, CONFIG)
    careful = agent(
        says(calls("ping", {"text": TEXT}, "7"), AIMessage(TEXT)),
        tools=[ping],
        name="careful",
        middleware=[HumanInTheLoopMiddleware(interrupt_on={"ping": True})],
        checkpointer=InMemorySaver(),
    )
    edit = {"type": "edit", "edited_action": {"name": "ping", "args": {"text": TEXT}}}
    careful.invoke({"messages": [("user", TEXT)]}, CONFIG)
    careful.invoke(Command(resume={"decisions": [edit]}), CONFIG)


def failures() -> None:
    def fails(state: State) -> State:
        raise Noted(TEXT)

    def groups(state: State) -> State:
        raise ExceptionGroup(TEXT, [ValueError(TEXT), Noted(TEXT)])

    attempt(graph(fails).compile(name="fails").invoke, {"x": [TEXT]})
    attempt(graph(groups).compile(name="groups").invoke, {"x": [TEXT]})


def by_hand() -> None:
    import otel_agents
    from otel_agents import guard

    def explode() -> None:
        raise RuntimeError(TEXT)

    def fails() -> None:
        with otel_agents.node("by hand"):
            raise ValueError(TEXT)

    with otel_agents.run("by hand", goal=TEXT, session_id=TEXT) as run:
        run.set(session_id=TEXT)
        run.set({"flex.node.label": Evil()})
        run.set(unknown=TEXT)
        with otel_agents.iteration(1, feedback=TEXT):
            pass
        otel_agents.record.reaction_matched(rule="r", sender=TEXT, filter_summary=TEXT)
        attempt(fails)
    guard.run("proof.guard", explode)


if __name__ == "__main__":
    a_graph_with_a_pause()
    agents()
    failures()
    by_hand()
