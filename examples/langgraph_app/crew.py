"""A small editorial crew that writes release notes, as a LangGraph graph.

planner -> researcher (one per topic, in parallel) -> brief
        -> desk (triage hands over to writer) -> review (hands over to publisher)
        -> publisher (asks a human)
"""

from __future__ import annotations

import operator
import time
from collections.abc import Callable
from typing import Annotated, Any, NotRequired

from langchain.agents import create_agent
from langchain.agents.middleware import PIIMiddleware, TodoListMiddleware
from langchain.agents.structured_output import ToolStrategy
from langchain.messages import HumanMessage, RemoveMessage
from langchain.tools import tool
from langchain_core.language_models import BaseChatModel
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.graph.message import REMOVE_ALL_MESSAGES
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command, RetryPolicy, Send, interrupt
from langgraph_swarm import SwarmState, create_handoff_tool, create_swarm
from pydantic import Field
from typing_extensions import TypedDict

Models = Callable[[str], BaseChatModel]
Graph = CompiledStateGraph[Any, Any, Any, Any]


class ReleaseNotes(TypedDict):
    """What the writer has to deliver; anything else is sent back with the reason."""

    headline: Annotated[str, Field(max_length=60)]
    highlights: Annotated[list[str], Field(min_length=3)]


class State(MessagesState):
    todos: NotRequired[list[dict[str, str]]]
    facts: Annotated[list[str], operator.add]
    structured_response: NotRequired[ReleaseNotes]
    draft: NotRequired[str]
    published: NotRequired[str]


class DeskState(SwarmState):
    structured_response: NotRequired[ReleaseNotes]


class ChangeLog:
    """Stand for a remote service: the first question about security times out."""

    def __init__(self, pace: float) -> None:
        self._pace = pace
        self._asked: set[str] = set()

    def read(self, topic: str) -> str:
        time.sleep(self._pace)
        is_known = topic in self._asked
        self._asked.add(topic)
        if topic == "security" and not is_known:
            raise ConnectionError("the change log did not answer")
        return f"Everything that changed in {topic}."


@tool
def list_topics(release: str) -> str:
    """List the topics that changed in a release."""
    return f"{release} changed features, fixes and security."


@tool
def house_style() -> str:
    """Look up how release notes are written here."""
    return "Short sentences, no names of people."


def _planner(models: Models) -> Graph:
    return create_agent(
        models("planner"),
        tools=[list_topics],
        name="planner",
        middleware=[TodoListMiddleware()],
        system_prompt="Plan the research for release notes: one todo per topic, at most three.",
    )


def _researcher(models: Models, change_log: ChangeLog) -> Any:
    @tool
    def read_changes(topic: str) -> str:
        """Read what changed in one topic."""
        return change_log.read(topic)

    def researcher(todo: dict[str, str]) -> dict[str, Any]:
        topic = todo["content"]
        changes = read_changes.invoke({"topic": topic})
        answer = models(f"researcher {topic}").invoke(f"Sum up in one sentence: {changes}")
        return {"facts": [f"{topic}: {answer.text}"]}

    return researcher


def _desk(models: Models) -> Graph:
    triage = create_agent(
        models("triage"),
        tools=[create_handoff_tool(agent_name="writer")],
        name="triage",
        system_prompt="Hand complete material over to the writer.",
    )
    writer = create_agent(
        models("writer"),
        tools=[house_style],
        name="writer",
        middleware=[PIIMiddleware("email", strategy="redact")],
        response_format=ToolStrategy(ReleaseNotes),
        system_prompt="Look up the house style, then write the release notes.",
    )
    desk = create_swarm([triage, writer], default_active_agent="triage", state_schema=DeskState)
    return desk.compile(name="desk")


def _review() -> Graph:
    def fact_check(state: State) -> Command[str]:
        notes = state["structured_response"]
        draft = "\n- ".join([notes["headline"], *notes["highlights"]])
        return Command(graph=Command.PARENT, goto="publisher", update={"draft": draft})

    review = StateGraph(State).add_node("fact_check", fact_check)
    return review.add_edge(START, "fact_check").compile(name="review")


def _fan_out(state: State) -> list[Send]:
    return [Send("researcher", todo) for todo in state["todos"]]


def _brief(state: State) -> dict[str, Any]:
    brief = HumanMessage("Write release notes from these facts:\n" + "\n".join(state["facts"]))
    return {"messages": [RemoveMessage(REMOVE_ALL_MESSAGES), brief]}


def _publisher(state: State) -> dict[str, Any]:
    decision = interrupt({"question": "Publish these notes?", "draft": state["draft"]})
    return {"published": "" if decision == "reject" else state["draft"]}


def build(models: Models, checkpointer: BaseCheckpointSaver[Any], pace: float = 0.0) -> Graph:
    """Build the crew. `models` gives the chat model of a role, `pace` is in seconds."""
    again = RetryPolicy(max_attempts=3, initial_interval=max(pace, 0.01), jitter=False)
    crew = StateGraph(State)
    crew.add_node("planner", _planner(models))
    crew.add_node("researcher", _researcher(models, ChangeLog(pace)), retry_policy=again)
    crew.add_node("brief", _brief)
    crew.add_node("desk", _desk(models))
    crew.add_node("review", _review(), destinations=("publisher",))
    crew.add_node("publisher", _publisher)
    crew.add_edge(START, "planner")
    crew.add_conditional_edges("planner", _fan_out, ["researcher"])
    crew.add_edge("researcher", "brief")
    crew.add_edge("brief", "desk")
    crew.add_edge("desk", "review")
    crew.add_edge("publisher", END)
    return crew.compile(checkpointer, name="release-notes")
