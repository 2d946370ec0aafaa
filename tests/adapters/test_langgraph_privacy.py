"""What LangGraph programs work on stays with them: no content in any signal, and nothing hostile gets through."""

from __future__ import annotations

from typing import Any

import pytest
from langchain.agents.middleware import PIIMiddleware, TodoListMiddleware
from langchain.agents.structured_output import ToolStrategy
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command, interrupt
from pydantic import BaseModel

from otel_agents import guard
from otel_agents.adapters.langgraph import ADAPTER
from otel_agents.patching.apply import apply
from otel_agents.testing import Telemetry, capture
from tests.adapters.graphs import MODES, agent, calls, chain, release_notes, thread
from tests.adapters.watching import texts

CANARY = "canary-7f3a@example.org"


class Answer(BaseModel):
    number: int


@tool
def echo(text: str) -> str:
    """Return the text."""
    return text


@tool
def fail(text: str) -> str:
    """Raise the text."""
    raise ConnectionError(text)


def secretive() -> Any:
    """Build a graph that carries the canary through everything that can carry it."""
    worker = agent(
        calls(("write_todos", {"todos": [{"content": CANARY, "status": "pending"}]}, "c1")),
        calls(("echo", {"text": CANARY}, "c2")),
        calls((CANARY, {}, "c3")),
        calls(("Answer", {"number": CANARY}, "c4")),
        calls(("Answer", {"number": 1}, "c5")),
        tools=[echo],
        name="worker",
        middleware=[TodoListMiddleware(), PIIMiddleware("email", strategy="redact", apply_to_tool_results=True)],
        response_format=ToolStrategy(Answer),
    )

    def think(state: Any) -> Any:
        return {"x": [CANARY]}

    def careful(state: Any) -> Any:
        try:
            fail.invoke({"text": CANARY})
        except ConnectionError:
            worker.invoke({"messages": [("user", CANARY)]})
        return {"x": [interrupt({"question": CANARY})]}

    def last(state: Any) -> Any:
        raise LookupError(CANARY)

    return chain(think, careful, last, checkpointer=InMemorySaver())


def play(telemetry: Telemetry, way: str = "invoke") -> None:
    graph = secretive()
    config = thread(metadata={"user": CANARY, CANARY: 1}, tags=[CANARY])
    MODES[way](graph, {"x": [CANARY]}, config)
    with pytest.raises(LookupError):
        MODES[way](graph, Command(resume=CANARY), config)
    assert len(telemetry.spans) > 20


@pytest.mark.parametrize("way", MODES)
def test_no_content_reaches_any_signal(way: str, telemetry: Telemetry) -> None:
    """Inputs, outputs, arguments, questions, answers, messages of exceptions, tags and metadata are in no signal."""
    play(telemetry, way)

    assert [text for text in texts(telemetry) if CANARY in text] == []
    assert guard.errors() == {}


@pytest.mark.parametrize("mode", ["EVENT_ONLY", "SPAN_ONLY", "SPAN_AND_EVENT"])
def test_content_appears_only_where_it_was_asked_for(mode: str) -> None:
    """Labels of plans and messages of errors are in the signals that they were captured for, and in no other."""
    with capture(capture=mode) as telemetry:
        applied = apply(ADAPTER)
        try:
            play(telemetry)
        finally:
            applied.undo()

    plans = [event.payload["nodes"] for event in telemetry.events if event.type == "plan_generated"]
    errors = [event.payload.get("error") for event in telemetry.events if event.type == "node_error"]
    in_spans = [span.name for span in telemetry.spans if CANARY in span.to_json()]
    label = {"label": CANARY} if "EVENT" in mode else {}
    assert plans == [[{"id": "0", "capabilityId": "todo", **label}]]
    assert (CANARY in errors) == ("EVENT" in mode)
    assert ("flex.node fail" in in_spans) == ("SPAN" in mode)
    assert ("flex.plan" in in_spans) == (mode == "SPAN_AND_EVENT")


class Hostile:
    """Raise from whatever it is asked."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __repr__(self) -> str:
        raise RuntimeError("repr")

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("eq")

    def __hash__(self) -> int:
        raise RuntimeError("hash")

    def __bool__(self) -> bool:
        raise RuntimeError("bool")

    def __len__(self) -> int:
        raise RuntimeError("len")


CYCLE: list[Any] = []
CYCLE.append(CYCLE)


HOSTILE: dict[str, Any] = {
    "raising": Hostile,
    "cyclic": lambda: CYCLE,
    "huge": lambda: "x" * 10_000_000,
    "inside": lambda: {"plan": Hostile()},
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_values_leave_the_run_as_it_is(kind: str, telemetry: Telemetry) -> None:
    """Values that raise, are cyclic or huge pass as state and plan; the run and its tree are whole."""
    value = HOSTILE[kind]()
    given: list[Any] = []

    def planner(state: Any) -> Any:
        return {"x": [value]}

    def look(state: Any) -> Any:
        given.extend(state["x"])
        return {"x": []}

    chain(planner, look).invoke({"x": []})

    assert given[0] is value
    assert telemetry.tree() == ["run chain: ok", "  plan: ok", "  node look (step): ok"]


class Vicious(Exception):
    """An exception whose text and arguments cannot be had."""

    def __str__(self) -> str:
        raise RuntimeError("str")

    __repr__ = __str__


def test_hostile_exceptions_come_out_as_they_are(telemetry: Telemetry) -> None:
    """An exception that cannot be printed is the same object for the caller, and a plain error for us."""
    error = Vicious()

    def bad(state: Any) -> Any:
        raise error

    with pytest.raises(Vicious) as raised:
        chain(bad).invoke({"x": []})

    assert raised.value is error
    assert telemetry.tree() == ["run chain: error", "  node bad (step): error"]


def test_hostile_answers_are_responses(telemetry: Telemetry) -> None:
    """An answer that raises when it is looked at answers all the same."""

    def ask(state: Any) -> Any:
        interrupt("?")
        return {"x": []}

    graph = chain(ask, checkpointer=InMemorySaver())
    graph.invoke({"x": []}, thread())
    graph.invoke(Command(resume=[{"type": "x" * 10_000}]), thread())

    decisions = [event.payload["decision"] for event in telemetry.events if event.type == "hitl_resolved"]
    assert decisions == ["responded"]


def test_the_example_keeps_its_content_to_itself(telemetry: Telemetry) -> None:
    """The addresses, topics and sentences of the example are in no signal."""
    graph = release_notes(InMemorySaver())
    graph.invoke({"messages": [("user", "Write the notes")]}, thread())
    graph.invoke(Command(resume="approve"), thread())

    words = ("ada@example.org", "Exports run", "security", "Publish these", "Write the notes", "did not answer")
    assert [word for word in words for text in texts(telemetry) if word in text] == []
