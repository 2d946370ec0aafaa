"""Questions to humans in one process: asked once, answered, expired, passed on; whatever the graph looks like."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

import pytest
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.types import Command, Send, interrupt
from pydantic import ValidationError
from typing_extensions import TypedDict

from otel_agents.recorder import RECORDER
from otel_agents.testing import Telemetry
from tests.adapters.graphs import State, agent, calls, chain, ping, thread

validates = pytest.mark.skipif(
    "response_schema" not in inspect.signature(interrupt).parameters,
    reason="this version of LangGraph takes any answer",
)


class Approval(TypedDict):
    ok: bool


def ask(state: Any) -> Any:
    return {"x": [interrupt({"question": state.get("q")})]}


def approve(state: Any) -> Any:
    return {"x": [interrupt("Publish?", response_schema=Approval)["ok"]]}


def done(state: Any) -> Any:
    return {"x": ["done"]}


def asking(*nodes: Any, **options: Any) -> Any:
    return chain(*(nodes or (ask, done)), checkpointer=InMemorySaver(), **options)


def two_questions() -> Any:
    graph: Any = StateGraph(State)
    graph.add_node("ask", ask)
    graph.add_conditional_edges(START, lambda state: [Send("ask", {"q": 1}), Send("ask", {"q": 2})], ["ask"])
    return graph.compile(InMemorySaver(), name="two")


def facts(telemetry: Telemetry) -> list[Any]:
    """Return how runs started and ended, and what was asked and answered, in order."""
    told: list[Any] = []
    for event in telemetry.events:
        if event.type == "start":
            told.append("resumed" if event.payload.get("resumed") else "start")
        elif event.type == "complete":
            told.append(event.status)
        elif event.type == "hitl_request":
            told.append(("asked", event.payload["origin"]))
        elif event.type == "hitl_resolved":
            told.append(event.payload["decision"])
    return told


def pending() -> int:
    return sum(each.count for each in RECORDER.pauses.pending().values())


def test_a_question_pauses_the_run_and_its_answer_resumes_the_same_run(telemetry: Telemetry) -> None:
    """The resumed run has the id of the paused one; question, node and wait are told."""
    graph = asking()
    question = graph.invoke({"x": []}, thread())["__interrupt__"][0]
    assert pending() == 1
    graph.invoke(Command(resume="yes"), thread())

    assert facts(telemetry) == ["start", ("asked", "ask"), "awaiting_hitl", "resumed", "approved", "completed"]
    assert (
        {event.run_id for event in telemetry.events}
        == {event.correlation_id for event in telemetry.events}
        == {"run-1"}
    )
    asked, answered = [event for event in telemetry.events if event.type.startswith("hitl")]
    nodes = [event.node_id for event in telemetry.events if event.capability_id == "ask" and event.type == "node_start"]
    assert asked.payload == {"requestId": question.id, "origin": "ask", "pendingNodeId": nodes[0]}
    assert nodes == [nodes[0]] * 2
    assert answered.payload["requestId"] == question.id
    assert isinstance(waited_ms := answered.payload["waitMs"], float)
    assert waited_ms > 0
    assert pending() == 0
    assert telemetry.tree() == [
        "run chain: paused",
        "  node ask (step): paused",
        "run chain: ok",
        "  node ask (step): ok",
        "  node done (step): ok",
    ]


def test_a_question_that_nobody_can_answer_is_told_but_not_kept(telemetry: Telemetry) -> None:
    """Without a checkpointer the graph cannot go on: the run waits, but nothing is pending for ever."""
    chain(ask).invoke({"x": []})

    assert facts(telemetry) == ["start", ("asked", "ask"), "awaiting_hitl"]
    assert pending() == 0


@pytest.mark.parametrize(
    ("where", "waits_at"), [({"interrupt_before": ["done"]}, "done"), ({"interrupt_after": ["first"]}, "first")]
)
def test_a_breakpoint_is_a_question_that_going_on_approves(where: Any, waits_at: str, telemetry: Telemetry) -> None:
    """A pause before or after a node waits under the node's name, and ends when the graph goes on without input."""
    graph = asking(("first", lambda state: {}), done, **where)
    graph.invoke({"x": []}, thread())
    assert pending() == 1
    graph.invoke(None, thread())

    assert facts(telemetry) == ["start", ("asked", waits_at), "awaiting_hitl", "resumed", "approved", "completed"]
    assert {event.run_id for event in telemetry.events} == {"run-1"}
    assert pending() == 0


