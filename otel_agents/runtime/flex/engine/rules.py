"""Asks the caller's policies what to do, and begins to do it; must not know how the graph is walked."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from otel_agents.runtime.flex.engine.clock import Clock
from otel_agents.runtime.flex.engine.scene import Ruling, Scene
from otel_agents.runtime.flex.envelope import Emit, Fail, Goto, Hitl, Pause, Policy, Replan, TriggerKind
from otel_agents.runtime.flex.hitl import Origin, Question
from otel_agents.runtime.flex.plan import PlanNode
from otel_agents.runtime.flex.policy import Policies, Subject
from otel_agents.runtime.flex.problem import Detail, FlexError


class Rules:
    """The policies of runs, carried out."""

    def __init__(self, policies: Policies, clock: Clock, expires_s: float | None) -> None:
        self._policies = policies
        self._clock = clock
        self._expires_s = expires_s

    async def consult(
        self, scene: Scene, kind: TriggerKind, node: PlanNode | None = None, *, only: str | None = None, **data: Any
    ) -> bool:
        """Act on the policies that apply; whether one of them decided how the run goes on.

        Args:
            only: The one policy that is meant.
            data: What conditions see beside run, node, inputs and metadata.

        Raises:
            FlexError: `policy_failed`: a policy ended the run.
        """
        if not scene.has_policies(kind):
            return False
        subject = _subject(scene, node, data)
        matches = await asyncio.to_thread(scene.book.match, kind, subject, only)  # conditions may take a while
        for complaint in matches.complaints:
            scene.note(complaint, node)
        decided = False
        for policy in matches.policies:
            if scene.book.may(policy):  # another node may have been faster
                began_s = self._clock.monotonic()
                action = await self._policies.act(policy, kind, scene, node)
                _tell(scene, policy, kind, node, self._clock.took_ms(began_s))
                await self._perform(scene, policy, node)
                decided |= action.type != "emit"
        return decided

    async def ask(
        self, scene: Scene, origin: Origin, node: PlanNode | None, prompt: str | None = None, in_s: float | None = None
    ) -> None:
        """Ask a human about the run, or about the output of a node."""
        now, in_s = self._clock.wall(), in_s or self._expires_s
        question = Question(
            id=uuid4().hex,
            run_id=scene.run_id,
            origin=origin,
            asked_at=now,
            node_id=node.id if node else None,
            capability_id=node.capability if node else None,
            prompt=prompt,
            plan_version=scene.story.plan_version,
            provenance=node.provenance if node else None,
            expires_at=now + in_s if in_s else None,
        )
        scene.questions[question.id] = question
        await scene.desk.ask(question)

    async def _perform(self, scene: Scene, policy: Policy, node: PlanNode | None) -> None:
        action = policy.action
        if isinstance(action, Replan | Goto):
            # Counted in the store when it is carried out: a crash in between must not lose it.
            scene.rulings.append(Ruling(policy, action, node))
            return
        fired(scene, policy)
        match action:
            case Hitl():
                await self.ask(scene, "policy", node, action.prompt, action.expires_in_seconds)
            case Pause():
                await self.ask(scene, "pause", node, in_s=action.expires_in_seconds)
            case Emit():
                scene.note(action.message, node)
            case Fail():
                raise FlexError("policy_failed", action.message or f"Policy {policy.id} ended the run")


def fired(scene: Scene, policy: Policy) -> None:
    """Count in the store that a policy acted, together with what it did."""
    story = scene.story
    story.write(lambda: story.store.policies.fired(story.run_id, story.epoch, policy.id))


def _tell(scene: Scene, policy: Policy, kind: TriggerKind, node: PlanNode | None, took_ms: float) -> None:
    payload = {"policyId": policy.id, "trigger": kind, "action": policy.action.type}
    frame = scene.story.frame("policy_triggered", node, status="ok", duration_ms=took_ms, payload=payload)
    scene.story.tell(frame)


def _subject(scene: Scene, node: PlanNode | None, data: Mapping[str, Any]) -> Subject:
    envelope, story = scene.envelope, scene.story
    known: dict[str, Any] = {
        "run": {"id": scene.run_id, "correlationId": story.correlation_id, "planVersion": story.plan_version},
        "inputs": envelope.inputs,
        "metadata": envelope.metadata.model_dump(by_alias=True, exclude_none=True),
        **data,
    }
    if node is None:
        return Subject(data=known)
    known["node"] = {
        "id": node.id,
        "capabilityId": node.capability,
        "kind": node.kind,
        "attempts": scene.state(node.id).attempts,
    }
    return Subject(node.id, node.capability, node.kind, known)


def as_data(scope: str, details: tuple[Detail, ...]) -> dict[str, Any]:
    """Return what conditions see of a validation."""
    told = [{"path": detail.path, "message": detail.message} for detail in details]
    return {"scope": scope, "errorCount": len(details), "details": told}
