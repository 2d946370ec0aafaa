"""What models use and what they return that is not valid; must not know tasks."""

from __future__ import annotations

from typing import Any, Final

from otel_agents.adapters.langgraph import frames as f
from otel_agents.operation import Operation
from otel_agents.patching.table import Call
from otel_agents.recorder import RECORDER
from otel_agents.semconv import agents as a
from otel_agents.semconv import events as e

OUTPUT: Final = "output"
INVALID: Final = (
    "langchain.agents.structured_output:StructuredOutputValidationError",
    "langchain.agents.structured_output:MultipleStructuredOutputsError",
)
CAUSES: Final = 8  # exceptions that are looked at, from the outermost inwards


def before_model_end(call: Call) -> None:
    """A model call ended well: count its tokens, unless the answer came from a cache."""
    if f.inside() is None:
        return
    used = _usage(call.argument("response"))
    if used != (0, 0):
        RECORDER.use(*used)


def after_invalid_output(_: None, call: Call, result: Any) -> None:
    """A structured output is not valid; ``result`` says whether the model is asked again."""
    operation = f.inside()
    if operation is not None:
        tell_invalid(operation, call.argument("exception"), is_retried=result[0] is True)


def tell_invalid(operation: Operation, error: BaseException, *, is_retried: bool) -> None:
    """Tell of an invalid output, once: the error that is not retried leaves the task that asked the model."""
    mine, agent = f.around(operation), f.above(operation)
    if mine is None or agent is None or mine.error is error:
        return
    mine.error = error
    agent.invalid += 1
    values: dict[str, object] = {
        a.FLEX_VALIDATION_SCOPE: OUTPUT,
        a.FLEX_VALIDATION_ERROR_COUNT: error_count(error),
        a.FLEX_VALIDATION_ATTEMPT: agent.invalid,
    }
    if is_retried:
        values[a.FLEX_VALIDATION_RETRIED] = True
    RECORDER.fact(e.VALIDATION_ERROR, values, operation=operation)


def error_count(error: BaseException | None) -> int:
    """Return how many errors a validation found; 1 where its exception does not say."""
    for _ in range(CAUSES):
        if error is None:
            break
        count = getattr(error, "error_count", None)
        if callable(count):
            return int(count())
        error = getattr(error, "source", None) or error.__cause__
    return 1


def _usage(response: Any) -> tuple[int, int]:
    message = getattr(response.generations[0][0], "message", None)
    if message is not None:
        usage = message.usage_metadata or {}
        # A cache of answers marks what it returns by a cost: no model was called.
        return (0, 0) if "total_cost" in usage else _pair(usage, "input_tokens", "output_tokens")
    return _pair((response.llm_output or {}).get("token_usage") or {}, "prompt_tokens", "completion_tokens")


def _pair(usage: Any, *names: str) -> tuple[int, int]:
    counted = [int(usage.get(name) or 0) for name in names]
    return counted[0], counted[1]
