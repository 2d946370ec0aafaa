"""Questions to humans: which calls wait for an approval, and what was decided when the run goes on; knows no runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from otel_agents import guard, questions
from otel_agents.adapters.openai_agents import frames as f
from otel_agents.adapters.openai_agents.frames import RUNTIME, Running
from otel_agents.operation import Identity, Operation
from otel_agents.pauses import Pause
from otel_agents.recorder import RECORDER

DECISIONS: Final[Mapping[object, str]] = {True: "approved", False: "rejected"}


def go_on(frame: Running, state: Any, context: Any) -> None:
    """Take over what was open when a run paused, and what was decided since; nothing of a run that is new.

    A question is known by the id of its call, which is all that the state of a run keeps across processes.
    """
    asked = _asked(state)
    frame.waiting = {call_id: pause for call_id in asked for pause in _pauses(call_id)}
    frame.answers = _answers(asked, context)


def go_on_inside(operation: Operation, state: Any, context: Any) -> None:
    """Tell what was decided for an agent that is a tool: only its own state may know."""
    run = f.running(operation)
    found = _answers(_asked(state), context) if run is not None else {}
    for call_id, decision in found.items():
        if run is not None and call_id in run.waiting and call_id not in run.answers:
            run.answers[call_id] = decision
            questions.answer(_key(call_id), call_id, decision, operation=operation)


def _asked(state: Any) -> dict[str, Any]:
    return {} if state is None else {str(item.call_id): item for item in state.get_interruptions() if item.call_id}


def _answers(asked: Mapping[str, Any], context: Any) -> dict[str, str]:
    found = {call_id: context.is_tool_approved(item.qualified_name, call_id) for call_id, item in asked.items()}
    return {call_id: DECISIONS[decision] for call_id, decision in found.items() if decision is not None}


def _pauses(call_id: str) -> tuple[Pause, ...]:
    return guard.run("pauses.find", RECORDER.pauses.find, _key(call_id)) or ()


def _key(call_id: str) -> str:
    return f"{RUNTIME}:{call_id}"


def identity(frame: Running, session_id: str | None) -> Identity:
    """Return who the run is: itself again when it goes on."""
    if not frame.waiting:
        return Identity(RUNTIME, session_id=session_id)
    last = list(frame.waiting.values())[-1]
    return Identity(RUNTIME, last.run_id, last.correlation_id, session_id=session_id)


def links(frame: Running) -> tuple[str, ...]:
    """Return the spans that the run goes on from."""
    return tuple({pause.traceparent: None for pause in frame.waiting.values() if pause.traceparent})


def tell_answers(frame: Running, operation: Operation) -> None:
    """Tell what was decided since the run paused."""
    for call_id, decision in frame.answers.items():
        questions.answer(_key(call_id), call_id, decision, operation=operation)


def tell_questions(frame: Running, operation: Operation, interruptions: Iterable[Any]) -> None:
    """Ask what is to be decided. What was open before, and was not decided, is the same question still."""
    still_open = frame.waiting.keys() - frame.answers.keys()
    for item in interruptions:
        call_id = str(item.call_id or "")
        if call_id not in still_open:
            key = _key(call_id) if call_id else ""
            questions.ask(operation, key, call_id, origin=str(item.qualified_name or ""), node_id=call_id)
