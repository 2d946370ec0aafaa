"""A program on the OpenAI Agents SDK to be watched: a desk, a researcher, an editor; it must not know who watches.

One run is 25 nodes: the desk with 2 turns, the researcher with 3, the editor twice with 1, 12 lookups, and the 2 tools
that are the editor. A guardrail looks at the input, one at the output, and the desk hands over to the researcher.
The model answers at once and always the same, so that nothing is measured but the SDK and who watches it. It tells the
SDK's tracing of its calls, as the SDK's own models do.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Final

from agents import (
    Agent,
    GuardrailFunctionOutput,
    Model,
    ModelResponse,
    Runner,
    Usage,
    function_tool,
    generation_span,
    input_guardrail,
    output_guardrail,
    set_trace_processors,
)
from openai.types.responses import (
    Response,
    ResponseCompletedEvent,
    ResponseFunctionToolCall,
    ResponseOutputMessage,
    ResponseOutputText,
    ResponseUsage,
)
from openai.types.responses.response_usage import InputTokensDetails, OutputTokensDetails

TOPICS: Final = ("exports", "dates", "tokens", "menus", "search", "fonts")
EDITED: Final = TOPICS[:2]
REPORT: Final = f"All about {', '.join(TOPICS)}."
NODES: Final = 25
POLICIES: Final = 2
HANDOFFS: Final = 1
TURNS: Final = 7
IN, OUT = 20, 5  # tokens of a turn
Steps = tuple[tuple[ResponseFunctionToolCall, ...], ...]

set_trace_processors([])  # what the SDK traces goes nowhere, until somebody adds a processor


def call(name: str, **arguments: str) -> ResponseFunctionToolCall:
    """Make a call, whose id says what it asks for."""
    call_id = "-".join((name, *arguments.values()))
    return ResponseFunctionToolCall(call_id=call_id, name=name, arguments=json.dumps(arguments), type="function_call")


def say(text: str) -> ResponseOutputMessage:
    """Make an answer in words."""
    content = ResponseOutputText(text=text, type="output_text", annotations=[])
    return ResponseOutputMessage(id="message", role="assistant", status="completed", type="message", content=[content])


class Script(Model):
    """Make the calls of the first step that was not done yet, then say something."""

    def __init__(self, text: str, *steps: tuple[Any, ...]) -> None:
        self._text = text
        self._steps = steps

    def _answer(self, given: Any) -> list[Any]:
        done = set() if isinstance(given, str) else {each.get("call_id") for each in given if "output" in each}
        following = (list(step) for step in self._steps if step[0].call_id not in done)
        return next(following, [say(self._text)])

    async def get_response(self, system_instructions: object, input: Any, *_: Any, **__: Any) -> ModelResponse:  # noqa: A002
        with generation_span(model="script") as span:
            usage = Usage(requests=1, input_tokens=IN, output_tokens=OUT, total_tokens=IN + OUT)
            span.span_data.usage = {"input_tokens": IN, "output_tokens": OUT}
            return ModelResponse(output=self._answer(input), usage=usage, response_id=None)

    async def stream_response(
        self,
        system_instructions: object,
        input: Any,  # noqa: A002
        *_: Any,
        **__: Any,
    ) -> AsyncIterator[Any]:
        with generation_span(model="script") as span:
            span.span_data.usage = {"input_tokens": IN, "output_tokens": OUT}
            response = _response(self._answer(input))
            yield ResponseCompletedEvent(type="response.completed", sequence_number=0, response=response)


def _response(output: list[Any]) -> Response:
    usage = ResponseUsage(
        input_tokens=IN,
        input_tokens_details=InputTokensDetails(cached_tokens=0, cache_write_tokens=0),
        output_tokens=OUT,
        output_tokens_details=OutputTokensDetails(reasoning_tokens=0),
        total_tokens=IN + OUT,
    )
    return Response(
        id="response",
        created_at=0,
        model="script",
        object="response",
        output=output,
        tool_choice="auto",
        tools=[],
        parallel_tool_calls=False,
        usage=usage,
    )


@function_tool
async def look_up(topic: str) -> str:
    """Look a topic up."""
    return f"All about {topic}."


@function_tool
async def check(topic: str) -> str:
    """Check a topic."""
    return f"{topic} is right."


@input_guardrail
async def polite(context: object, agent: object, given: object) -> GuardrailFunctionOutput:
    """Let everything pass."""
    return GuardrailFunctionOutput(output_info=None, tripwire_triggered=False)


@output_guardrail
async def short(context: object, agent: object, output: object) -> GuardrailFunctionOutput:
    """Let everything pass."""
    return GuardrailFunctionOutput(output_info=None, tripwire_triggered=False)


def desk() -> Agent:
    """Return the agent that a run begins with."""
    editor: Agent = Agent(name="editor", model=Script("Edited."))
    checks, edits = ([call(name, **{key: topic}) for topic in topics] for name, key, topics in CALLS)
    researcher: Agent = Agent(
        name="researcher",
        model=Script(REPORT, tuple(checks), tuple(edits)),
        tools=[check, editor.as_tool("edit", "Have a text edited.")],
        output_guardrails=[short],
    )
    lookups = tuple(call("look_up", topic=topic) for topic in TOPICS)
    return Agent(
        name="desk",
        model=Script("", lookups, (call("transfer_to_researcher"),)),
        tools=[look_up],
        handoffs=[researcher],
        input_guardrails=[polite],
    )


CALLS: Final = (("check", "topic", TOPICS), ("edit", "input", EDITED))


def runs() -> Mapping[str, Callable[[], Awaitable[str]]]:
    """Return the ways to run the program; each run returns ``REPORT``."""
    first = desk()

    async def run() -> str:
        return str((await Runner.run(first, "Report, please.")).final_output)

    async def streamed() -> str:
        result = Runner.run_streamed(first, "Report, please.")
        async for _ in result.stream_events():
            pass
        return str(result.final_output)

    return {"run": run, "streamed": streamed}