@pytest.mark.parametrize("by_hand", [False, True])
def test_a_breakpoint_deep_inside_is_a_question_of_the_run(by_hand: bool, telemetry: Telemetry) -> None:
    """A graph inside that stops at a breakpoint stops the run, which waits and goes on as a whole."""
    inner = chain(done, name="inner", interrupt_before=["done"])
    graph = asking(("outer", lambda state: inner.invoke({"x": []})) if by_hand else ("outer", inner))
    graph.invoke({"x": []}, thread())
    assert pending() == 1
    graph.invoke(None, thread())

    assert facts(telemetry) == ["start", ("asked", "done"), "awaiting_hitl", "resumed", "approved", "completed"]
    assert pending() == 0


def test_a_tool_that_asks_is_paused_until_it_is_answered(telemetry: Telemetry) -> None:
    """A tool that interrupts has not run: it is paused, and runs when the answer is there."""

    @tool
    def confirm(text: str) -> str:
        """Ask."""
        return str(interrupt(text))

    graph = agent(calls(("confirm", {"text": "?"}, "c1")), "done", tools=[confirm], checkpointer=InMemorySaver())
    graph.invoke({"messages": [("user", "hi")]}, thread())
    graph.invoke(Command(resume={"type": "accept"}), thread())

    assert facts(telemetry) == ["start", ("asked", "confirm"), "awaiting_hitl", "resumed", "approved", "completed"]
    assert [line for line in telemetry.tree() if "confirm" in line] == [
        "  node confirm (tool): paused",
        "  node confirm (tool): ok",
    ]


def test_several_questions_are_answered_one_by_one(telemetry: Telemetry) -> None:
    """An answer by id answers that question; the other one is not asked again, and keeps waiting since it was asked."""
    graph = two_questions()
    first, second = (each.id for each in graph.invoke({"x": []}, thread())["__interrupt__"])
    asked_ns = {pause.request_id: pause.asked_ns for pause in RECORDER.pauses.find("langgraph:two:t")}
    graph.invoke(Command(resume={first: "yes"}), thread())
    left = RECORDER.pauses.find("langgraph:two:t")
    graph.invoke(Command(resume={second: False}), thread())

    assert [(pause.request_id, pause.asked_ns) for pause in left] == [(second, asked_ns[second])]
    assert facts(telemetry) == [
        *("start", ("asked", "ask"), ("asked", "ask"), "awaiting_hitl"),
        *("resumed", "approved", "awaiting_hitl"),
        *("resumed", "rejected", "completed"),
    ]
    assert {event.run_id for event in telemetry.events} == {"run-1"}
    assert pending() == 0


def test_an_answer_that_langgraph_refuses_answers_nothing(telemetry: Telemetry) -> None:
    """With two open questions a bare answer is an error, and both questions stay open."""
    graph = two_questions()
    graph.invoke({"x": []}, thread())
    with pytest.raises(RuntimeError):
        graph.invoke(Command(resume="yes"), thread())

    assert facts(telemetry)[-2:] == ["resumed", "failed"]
    assert pending() == 2


def test_a_node_may_ask_twice(telemetry: Telemetry) -> None:
    """The second question of a node is a new one, even where the framework gives it the same id."""
    graph = asking(("ask", lambda state: {"x": [interrupt(1), interrupt(2)]}))
    graph.invoke({"x": []}, thread())
    graph.invoke(Command(resume="edit"), thread())
    graph.invoke(Command(resume="whatever"), thread())

    assert facts(telemetry) == [
        *("start", ("asked", "ask"), "awaiting_hitl"),
        *("resumed", "edited", ("asked", "ask"), "awaiting_hitl"),
        *("resumed", "responded", "completed"),
    ]


@pytest.mark.parametrize("by_hand", [False, True])
def test_a_question_deep_inside_is_asked_once_by_who_asked_it(by_hand: bool, telemetry: Telemetry) -> None:
    """A pause that passes through graphs pauses each, and is one question of the innermost node."""
    inner = chain(ask, name="inner")
    outer = asking(("outer", lambda state: inner.invoke({"x": []})) if by_hand else ("outer", inner))
    outer.invoke({"x": []}, thread())
    outer.invoke(Command(resume=True), thread())

    assert facts(telemetry) == ["start", ("asked", "ask"), "awaiting_hitl", "resumed", "approved", "completed"]
    depth = "  " if by_hand else ""
    assert telemetry.tree()[: 4 if by_hand else 3] == [
        "run chain: paused",
        f"  node outer ({'step' if by_hand else 'agent'}): paused",
        *(["    node inner (step): paused"] if by_hand else []),
        f"{depth}    node ask (step): paused",
    ]


