"""Where pauses end: questions asked when a stream pauses, answered when it is resumed; must not know tasks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from otel_agents import guard, questions
from otel_agents.adapters.langgraph.decisions import APPROVED, EXPIRED, decision_of
from otel_agents.adapters.langgraph.frames import COMMAND, RUNTIME, Frame, is_a
from otel_agents.operation import Identity, Operation
from otel_agents.pauses import Pause
from otel_agents.recorder import RECORDER

CHECKPOINTER: Final = "__pregel_checkpointer"
TASK_ID: Final = "__pregel_task_id"
UNNAMED: Final = "LangGraph"
HEX: Final = frozenset("0123456789abcdef")
INTERRUPT_ID_LENGTH: Final = 32


@dataclass(slots=True, eq=False)
class Level:
    """A stream of a graph: where a pause either ends, or is passed on to the graph around.

    ``key`` is what a resume is recognised by; "" when nothing can be resumed. ``waiting`` are the questions that were
    open when the stream started, ``answers`` the decisions on them by id. ``is_resumed``: it goes on from a pause.
    """

    frame: Frame
    thread_id: str = ""
    key: str = ""
    waiting: tuple[Pause, ...] = ()
    answers: Mapping[str, str] = field(default_factory=dict)
    is_resumed: bool = False

    @property
    def links(self) -> tuple[str, ...]:
        """The spans that it goes on from."""
        if not self.is_resumed:
            return ()
        return tuple({pause.traceparent: None for pause in self.waiting if pause.traceparent})

    @property
    def identity(self) -> Identity:
        """Who the run is: itself again when it is resumed."""
        if not self.is_resumed:
            return Identity(RUNTIME)
        last = self.waiting[-1]
        return Identity(RUNTIME, last.run_id, last.correlation_id, plan_version=last.plan_version)


def level_of(frame: Frame, graph: Any, config: Mapping[str, Any], given: object) -> Level:
    """Return the level of a stream that starts with this input.

    A graph inside another one passes its pauses on, unless it is called with a thread of its own.
    """
    level = Level(frame)
    own = {**((graph.config or {}).get("configurable") or {}), **(config.get("configurable") or {})}
    thread_id = own.get("thread_id")
    if thread_id is None or TASK_ID in own:
        return level
    level.thread_id = str(thread_id)
    if graph.checkpointer or CHECKPOINTER in own:
        # Graphs with checkpointers of their own may well use the same thread id, such as the user's name.
        level.key = f"{RUNTIME}:{graph_name(graph)}:{level.thread_id}"
        level.waiting = guard.run("pauses.find", RECORDER.pauses.find, level.key) or ()
    if level.waiting:
        level.is_resumed = given is None or is_a(given, COMMAND)
        level.answers = answers(given, [pause.request_id for pause in level.waiting])
    return level


def graph_name(graph: Any) -> str:
    """Return the name of a graph; one made by a decorator is named after its function, its only node."""
    name = str(graph.name)
    if name == UNNAMED and len(graph.nodes) == 1:
        return str(next(iter(graph.nodes)))
    return name


def is_interrupt_id(value: object) -> bool:
    """Whether this is the id of an Interrupt; breakpoints are known by the id of their checkpoint."""
    return isinstance(value, str) and len(value) == INTERRUPT_ID_LENGTH and HEX.issuperset(value)


def answers(given: Any, open_ids: list[str]) -> dict[str, str]:
    """Return the decisions that the input of a graph contains on open questions.

    No input goes on from breakpoints, and asks all other questions again. New input drops all of them.
    """
    is_command = is_a(given, COMMAND)
    if given is not None and not is_command:
        return dict.fromkeys(open_ids, EXPIRED)
    asked = [request_id for request_id in open_ids if is_interrupt_id(request_id)]
    passed = {request_id: APPROVED for request_id in open_ids if not is_interrupt_id(request_id)}
    resume = given.resume if is_command else None
    if resume is None:
        return passed
    if isinstance(resume, dict) and resume and all(map(is_interrupt_id, resume)):
        return {**passed, **{each: decision_of(resume[each]) for each in asked if each in resume}}
    # With several open questions the framework refuses an answer that does not say which one it is for.
    return {**passed, **({asked[0]: decision_of(resume)} if len(asked) == 1 else {})}


def tell_answers(level: Level, operation: Operation) -> None:
    """Tell the decisions that came with the input of a stream."""
    for request_id, decision in level.answers.items():
        questions.answer(level.key, request_id, decision, operation=operation)


def tell_questions(level: Level, operation: Operation) -> None:
    """Ask what a pause asks. A question that was open before, and was not answered, is the same question still.

    Without a key nothing keeps the state of the graph, so nobody can answer: the question is told, but not kept.
    """
    still_open = _unanswered(level)
    for request_id, asked in level.frame.questions.items():
        if request_id not in still_open:
            questions.ask(operation, level.key, request_id, origin=asked.origin, node_id=asked.node_id)


def ask_again(level: Level, operation: Operation) -> None:
    """Ask what was answered with something that the node did not take: it still waits."""
    refused = level.frame.refused
    for pause in level.waiting:
        if pause.request_id in level.answers and pause.node_id in refused:
            origin, node_id = refused[pause.node_id], pause.node_id
            questions.ask(operation, level.key, pause.request_id, origin=origin, node_id=node_id)


def drop_rest(level: Level, operation: Operation) -> None:
    """Let questions expire that were open when a stream went on, and that nobody will ask again."""
    if level.is_resumed:
        for request_id in _unanswered(level) - level.frame.questions.keys():
            questions.answer(level.key, request_id, EXPIRED, operation=operation)


def _unanswered(level: Level) -> set[str]:
    return {pause.request_id for pause in level.waiting} - level.answers.keys()
