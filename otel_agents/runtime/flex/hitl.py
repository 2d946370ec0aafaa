"""Questions to humans and their answers, as they are asked and acted on inside a segment; must not know who answers."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal, Protocol

from otel_agents.runtime.flex.frames import timestamp

Origin = Literal["policy", "pause", "validation"]
Decision = Literal["approved", "edited", "rejected", "responded", "expired"]

MS: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a run waits for.

    Attributes:
        node_id: Whose output is in question; none when it is about the run as a whole.
        origin: A policy wants a human to look, a policy wants a pause, or an output stays invalid.
        asked_at: Wall clock seconds; the same for the next one.
        expires_at: When it counts as answered with `expired`; never without.
    """

    id: str
    run_id: str
    origin: Origin
    asked_at: float
    node_id: str | None = None
    capability_id: str | None = None
    prompt: str | None = None
    plan_version: int | None = None
    provenance: Mapping[str, Any] | None = None
    expires_at: float | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a human decided.

    Attributes:
        value: With `edited`: the node's output instead, or inputs of the run to change.
        text: With `responded`: what should be done differently.
        by: Who decided.
        at: When, in wall clock seconds.
    """

    decision: Decision
    value: Any = None
    text: str | None = None
    by: str | None = None
    at: float | None = None


class Story(Protocol):
    """Where the segment writes what happens, in order."""

    def asked(self, question: Question, payload: Mapping[str, Any]) -> Awaitable[None]:
        """Store a question together with its frame."""
        ...

    def settled(self, question: Question, payload: Mapping[str, Any]) -> Awaitable[None]:
        """Store that a question was acted on together with its frame."""
        ...


class Desk:
    """Where a segment asks, and takes note of answers. An observer sees both."""

    def __init__(self, story: Story) -> None:
        self._story = story

    async def ask(self, question: Question) -> None:
        """Ask: the question is stored when this returns."""
        payload: dict[str, Any] = {"requestId": question.id, "origin": question.origin}
        payload |= {"pendingNodeId": question.node_id} if question.node_id else {}
        payload |= {"prompt": question.prompt} if question.prompt else {}
        payload |= {"expiresAt": _rfc3339(question.expires_at)} if question.expires_at else {}
        await self._story.asked(question, payload)

    async def settle(self, question: Question, answer: Answer) -> None:
        """Take note that the segment acts on an answer: once for each question."""
        waited_s = max((answer.at or question.asked_at) - question.asked_at, 0.0)
        payload = {"requestId": question.id, "decision": answer.decision, "waitMs": round(waited_s * MS, 3)}
        await self._story.settled(question, payload)


def _rfc3339(moment_s: float) -> str:
    return timestamp(datetime.fromtimestamp(moment_s, UTC))