def test_a_graph_with_a_thread_of_its_own_waits_alone(telemetry: Telemetry) -> None:
    """A graph that a node runs under its own thread pauses by itself: the run goes on, the question stays open."""
    inner = asking(ask, name="inner")

    def outer(state: Any) -> Any:
        inner.invoke({"x": []}, thread("own"))
        return {"x": ["done"]}

    chain(outer).invoke({"x": []})
    assert [pause.key for pause in RECORDER.pauses.find("langgraph:inner:own")] == ["langgraph:inner:own"]
    inner.invoke(Command(resume="ok"), thread("own"))

    assert telemetry.tree() == [
        "run chain: ok",
        "  node outer (step): ok",
        "    node inner (step): paused",
        "      node ask (step): paused",
        "run inner: ok",
        "  node ask (step): ok",
    ]
    assert facts(telemetry) == ["start", ("asked", "ask"), "completed", "resumed", "approved", "completed"]
    assert pending() == 0


def test_a_consumer_may_leave_at_the_question(telemetry: Telemetry) -> None:
    """Leaving a stream at its interrupt is a pause, not an abandoned run."""
    for update in asking().stream({"x": []}, thread(), stream_mode="updates"):
        if "__interrupt__" in update:
            break

    assert facts(telemetry) == ["start", ("asked", "ask"), "awaiting_hitl"]


async def test_an_async_consumer_may_leave_at_the_question(telemetry: Telemetry) -> None:
    """The same holds for an async stream that is closed by somebody else."""
    stream = asking().astream({"x": []}, thread(), stream_mode="updates")
    async for update in stream:
        if "__interrupt__" in update:
            break
    await asyncio.create_task(stream.aclose())

    assert facts(telemetry) == ["start", ("asked", "ask"), "awaiting_hitl"]


def test_going_on_without_an_answer_asks_the_same_question(telemetry: Telemetry) -> None:
    """No input does not answer: the question stays open since it was asked, and is not told twice."""
    graph = asking()
    graph.invoke({"x": []}, thread())
    graph.invoke(None, thread())

    assert facts(telemetry) == ["start", ("asked", "ask"), "awaiting_hitl", "resumed", "awaiting_hitl"]
    assert pending() == 1


def test_new_input_drops_the_old_question(telemetry: Telemetry) -> None:
    """A thread that starts anew starts a new run; what was asked before has expired."""
    graph = asking()
    graph.invoke({"x": []}, thread())
    graph.invoke({"x": ["new"]}, thread())

    assert facts(telemetry) == [
        *("start", ("asked", "ask"), "awaiting_hitl"),
        *("start", "expired", ("asked", "ask"), "awaiting_hitl"),
    ]
    assert [event.run_id for event in telemetry.events if event.type == "start"] == ["run-1", "run-2"]
    assert pending() == 1


def test_graphs_may_share_a_thread_id(telemetry: Telemetry) -> None:
    """What another graph does under the same thread id answers no question, and drops none."""
    graph = asking()
    graph.invoke({"x": []}, thread())
    asking(done, name="other").invoke({"x": []}, thread())
    assert pending() == 1
    graph.invoke(Command(resume="ok"), thread())

    assert facts(telemetry) == [
        *("start", ("asked", "ask"), "awaiting_hitl"),
        *("start", "completed"),
        *("resumed", "approved", "completed"),
    ]


def test_a_question_that_a_detour_leaves_behind_expires(telemetry: Telemetry) -> None:
    """A run that ends well without asking again has no open question left."""
    graph = asking()
    graph.invoke({"x": []}, thread())
    graph.update_state(thread(), {"x": ["by hand"]}, as_node="ask")
    graph.invoke(None, thread())

    assert facts(telemetry) == ["start", ("asked", "ask"), "awaiting_hitl", "resumed", "expired", "completed"]
    assert pending() == 0


