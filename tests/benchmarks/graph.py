"""A LangGraph program to be watched: a planner, six agents side by side, an editor; it must not know who watches.

One run is 26 tasks: two of its own, and for each agent the agent itself, two calls of its model and one of its tool.
The model answers at once and always the same, so that nothing is measured but LangGraph and who watches it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import StructuredTool
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import Send

TOPICS: Final = ("exports", "dates", "tokens", "menus", "search", "fonts")
REPORT: Final = " ".join(f"All about {topic}: {len(topic)} pages." for topic in TOPICS)
TASKS: Final = 2 + 4 * len(TOPICS)


class Script(BaseChatModel):
    """Ask for the tool first, then say what it found."""

    @property
    def _llm_type(self) -> str:
        return "script"

    def bind_tools(self, tools: Any, **kwargs: Any) -> Script:
        """Accept tools: the script knows which one it calls."""
        return self

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=_answer(messages[-1]))])

    async def _agenerate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        return self._generate(messages)


def _answer(last: BaseMessage) -> AIMessage:
    usage: Any = {"input_tokens": 20, "output_tokens": 5, "total_tokens": 25}
    if isinstance(last, ToolMessage):
        return AIMessage(last.text, usage_metadata=usage)
    call: Any = {"name": "look_up", "args": {"topic": last.text}, "id": f"call-{last.text}"}
    return AIMessage("", tool_calls=[call], usage_metadata=usage)


def look_up(topic: str) -> str:
    """Look a topic up."""
    return f"All about {topic}: {len(topic)} pages."


async def alook_up(topic: str) -> str:
    """Look a topic up."""
    return look_up(topic)


class State(MessagesState):
    """What the agents say, and what the editor makes of it."""

    report: str


def planner(state: State) -> dict[str, Any]:
    return {"report": ""}


def workers(state: State) -> list[Send]:
    return [Send("worker", {"messages": [HumanMessage(topic)]}) for topic in TOPICS]


def editor(state: State) -> dict[str, Any]:
    said = [message.text for message in state["messages"] if isinstance(message, AIMessage) and message.text]
    return {"report": " ".join(said)}


def build() -> Any:
    """Return the compiled graph; its runs return ``REPORT``."""
    tool = StructuredTool.from_function(look_up, alook_up)
    graph = StateGraph(State)
    graph.add_node("planner", planner)
    graph.add_node("worker", create_agent(Script(), [tool], name="worker"))
    graph.add_node("editor", editor)
    graph.add_edge(START, "planner")
    graph.add_conditional_edges("planner", workers, ["worker"])
    graph.add_edge("worker", "editor")
    graph.add_edge("editor", END)
    return graph.compile(name="report")


def runs() -> Mapping[str, Callable[[], str | Awaitable[str]]]:
    """Return the ways to run the program; each run returns ``REPORT``."""
    graph = build()
    question: dict[str, Any] = {"messages": []}

    def sync() -> str:
        return str(graph.invoke(question)["report"])

    async def asynchronous() -> str:
        return str((await graph.ainvoke(question))["report"])

    return {"sync": sync, "async": asynchronous}
