"""A support desk: one agent finds out what is wanted, one gives money back, and a lawyer is asked in between."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from agents import (
    Agent,
    GuardrailFunctionOutput,
    Model,
    ModelRetrySettings,
    ModelSettings,
    RunContextWrapper,
    ToolGuardrailFunctionOutput,
    function_tool,
    input_guardrail,
    tool_output_guardrail,
)
from pydantic import BaseModel
from scripted import ScriptedModel

CARD = re.compile(r"\d{4}-\d{4}")
MANY_EUROS = 20


class Receipt(BaseModel):
    """What a customer gets."""

    order: str
    euros: int
    note: str


@input_guardrail
async def polite(context: RunContextWrapper[Any], agent: Agent[Any], given: Any) -> GuardrailFunctionOutput:
    return GuardrailFunctionOutput(output_info=None, tripwire_triggered="idiots" in str(given))


@tool_output_guardrail
def hide_cards(data: Any) -> ToolGuardrailFunctionOutput:
    if CARD.search(str(data.output)):
        return ToolGuardrailFunctionOutput.reject_content(CARD.sub("****", str(data.output)))
    return ToolGuardrailFunctionOutput.allow()


@function_tool(tool_output_guardrails=[hide_cards])
def look_up_order(order: str) -> str:
    """Say what was ordered, and how it was paid."""
    return f"{order}: a kettle, 49 euros, paid with card 4711-0815"


@function_tool
async def read_ledger(order: str) -> str:
    """Say what was paid back already."""
    await asyncio.sleep(0)
    raise TimeoutError("the ledger does not answer")


async def costs_much(context: Any, arguments: dict[str, Any], call_id: str) -> bool:
    return int(arguments["euros"]) > MANY_EUROS


@function_tool(needs_approval=costs_much)
def refund(order: str, euros: int) -> str:
    """Give money back."""
    return f"{euros} euros for {order} are on their way"


def build(pace: float = 0.0) -> Agent[Any]:
    """Build the desk, and return who is asked first."""

    def model(role: str, failures: int = 0) -> Model:
        return ScriptedModel(role, pace, failures)

    again = ModelRetrySettings(max_retries=2, backoff={"initial_delay": pace, "jitter": False}, policy=lambda _: True)
    lawyer: Agent[Any] = Agent(name="lawyer", instructions="Know the law.", model=model("lawyer"))
    refunds: Agent[Any] = Agent(
        name="refunds",
        instructions="Give money back where the law says so.",
        model=model("refunds", failures=1),
        model_settings=ModelSettings(retry=again),
        tools=[lawyer.as_tool("ask_lawyer", "Ask about the law."), read_ledger, refund],
        output_type=Receipt,
    )
    return Agent(
        name="triage",
        instructions="Find out what the customer wants.",
        model=model("triage"),
        tools=[look_up_order],
        handoffs=[refunds],
        input_guardrails=[polite],
    )
