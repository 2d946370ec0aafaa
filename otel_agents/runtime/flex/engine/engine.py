"""Executes a segment of a run: its plan, its nodes, its answer; must not know who owns the run, nor who is told."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from otel_agents.runtime.flex.capabilities import Registry
from otel_agents.runtime.flex.engine import nodes
from otel_agents.runtime.flex.engine.attempts import Attempts
from otel_agents.runtime.flex.engine.calls import Outcome
from otel_agents.runtime.flex.engine.clock import Clock
from otel_agents.runtime.flex.engine.decisions import REFUSED, apply
from otel_agents.runtime.flex.engine.endings import NodePaused, described
from otel_agents.runtime.flex.engine.planning import Planning
from otel_agents.runtime.flex.engine.rules import Rules, as_data
from otel_agents.runtime.flex.engine.scene import NodeStatus, Scene
from otel_agents.runtime.flex.engine.walk import Walk
from otel_agents.runtime.flex.envelope import TriggerKind
from otel_agents.runtime.flex.hitl import Answer, Question
from otel_agents.runtime.flex.plan import PlanNode
from otel_agents.runtime.flex.planner import Planner
from otel_agents.runtime.flex.policy import Policies
from otel_agents.runtime.flex.problem import FlexError
from otel_agents.runtime.flex.settings import Settings
from otel_agents.runtime.flex.validation import Validator

TRIGGERS: Final[Mapping[str, TriggerKind]] = {"node_timeout": "onTimeout", "output_invalid": "onValidationFail"}
"""What failed for good -> the policies that are asked."""

INVALID: Final = "The output is not valid. Take it as it is, correct it, or say what should be different."

NodeEnding = Literal["ok", "error", "cancelled", "paused"]
STATUSES: Final[Mapping[NodeEnding, NodeStatus]] = {
    "ok": "executed",
    "error": "failed",
    "cancelled": "cancelled",
    "paused": "paused",
}


@dataclass(frozen=True, slots=True)
class NodeResult:
    """How a node ended.

    Attributes:
        attempts: How often it was tried, counting segments that were cut off.
    """

    status: NodeEnding
    outputs: Mapping[str, Any] | None = None
    attempts: int = 0
    error: Exception | None = None


class Engine:
    """Executes plans. One engine serves all runs of a process."""

    def __init__(
        self,
        registry: Registry,
        planner: Planner,
        settings: Settings,
        *,
        validator: Validator | None = None,
        policies: Policies | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.clock = clock or Clock()
        self.settings = settings
        self.registry = registry
        self.planning = Planning(planner)
        self.rules = Rules(policies or Policies(), self.clock, settings.hitl_expires_s)
        self.attempts = Attempts(registry, validator or Validator(), settings, self.clock)

    async def run(self, scene: Scene, answered: Iterable[tuple[Question, Answer]] = ()) -> Any:
        """Do what is left of a run, and return its output.

        Args:
            answered: What humans decided since the segment before.

        Raises:
            FlexError: The run failed. When a node did, its own error is the cause.
            RunPaused: Humans are asked.
            GivenBack: `scene.leave()` was called.
        """
        decisions = []
        for question, answer in answered:
            apply(scene, question, answer)
            await scene.desk.settle(question, answer)
            decisions.append(answer.decision)
        for decision in decisions:
            if decision in REFUSED:
                raise FlexError(decision, REFUSED[decision])
        return await Walk(self, scene).go()

    async def run_node(self, scene: Scene, node: PlanNode) -> NodeResult:
        """Execute a node with all its attempts. An observer sees it.

        Raises:
            NodePaused: A human is asked.
            Exception: The error of the last attempt, as it was raised.
        """
        payload = {"kind": node.kind, "label": node.label}
        scene.story.tell(scene.story.frame("node_start", node, payload=payload))
        began_s, result = self.clock.monotonic(), NodeResult("cancelled")
        try:
            result = await self._try(scene, node)
        finally:
            stored = self._end(scene, node, result, self.clock.took_ms(began_s))
        await stored
        if result.error is not None:
            raise result.error
        return result

    def attempt_failed(
        self, scene: Scene, node: PlanNode, attempt: int, error: BaseException, *, retried: bool
    ) -> None:
        """Take note of an attempt that failed. An observer sees it; the end of the node tells the last one."""
        if retried:
            payload = {"attempt": attempt, "errorType": type(error).__name__}
            told = payload | {"error": described(error).as_dict()}
            scene.story.tell(scene.story.frame("node_error", node, payload=told))
            scene.story.tell(scene.story.frame("node_retry", node, payload=payload))

    async def _try(self, scene: Scene, node: PlanNode) -> NodeResult:
        """Make the attempts; when none was good, see what the policies want, and whether a human has to look."""

        def failed(attempt: int, error: Exception, again: bool) -> None:  # noqa: FBT001 - a callback
            self.attempt_failed(scene, node, attempt, error, retried=again)

        outcome = await self.attempts.make(scene, node, failed)
        attempts = scene.state(node.id).attempts
        if outcome.error is None:
            return NodeResult("ok", outcome.value, attempts)
        try:
            error = await self._escalate(scene, node, outcome, outcome.error)
        except FlexError as policy_failed:
            error = policy_failed
        return NodeResult("paused" if isinstance(error, NodePaused) else "error", outcome.value, attempts, error)

    async def _escalate(self, scene: Scene, node: PlanNode, outcome: Outcome, error: Exception) -> Exception:
        """Return with what the node ends."""
        if not isinstance(error, FlexError) or error.code not in TRIGGERS:
            return error
        trigger, found = TRIGGERS[error.code], as_data("output", error.details)
        decided = await self.rules.consult(scene, trigger, node, output=outcome.value, validation=found)
        if not decided and error.code == "output_invalid":
            await self.rules.ask(scene, "validation", node, INVALID)
        if scene.is_asked(node.id):
            return NodePaused(node.id)
        if decided:
            scene.excused[node.id] = error
        return error

    def _end(self, scene: Scene, node: PlanNode, result: NodeResult, took_ms: float) -> Awaitable[None]:
        """Tell and store how a node ended."""
        story, state = scene.story, scene.state(node.id)
        payload: dict[str, Any] = {"kind": node.kind, "attempts": state.attempts}
        error = described(result.error) if result.status == "error" and result.error else None
        if error is not None:
            told: dict[str, Any] = {"attempt": state.attempts, "errorType": type(result.error).__name__}
            told |= {"error": error.as_dict()}
            story.tell(story.frame("node_error", node, status=result.status, duration_ms=took_ms, payload=told))
            payload |= {"errorType": told["errorType"]}
        if result.status == "ok" or (result.status == "paused" and result.outputs is not None):
            payload |= {"output": result.outputs}  # who is asked about an output has to see it
        if result.status == "cancelled" and self.registry.get(node.capability).repeatable:
            state.attempts = max(state.attempts - 1, 0)  # it was not the node's fault
        story.tell(story.frame("node_complete", node, status=result.status, duration_ms=took_ms, payload=payload))
        status = STATUSES[result.status]
        if status == "executed" and not scene.has_policies("onNodeComplete") and not scene.is_asked(node.id):
            status = "completed"
        return nodes.settle(scene, node.id, status, result.outputs, error)
