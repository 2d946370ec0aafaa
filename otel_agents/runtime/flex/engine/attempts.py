"""The attempts at one node: bounded, spaced, their outputs checked; must not know the graph or what comes after."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any, Final

from otel_agents.runtime.flex.capabilities import Capability, CapabilityError, Registry, Task
from otel_agents.runtime.flex.document import read_document
from otel_agents.runtime.flex.engine.calls import Outcome, call
from otel_agents.runtime.flex.engine.clock import Clock
from otel_agents.runtime.flex.engine.scene import Scene
from otel_agents.runtime.flex.facets import ContextBundle
from otel_agents.runtime.flex.plan import PlanNode, bundle_for
from otel_agents.runtime.flex.problem import Detail, FlexError
from otel_agents.runtime.flex.schema import Schema
from otel_agents.runtime.flex.settings import Settings
from otel_agents.runtime.flex.validation import Scope, Validator

MAX_BACKOFF_S: Final = 60.0

Failed = Callable[[int, Exception, bool], None]


@dataclass(frozen=True, slots=True)
class Attempts:
    """How nodes are tried."""

    registry: Registry
    validator: Validator
    settings: Settings
    clock: Clock

    async def make(self, scene: Scene, node: PlanNode, failed: Failed) -> Outcome:
        """Return what the last attempt gave: outputs, or why there are none. For invalid outputs it is both.

        Args:
            failed: Told of each attempt that failed: its number, the error, and whether there is another.
        """
        capability, state = self.registry.get(node.capability), scene.state(node.id)
        bundle = bundle_for(node, scene.envelope, scene.done)
        details = await self.check(scene, node, "input", self.registry.input_schema(capability.id), bundle.facets)
        details = tuple(each for each in details if not _is_approved(scene, node, each))
        if details:
            return Outcome(error=FlexError("node_failed", f"Node {node.id} was given what it does not take", details))
        limit, timeout_s = self.limit(scene, capability), self._timeout_s(scene, capability)
        while True:
            await self._start(scene, node)
            task = Task(scene.run_id, node.id, state.attempts, await asyncio.to_thread(_own, bundle), state.feedback)
            may_again = state.attempts < limit
            outcome = await call(capability.run, task, timeout_s)
            outcome = await self._checked(scene, node, outcome, retried=may_again)
            if outcome.error is None:
                return outcome
            again = may_again and getattr(outcome.error, "retryable", True)
            failed(state.attempts, outcome.error, again)
            if not again:
                return outcome
            await self.clock.sleep(self._pause_s(capability, state.attempts, outcome.error))

    async def _start(self, scene: Scene, node: PlanNode) -> None:
        """Note that another attempt begins, before it does."""
        state, story = scene.state(node.id), scene.story
        state.attempts += 1
        state.status, state.outputs, attempt = "running", None, state.attempts
        await story.write(
            lambda: story.store.nodes.started(
                story.run_id, story.epoch, node.id, capability=node.capability, attempt=attempt
            )
        )

    async def _checked(self, scene: Scene, node: PlanNode, outcome: Outcome, *, retried: bool) -> Outcome:
        """Hold outputs against the contract of the node."""
        if outcome.error is not None:
            return outcome
        if not isinstance(outcome.value, Mapping):
            return Outcome(error=CapabilityError(f"The work returned {type(outcome.value).__name__}, not a mapping"))
        try:
            value = await asyncio.to_thread(read_document, outcome.value)
        except FlexError as error:
            return Outcome(error=FlexError("node_failed", "The output is no JSON that can be stored", error.details))
        schema = self.registry.output_schema(node.capability)
        details = await self.check(scene, node, "output", schema, value, retried=retried)
        if not details:
            return Outcome(value)
        return Outcome(value, FlexError("output_invalid", f"The output of node {node.id} is not valid", details))

    async def check(
        self, scene: Scene, node: PlanNode | None, scope: Scope, schema: Schema, value: object, *, retried: bool = False
    ) -> tuple[Detail, ...]:
        """Validate a value, and tell what is wrong with it."""
        attempt, began_s = max(scene.state(node.id).attempts, 1) if node else 1, self.clock.monotonic()
        details = await self.validator.validate(scope, schema, value, attempt, retried=retried)
        if details:
            payload: dict[str, Any] = {"scope": scope, "errorCount": len(details), "attempt": attempt}
            payload |= {"retried": True} if retried else {}
            payload["details"] = [{"path": detail.path, "message": detail.message} for detail in details]
            took = self.clock.took_ms(began_s)
            scene.story.tell(
                scene.story.frame("validation_error", node, status="ok", duration_ms=took, payload=payload)
            )
        return details

    def limit(self, scene: Scene, capability: Capability) -> int:
        """Return how often a node of this capability may be tried."""
        if not capability.repeatable:
            return 1
        return scene.envelope.constraints.max_attempts or capability.attempts or self.settings.max_attempts

    def _timeout_s(self, scene: Scene, capability: Capability) -> float:
        return scene.envelope.constraints.node_timeout_seconds or capability.timeout_s or self.settings.node_timeout_s

    def _pause_s(self, capability: Capability, attempt: int, error: Exception) -> float:
        """Return the seconds until the next attempt: what the other side asked for, else doubled each time.

        A random half of it is taken off, so that those who failed together do not come back together.
        """
        asked_s = error.retry_after_s if isinstance(error, CapabilityError) else None
        if asked_s is not None:
            return min(asked_s, MAX_BACKOFF_S)
        return min(capability.backoff_s * 2.0 ** (attempt - 1), MAX_BACKOFF_S) * (1 + self.clock.chance()) / 2


def _own(bundle: ContextBundle) -> ContextBundle:
    """Return a bundle of one's own: what foreign work does to it changes nothing for others, nor for the next try."""
    return replace(bundle, facets=deepcopy(dict(bundle.facets)))


def _is_approved(scene: Scene, node: PlanNode, detail: Detail) -> bool:
    """Tell whether what is wrong with an input is in an output that a human took as it is: his word stands."""
    sources = node.inputs.get(detail.path.partition("/")[2].partition("/")[0], ())
    return bool(sources) and all(
        source.node in scene.nodes and scene.nodes[source.node].is_approved for source in sources
    )
