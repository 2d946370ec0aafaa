"""A chat model that answers from a script: no key, no network, the same answers every time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolCall
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatResult


def _todos(*topics: str) -> dict[str, Any]:
    return {"todos": [{"content": topic, "status": "pending"} for topic in topics]}


def _calls(tool: str, args: dict[str, Any], call_id: str) -> AIMessage:
    return AIMessage("", tool_calls=[ToolCall(name=tool, args=args, id=call_id)])


def _notes(*highlights: str) -> dict[str, Any]:
    return {"headline": "Release 2.4 is faster and safer", "highlights": list(highlights)}


# One list per role; every call of the role takes the next answer.
SCRIPTS: dict[str, tuple[AIMessage, ...]] = {
    "planner": (
        _calls("write_todos", _todos("features", "fixes"), "plan-1"),
        _calls("list_topics", {"release": "2.4"}, "topics-1"),
        _calls("write_todos", _todos("features", "fixes", "security"), "plan-2"),
        AIMessage("Three topics to research."),
    ),
    "researcher features": (AIMessage("Exports run twice as fast."),),
    "researcher fixes": (AIMessage("Dates no longer shift by a day."),),
    "researcher security": (AIMessage("Tokens expire, thanks to ada@example.org."),),
    "triage": (_calls("transfer_to_writer", {}, "handoff-1"),),
    "writer": (
        _calls("house_style", {}, "style-1"),
        _calls("ReleaseNotes", _notes("Faster exports"), "notes-1"),
        _calls("ReleaseNotes", _notes("Faster exports", "Right dates", "Tokens expire"), "notes-2"),
    ),
}


def _turn(script: Sequence[AIMessage], messages: Sequence[BaseMessage]) -> int:
    """Count the answers of the script that the conversation already holds."""
    own = {call["id"] for answer in script for call in answer.tool_calls}
    said = [call["id"] for m in messages if isinstance(m, AIMessage) for call in m.tool_calls]
    return sum(call_id in own for call_id in said)


def _words(message: BaseMessage) -> int:
    return len(f"{message.text} {getattr(message, 'tool_calls', '')}".split())


class ScriptedModel(BaseChatModel):
    """Play one role of SCRIPTS, with token counts made of words."""

    role: str
    pace: float = 0.0

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> ScriptedModel:
        """Accept tools: the script already knows which ones it calls."""
        return self

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        time.sleep(self.pace)
        script = SCRIPTS[self.role]
        answer = script[_turn(script, messages)].model_copy()
        tokens_in, tokens_out = sum(map(_words, messages)), _words(answer)
        answer.usage_metadata = UsageMetadata(
            input_tokens=tokens_in, output_tokens=tokens_out, total_tokens=tokens_in + tokens_out
        )
        return ChatResult(generations=[ChatGeneration(message=answer)])
