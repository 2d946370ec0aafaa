"""Gets a plan from the planner, attempt by attempt, and puts it in force; must not know how plans are executed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from otel_agents.runtime.flex.engine import nodes
from otel_agents.runtime.flex.engine.scene import Scene
from otel_agents.runtime.flex.plan import PlanGraph
from otel_agents.runtime.flex.planner import Phase, Planner, PlanRejected, PlanRequest


@dataclass(frozen=True, slots=True)
class Planning:
    """The planner, asked on behalf of runs."""

    planner: Planner

    async def make(
        self, scene: Scene, phase: Phase, trigger: str | None = None, then: Callable[[], object] = lambda: None
    ) -> None:
        """Put a plan in force: the first one, another one, or after a pause the one that was there.

        Args:
            then: Called when there is a plan; what it writes is stored together with the plan.

        Raises:
            PlanRejected: No attempt was good enough.
        """
        attempts = 1 if phase == "resume" else self.planner.attempts
        rejected: PlanRejected | None = None
        for attempt in range(1, attempts + 1):
            request = PlanRequest(
                run_id=scene.run_id,
                phase=phase,
                envelope=scene.envelope,
                attempt=attempt,
                previous=scene.plan,
                trigger=trigger,
                done=scene.outputs("completed", "executed"),
                failed=_failed(scene),
                diagnostics=rejected.diagnostics if rejected else (),
            )
            _tell(scene, "plan_requested", {"phase": phase, "attempt": attempt})
            began_s = scene.story.clock.monotonic()
            try:
                graph = await self.planner.plan(request)
            except PlanRejected as error:
                rejected = error
                _tell_rejected(scene, error, began_s)
            else:
                then()
                if phase != "resume":
                    await _accept(scene, graph, trigger, began_s)
                return
        raise rejected or PlanRejected((), attempts)


async def _accept(scene: Scene, graph: PlanGraph, trigger: str | None, began_s: float) -> None:
    took_ms = scene.story.clock.took_ms(began_s)
    before, scene.plan = scene.plan, graph
    story = scene.story
    story.plan_version = graph.version
    kept = scene.outputs("completed", "executed", "paused").keys() & graph.by_id.keys()
    nodes.reset(scene, [node_id for node_id in scene.nodes if node_id not in kept])
    story.write(lambda: story.store.runs.set_plan(story.run_id, story.epoch, graph.as_dict(), trigger))
    payload: dict[str, Any] = {"version": graph.version, "nodeCount": len(graph.nodes), "nodes": graph.summary()}
    if before is None:
        await _tell(scene, "plan_generated", payload, took_ms)
    else:
        payload = {"previousVersion": before.version, "version": graph.version, "trigger": trigger} | payload
        await _tell(scene, "plan_updated", payload, took_ms)


def _tell_rejected(scene: Scene, error: PlanRejected, began_s: float) -> None:
    payload = {
        "attempt": error.attempt,
        "diagnosticCount": len(error.diagnostics),
        "codes": sorted({each.code for each in error.diagnostics}),
        "diagnostics": [each.as_dict() for each in error.diagnostics],
    }
    _tell(scene, "plan_rejected", payload, scene.story.clock.took_ms(began_s))


def _tell(scene: Scene, frame_type: str, payload: Mapping[str, Any], took_ms: float | None = None) -> Awaitable[None]:
    """Tell of an attempt: that it begins, or how long it took; a plan that is no good is an answer, and no error."""
    status = None if took_ms is None else "ok"
    return scene.story.tell(scene.story.frame(frame_type, status=status, duration_ms=took_ms, payload=payload))


def _failed(scene: Scene) -> tuple[str, ...]:
    """Return the capabilities of nodes that failed, so that another plan may do without them."""
    failed = [node_id for node_id, state in scene.nodes.items() if state.status == "failed"]
    by_id = scene.plan.by_id if scene.plan else {}
    return tuple(dict.fromkeys(by_id[node_id].capability for node_id in failed if node_id in by_id))
