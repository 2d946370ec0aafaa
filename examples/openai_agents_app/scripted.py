"""Plays the models, so that nobody needs a key or a network: each role says what its script says next."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from agents import Model, ModelResponse, Usage
from openai.types.responses import (
    Response,
    ResponseCompletedEvent,
    ResponseFunctionToolCall,
    ResponseOutputMessage,
    ResponseOutputText,
    ResponseUsage,
)

Step = str | list[tuple[str, dict[str, Any]]]

SCRIPTS: dict[str, list[Step]] = {
    "triage": [[("look_up_order", {"order": "A-17"})], [("transfer_to_refunds", {})]],
    "refunds": [
        [("ask_lawyer", {"input": "May we refund an order after 20 days?"}), ("read_ledger", {"order": "A-17"})],
        [("refund", {"order": "A-17", "euros": 49})],
        json.dumps({"order": "A-17", "euros": 49, "note": "On its way."}),
    ],
    "lawyer": ["Yes: within 30 days."],
}
DENIED = json.dumps({"order": "A-17", "euros": 0, "note": "We are sorry."})


class ScriptedModel(Model):
    """Find the place in the script by the calls that the conversation holds: it may go on in another process."""

    def __init__(self, role: str, pace: float = 0.0, failures: int = 0) -> None:
        self.script = SCRIPTS[role]
        self.pace = pace
        self.failures = failures

    async def get_response(
        self,
        system_instructions: Any,
        input: Any,  # noqa: A002 - the SDK calls it so
        *rest: Any,
        **more: Any,
    ) -> ModelResponse:
        output = await self._answer(input)
        used_in, used_out = _sizes(input, output)
        usage = Usage(requests=1, input_tokens=used_in, output_tokens=used_out, total_tokens=used_in + used_out)
        return ModelResponse(output=output, usage=usage, response_id=None)

    async def stream_response(
        self,
        system_instructions: Any,
        input: Any,  # noqa: A002 - the SDK calls it so
        *rest: Any,
        **more: Any,
    ) -> AsyncIterator[Any]:
        output = await self._answer(input)
        used_in, used_out = _sizes(input, output)
        usage = {
            "input_tokens": used_in,
            "output_tokens": used_out,
            "total_tokens": used_in + used_out,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens_details": {"reasoning_tokens": 0},
        }
        response = Response(
            id="response",
            created_at=0,
            model="scripted",
            object="response",
            output=output,
            tool_choice="auto",
            tools=[],
            parallel_tool_calls=True,
            usage=ResponseUsage.model_validate(usage),
        )
        yield ResponseCompletedEvent(type="response.completed", response=response, sequence_number=0)

    async def _answer(self, given: Any) -> list[Any]:
        await asyncio.sleep(self.pace)
        if self.failures:
            self.failures -= 1
            raise ConnectionError("the model is overloaded")
        step = self._step(given)
        return [_say(step)] if isinstance(step, str) else [_call(name, arguments) for name, arguments in step]

    def _step(self, given: Any) -> Step:
        called = {item.get("name") for item in given if isinstance(item, dict)} if isinstance(given, list) else set()
        for step in self.script:
            if isinstance(step, str):
                return DENIED if "not approved" in str(given) else step
            if not called.issuperset(name for name, _ in step):
                return step
        raise LookupError("the script is over")


def _say(text: str) -> ResponseOutputMessage:
    content = ResponseOutputText(text=text, type="output_text", annotations=[])
    return ResponseOutputMessage(id="message", role="assistant", status="completed", type="message", content=[content])


def _call(name: str, arguments: dict[str, Any]) -> ResponseFunctionToolCall:
    return ResponseFunctionToolCall(
        call_id=f"call-{name}", name=name, arguments=json.dumps(arguments), type="function_call"
    )


def _sizes(given: Any, output: list[Any]) -> tuple[int, int]:
    return len(str(given)) // 4, sum(len(item.model_dump_json()) for item in output) // 4
