"""OpenTelemetry's own names that we use, copied; must not hold a name that OpenTelemetry does not define.

GenAI conventions: open-telemetry/semantic-conventions-genai, 1.42.0-dev (stability: development).
General conventions: open-telemetry/semantic-conventions 1.42.0.
"""

from __future__ import annotations

from typing import Final

from otel_agents.semconv.model import Attribute, Table, ValueType

VERSION: Final = "1.42.0"

UPSTREAM: Final[Table[Attribute]] = Table()


def _attribute(name: str, type_: ValueType, brief: str, *, field: str = "", values: tuple[str, ...] = ()) -> str:
    UPSTREAM.add(name, Attribute(name, type_, brief, field=field, values=values))
    return name


GEN_AI_OPERATION_NAME: Final = _attribute(
    "gen_ai.operation.name",
    "string",
    "What the operation does, for backends that know the GenAI conventions.",
    values=("invoke_workflow", "invoke_agent", "execute_tool", "plan"),
)
GEN_AI_WORKFLOW_NAME: Final = _attribute("gen_ai.workflow.name", "string", "Name of the run.", field="name")
GEN_AI_AGENT_NAME: Final = _attribute("gen_ai.agent.name", "string", "Name of the agent that works.")
GEN_AI_TOOL_NAME: Final = _attribute("gen_ai.tool.name", "string", "Name of the tool that is executed.")
GEN_AI_TOOL_CALL_ID: Final = _attribute("gen_ai.tool.call.id", "string", "Identifier of the model's tool call.")
GEN_AI_CONVERSATION_ID: Final = _attribute(
    "gen_ai.conversation.id", "string", "The framework's own conversation identifier; never made up."
)
GEN_AI_INPUT_TOKENS: Final = _attribute(
    "gen_ai.usage.input_tokens", "int", "Tokens read by the models called below this operation."
)
GEN_AI_OUTPUT_TOKENS: Final = _attribute(
    "gen_ai.usage.output_tokens", "int", "Tokens written by the models called below this operation."
)
ERROR_TYPE: Final = _attribute(
    "error.type",
    "string",
    "Class of the exception that ended the operation, with its module; _OTHER when it failed without one.",
    field="errorType",
)
OTHER: Final = "_OTHER"  # OpenTelemetry's word for an error without a name
EXCEPTION_TYPE: Final = _attribute("exception.type", "string", "Class of the recorded exception, with its module.")
EXCEPTION_STACKTRACE: Final = _attribute(
    "exception.stacktrace", "string", "Frames of the recorded exception; its message only with content capture."
)
EXCEPTION_MESSAGE: Final = _attribute(
    "exception.message", "string", "Message of the recorded exception; only with content capture."
)
