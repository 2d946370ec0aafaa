"""Makes a claimed run ready to go on, from what the store holds; must not know what is done with it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, cast

from otel_agents.runtime.flex.coordinator.segment import Live, Segment
from otel_agents.runtime.flex.engine import Clock, NodeState, NodeStatus, Scene, Story, changed
from otel_agents.runtime.flex.envelope import TaskEnvelope
from otel_agents.runtime.flex.hitl import Answer, Decision, Desk, Origin, Question
from otel_agents.runtime.flex.plan import PlanGraph
from otel_agents.runtime.flex.policy import PolicyBook
from otel_agents.runtime.flex.store import Cancel, NodeRow, QuestionRow, RunRow, Store

MAX_OPEN: Final = 1000


@dataclass(frozen=True, slots=True)
class Claimed:
    """A run that nobody else may run now; `was_paused` unless it was left in the middle, or never began."""

    run_id: str
    epoch: int
    was_paused: bool


async def open_segment(claimed: Claimed, store: Store, clock: Clock, patience_s: float) -> Live:
    """Return the segment that was just claimed, with all that is known of its run.

    Raises:
        FlexError: `store_unavailable`.
    """
    run_id = claimed.run_id
    run = await store.runs.get(run_id)
    if run.cancel_requested_at is not None:
        await _close_questions(store, run_id)
    asked = await store.questions.of(run_id)
    graph = await store.runs.plan(run_id)
    envelope = await asyncio.to_thread(TaskEnvelope.load, run.envelope)
    story = Story(store, run_id, run.correlation_id, claimed.epoch, patience_s, clock)
    story.plan_version, story.seq = run.plan_version, run.last_seq
    scene = Scene(
        envelope=_as_changed(envelope, asked),
        story=story,
        desk=Desk(story),
        book=await asyncio.to_thread(PolicyBook, envelope.policies.runtime, await store.policies.counts(run_id)),
        plan=PlanGraph.from_dict(graph) if graph else None,
        nodes={row.node_id: _state(row, asked) for row in (await store.nodes.of(run_id)).values()},
        questions={row.id: as_question(row) for row in asked if row.decision is None},
    )
    scene.is_fresh = not scene.nodes and not asked
    answered = tuple((as_question(row), as_answer(row)) for row in asked if row.decision and row.settled_at is None)
    live = Live(_segment(run, claimed, envelope), scene, answered)
    if run.cancel_requested_at is not None:
        live.ask_to_cancel(Cancel(run_id, run.cancel_source or "", run.cancel_requested_at))
    return live


async def _close_questions(store: Store, run_id: str) -> None:
    """Let nobody answer any more what does not matter any more."""
    for row in await store.questions.pending(run_id=run_id, limit=MAX_OPEN):
        await store.questions.answer(row.id, "expired")


def _segment(run: RunRow, claimed: Claimed, envelope: TaskEnvelope) -> Segment:
    return Segment(
        run_id=run.run_id,
        correlation_id=run.correlation_id,
        name=run.name,
        client_id=run.client_id,
        plan_version=run.plan_version,
        resumed=run.last_seq > 0,
        interrupted=run.last_seq > 0 and not claimed.was_paused,
        epoch=claimed.epoch,
        envelope=envelope,
    )


def _state(row: NodeRow, asked: Iterable[QuestionRow]) -> NodeState:
    settled = [each for each in asked if each.node_id == row.node_id and each.settled_at is not None]
    said = [each.text for each in settled if each.text]
    return NodeState(
        status=cast("NodeStatus", row.status),
        attempts=row.attempts,
        outputs=row.outputs,
        feedback=said[-1] if said else None,
        is_approved=any(each.decision == "approved" for each in settled),
    )


def _as_changed(envelope: TaskEnvelope, asked: Iterable[QuestionRow]) -> TaskEnvelope:
    """Return the task with what answers changed in it that were acted on."""
    for row in asked:
        if row.node_id is None and row.settled_at is not None:
            envelope = changed(envelope, as_answer(row))
    return envelope


def as_question(row: QuestionRow) -> Question:
    """Return the question of a row."""
    return Question(
        id=row.id,
        run_id=row.run_id,
        origin=cast("Origin", row.origin),
        asked_at=row.asked_at,
        node_id=row.node_id,
        capability_id=row.capability_id,
        prompt=row.prompt,
        plan_version=row.plan_version,
        provenance=row.provenance,
        expires_at=row.expires_at,
    )


def as_answer(row: QuestionRow) -> Answer:
    """Return the answer of a row that has one."""
    return Answer(cast("Decision", row.decision), row.value, row.text, row.by, row.answered_at)