@validates
def test_an_answer_that_a_node_does_not_take_is_asked_for_again(telemetry: Telemetry) -> None:
    """The framework lets the question be answered again, so it stays open, and the run that goes on is the same one."""
    graph = chain(ask, ("desk", chain(approve)), name="outer", checkpointer=InMemorySaver())
    graph.invoke({"x": []}, thread())
    graph.invoke(Command(resume="yes"), thread())
    with pytest.raises(ValidationError):
        graph.invoke(Command(resume={"ok": "perhaps"}), thread())
    assert pending() == 1
    graph.invoke(Command(resume={"ok": True}), thread())

    assert facts(telemetry) == [
        *("start", ("asked", "ask"), "awaiting_hitl"),
        *("resumed", "approved", ("asked", "approve"), "awaiting_hitl"),
        *("resumed", "responded", ("asked", "approve"), "failed"),
        *("resumed", "responded", "completed"),
    ]
    assert {event.run_id for event in telemetry.events} == {"run-1"}
    asked = [event.payload for event in telemetry.events if event.type == "hitl_request"]
    assert len(asked) == 3
    assert asked[1] == asked[2]
    assert pending() == 0


@validates
def test_only_the_answer_that_was_not_taken_is_asked_for_again(telemetry: Telemetry) -> None:
    """Of two answers that come at once the one that was taken counts."""
    graph: Any = StateGraph(State)
    graph.add_node("approve", approve)
    graph.add_conditional_edges(START, lambda state: [Send("approve", {}), Send("approve", {})], ["approve"])
    graph = graph.compile(InMemorySaver(), name="two")
    first, second = (each.id for each in graph.invoke({"x": []}, thread())["__interrupt__"])
    with pytest.raises(ValidationError):
        graph.invoke(Command(resume={first: {"ok": True}, second: {"ok": "perhaps"}}), thread())

    assert [pause.request_id for pause in RECORDER.pauses.find("langgraph:two:t")] == [second]


def test_a_graph_that_fails_before_it_goes_on_has_taken_no_answer(telemetry: Telemetry) -> None:
    """Checkpoints that cannot be read fail the run, and the question waits for the answer that comes again."""

    class Saver(InMemorySaver):
        is_away = False

        def get_tuple(self, config: Any) -> Any:
            if self.is_away:
                raise ConnectionError
            return super().get_tuple(config)

    saver = Saver()
    graph = chain(ask, done, checkpointer=saver)
    graph.invoke({"x": []}, thread())
    saver.is_away = True
    with pytest.raises(ConnectionError):
        graph.invoke(Command(resume="yes"), thread())
    saver.is_away = False
    graph.invoke(Command(resume="yes"), thread())

    assert facts(telemetry) == [
        *("start", ("asked", "ask"), "awaiting_hitl"),
        *("resumed", "failed"),
        *("resumed", "approved", "completed"),
    ]
    assert {event.run_id for event in telemetry.events} == {"run-1"}


def test_an_error_beside_a_question_is_an_error(telemetry: Telemetry) -> None:
    """When another node fails in the same step the run has failed, and asks nothing."""

    def fail(state: Any) -> Any:
        raise LookupError

    graph: Any = StateGraph(State)
    graph.add_node("ask", ask)
    graph.add_node("fail", fail)
    graph.add_edge(START, "ask")
    graph.add_edge(START, "fail")
    with pytest.raises(LookupError):
        graph.compile(InMemorySaver(), name="both").invoke({"x": []}, thread())

    assert facts(telemetry) == ["start", "failed"]
    assert pending() == 0


def test_a_tool_that_waits_for_approval_has_not_run(telemetry: Telemetry) -> None:
    """The approval middleware asks in its own node; only after the answer there is a tool."""
    graph = agent(
        calls(("ping", {"text": "a"}, "c1")),
        "done",
        tools=[ping],
        middleware=[HumanInTheLoopMiddleware(interrupt_on={"ping": True})],
        checkpointer=InMemorySaver(),
    )
    graph.invoke({"messages": [("user", "hi")]}, thread())
    assert "node ping (tool): ok" not in "".join(telemetry.tree())
    edited = {"type": "edit", "edited_action": {"name": "ping", "args": {"text": "b"}}}
    graph.invoke(Command(resume={"decisions": [edited]}), thread())

    asked = ("asked", "HumanInTheLoopMiddleware.after_model")
    assert facts(telemetry) == ["start", asked, "awaiting_hitl", "resumed", "edited", "completed"]
    assert telemetry.tree() == [
        "run agent: paused",
        "  node model (step): ok",
        "  node HumanInTheLoopMiddleware.after_model (step): paused",
        "run agent: ok",
        "  node HumanInTheLoopMiddleware.after_model (step): ok",
        "  node ping (tool): ok",
        "  node model (step): ok",
        "  node HumanInTheLoopMiddleware.after_model (step): ok",
    ]
