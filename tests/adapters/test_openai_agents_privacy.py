"""What programs of the OpenAI Agents SDK work on stays with them, and nothing hostile gets through."""

from __future__ import annotations

import json
from typing import Any

import pytest
from agents import (
    GuardrailFunctionOutput,
    InputGuardrail,
    ModelBehaviorError,
    OutputGuardrail,
    RunConfig,
    SQLiteSession,
    ToolGuardrailFunctionOutput,
    UserError,
    function_tool,
    tool_input_guardrail,
)
from pydantic import BaseModel

from otel_agents import guard
from otel_agents.adapters.openai_agents import ADAPTER
from otel_agents.testing import Telemetry
from tests.adapters.assistants import WAYS, agent, approve, boom, call, hand_over, ping, refund
from tests.adapters.watching import texts, watched

CANARY = "canary-7f3a@example.org"
EVERY_WAY = pytest.mark.parametrize("way", WAYS)


class Answer(BaseModel):
    number: int


def look(*given: Any, **more: Any) -> Any:
    return GuardrailFunctionOutput(output_info=CANARY, tripwire_triggered=False)


@tool_input_guardrail
def refuse(data: Any) -> ToolGuardrailFunctionOutput:
    return ToolGuardrailFunctionOutput.reject_content(CANARY, output_info=CANARY)


@function_tool(tool_input_guardrails=[refuse])
def refused(text: str) -> str:
    """Never runs."""
    return text


@function_tool(failure_error_function=None)
def fatal(text: str) -> str:
    """Raise what is given."""
    raise LookupError(text)


def secretive() -> Any:
    """Make a team that carries the canary through everything that can carry it."""
    last = agent(
        "last",
        [call("refund", text=CANARY)],
        [call("fatal", text=CANARY)],
        instructions=CANARY,
        tools=[refund, fatal],
    )
    strict = agent("strict", json.dumps({"number": CANARY}), output_type=Answer).as_tool("strict", CANARY)
    helper = agent("helper", CANARY, instructions=CANARY).as_tool("ask", CANARY)
    return agent(
        "first",
        [
            call("ping", text=CANARY),
            call("boom", text=CANARY),
            call("ping", wrong=CANARY),
            call("refused", text=CANARY),
        ],
        [call("ask", input=CANARY), call("strict", input=CANARY)],
        hand_over("last"),
        instructions=CANARY,
        tools=[ping, boom, refused, helper, strict],
        handoffs=[last],
        input_guardrails=[InputGuardrail(guardrail_function=look, name="look")],
        output_guardrails=[OutputGuardrail(guardrail_function=look, name="look")],
    )


def play(way: str) -> None:
    team = secretive()
    config = RunConfig(trace_metadata={"user": CANARY})
    waits = WAYS[way](team, CANARY, run_config=config, context=CANARY)
    with pytest.raises(UserError):
        WAYS[way](team, approve(waits), run_config=config)


@EVERY_WAY
def test_no_content_reaches_any_signal(way: str, seen: Telemetry) -> None:
    """Inputs, instructions, outputs, arguments, messages, contexts, metadata and texts of guardrails are in none."""
    play(way)

    assert len(seen.spans) > 20
    assert [text for text in texts(seen) if CANARY in text] == []
    assert guard.errors() == {}


@EVERY_WAY
def test_the_failure_of_a_run_is_told_without_its_message(way: str, seen: Telemetry) -> None:
    """Messages of models' errors and of invalid answers hold content."""
    for answer, error in ((ConnectionError(CANARY), ConnectionError), (json.dumps({CANARY: 1}), ModelBehaviorError)):
        with pytest.raises(error):
            WAYS[way](agent("a", answer, output_type=Answer), CANARY)

    assert [text for text in texts(seen) if CANARY in text] == []


def test_a_session_is_content(seen: Telemetry) -> None:
    """Its name may be a user's: it is told only where content is."""
    WAYS["run"](agent("a", "done"), session=SQLiteSession(CANARY))
    assert [text for text in texts(seen) if CANARY in text] == []

    with watched(ADAPTER, capture="SPAN_AND_EVENT") as telemetry:
        WAYS["run"](agent("a", "done"), session=SQLiteSession(CANARY))
    assert {event.session_id for event in telemetry.events} == {CANARY}


@pytest.mark.parametrize("mode", ["EVENT_ONLY", "SPAN_ONLY"])
def test_content_appears_only_where_it_was_asked_for(mode: str) -> None:
    """Messages of errors are in the signals that they were captured for, and in no other."""
    with watched(ADAPTER, capture=mode) as telemetry:
        play("run")

    errors = [event.payload.get("error") for event in telemetry.events if event.type == "node_error"]
    in_spans = {span.name for span in telemetry.spans if CANARY in span.to_json()}
    assert (CANARY in errors) == (mode == "EVENT_ONLY")
    assert ("flex.node boom" in in_spans) == (mode == "SPAN_ONLY")


class Vicious(Exception):
    """An exception whose text cannot be had; of its repr asyncio makes use itself."""

    def __str__(self) -> str:
        raise RuntimeError("str")


@EVERY_WAY
def test_hostile_exceptions_come_out_as_they_are(way: str) -> None:
    """An exception that cannot be printed is a plain error for us, and for the caller what it is without us."""

    def raised() -> BaseException:
        with pytest.raises((Vicious, RuntimeError)) as found:
            WAYS[way](agent("a", error))
        return found.value

    error = Vicious()
    bare = raised()  # old versions print it themselves, in streams
    with watched(ADAPTER) as telemetry:
        ours = raised()

    assert type(ours) is type(bare)
    assert (ours is error) == (bare is error)
    assert telemetry.tree() == ["run a: error", "  node a (agent): error", "    node model (step): error"]
