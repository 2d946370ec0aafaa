"""Guardrails of the OpenAI Agents SDK: policies that looked, and those that acted."""

from __future__ import annotations

from typing import Any

import pytest
from agents import (
    GuardrailFunctionOutput,
    InputGuardrail,
    InputGuardrailTripwireTriggered,
    OutputGuardrail,
    OutputGuardrailTripwireTriggered,
    ToolGuardrailFunctionOutput,
    ToolOutputGuardrailTripwireTriggered,
    function_tool,
    tool_input_guardrail,
    tool_output_guardrail,
)

from otel_agents.testing import Telemetry
from tests.adapters.assistants import WAYS, agent, call

EVERY_WAY = pytest.mark.parametrize("way", WAYS)


def judging(kind: Any, *, trips: bool, **options: Any) -> Any:
    async def judge(*given: Any, **more: Any) -> Any:
        return GuardrailFunctionOutput(output_info=None, tripwire_triggered=trips)

    return kind(guardrail_function=judge, name="judge", **options)


def acted(telemetry: Telemetry) -> list[dict[str, Any]]:
    return [dict(event.payload) for event in telemetry.events if event.type == "policy_triggered"]


@EVERY_WAY
def test_a_guardrail_that_lets_pass_is_seen_and_not_counted(way: str, seen: Telemetry) -> None:
    """There is an operation for each look, and no event of a policy that did nothing."""
    options = {
        "input_guardrails": [judging(InputGuardrail, trips=False)],
        "output_guardrails": [judging(OutputGuardrail, trips=False)],
    }
    WAYS[way](agent("a", "done", **options))

    assert sorted(seen.tree()) == sorted(
        ["run a: ok", "  node a (agent): ok", "    node model (step): ok", *["    policy judge: ok"] * 2]
    )
    triggers = [dict(span.attributes or {})["flex.policy.trigger"] for span in seen.spans if "policy" in span.name]
    assert triggers == ["input", "output"]
    assert acted(seen) == []
    assert not any(name.startswith("flex.policy.triggers") for name in seen.metrics())


@EVERY_WAY
@pytest.mark.parametrize("options", [{}, {"run_in_parallel": False}], ids=["parallel", "first"])
def test_an_input_that_is_not_allowed_stops_the_run(way: str, options: Any, seen: Telemetry) -> None:
    """Also where only the consumer of a stream gets to see the exception."""
    with pytest.raises(InputGuardrailTripwireTriggered):
        WAYS[way](agent("a", "done", input_guardrails=[judging(InputGuardrail, trips=True, **options)]))

    tree = seen.tree()
    assert tree[:2] == ["run a: error", "  node a (agent): error"] or tree == ["run a: error", "  policy judge: ok"]
    assert acted(seen) == [{"policyId": "judge", "trigger": "input", "action": "block"}]
    assert seen.metrics()["flex.policy.triggers{action=block,policy=judge,runtime=openai_agents}"] == 1
    (end,) = (event for event in seen.events if event.type == "complete")
    assert end.payload["errorType"] == "agents.exceptions.InputGuardrailTripwireTriggered"


@EVERY_WAY
def test_an_output_that_is_not_allowed_stops_the_run(way: str, seen: Telemetry) -> None:
    """The agent answered, and failed."""
    with pytest.raises(OutputGuardrailTripwireTriggered):
        WAYS[way](agent("a", "done", output_guardrails=[judging(OutputGuardrail, trips=True)]))

    assert seen.tree() == [
        "run a: error",
        "  node a (agent): error",
        "    node model (step): ok",
        "    policy judge: ok",
    ]
    assert acted(seen) == [{"policyId": "judge", "trigger": "output", "action": "block"}]


@tool_input_guardrail
def refuse(data: Any) -> ToolGuardrailFunctionOutput:
    return ToolGuardrailFunctionOutput.reject_content("no")


@tool_output_guardrail
def replace(data: Any) -> ToolGuardrailFunctionOutput:
    return ToolGuardrailFunctionOutput.reject_content("no")


@tool_output_guardrail
def stop(data: Any) -> ToolGuardrailFunctionOutput:
    return ToolGuardrailFunctionOutput.raise_exception(None)


@tool_output_guardrail
def allow(data: Any) -> ToolGuardrailFunctionOutput:
    return ToolGuardrailFunctionOutput.allow()


def guarded(**options: Any) -> Any:
    @function_tool(**options)
    def look() -> str:
        """Look."""
        return "seen"

    return agent("a", call("look"), "done", tools=[look])


@EVERY_WAY
def test_a_call_that_a_guardrail_refuses_is_no_execution(way: str, seen: Telemetry) -> None:
    """The model gets a message, and the tool does not run."""
    WAYS[way](guarded(tool_input_guardrails=[refuse]))

    assert seen.tree() == [
        "run a: ok",
        "  node a (agent): ok",
        "    node model (step): ok",
        "    policy refuse: ok",
        "    node model (step): ok",
    ]
    assert acted(seen) == [{"policyId": "refuse", "trigger": "tool_input", "action": "reject"}]


@EVERY_WAY
def test_what_a_tool_returned_may_be_replaced(way: str, seen: Telemetry) -> None:
    """The tool ran: guardrails of its output are a part of it, and only the one that acted is told."""
    WAYS[way](guarded(tool_output_guardrails=[allow, replace]))

    assert seen.tree()[3:6] == ["    node look (tool): ok", "      policy allow: ok", "      policy replace: ok"]
    assert acted(seen) == [{"policyId": "replace", "trigger": "tool_output", "action": "reject"}]


@EVERY_WAY
def test_what_a_tool_returned_may_stop_the_run(way: str, seen: Telemetry) -> None:
    """Tool, agent and run failed, by what the guardrail did."""
    with pytest.raises(ToolOutputGuardrailTripwireTriggered):
        WAYS[way](guarded(tool_output_guardrails=[stop]))

    assert seen.tree()[:2] == ["run a: error", "  node a (agent): error"]
    assert acted(seen) == [{"policyId": "stop", "trigger": "tool_output", "action": "block"}]


@EVERY_WAY
def test_a_guardrail_that_fails_is_no_action(way: str, seen: Telemetry) -> None:
    """It raised: an error like any other."""

    def broken(*given: Any) -> Any:
        raise LookupError

    guardrail = InputGuardrail(guardrail_function=broken, run_in_parallel=False)
    with pytest.raises(LookupError):
        WAYS[way](agent("a", "done", input_guardrails=[guardrail]))

    assert "policy broken: error" in [line.strip() for line in seen.tree()]
    assert seen.tree()[0] == "run a: error"
    assert acted(seen) == []
