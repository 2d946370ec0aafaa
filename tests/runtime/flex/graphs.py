"""Small registries, requests and plans to test with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from otel_agents.runtime.flex.capabilities import Capability, Registry, Task
from otel_agents.runtime.flex.capabilities.shipped import shipped
from otel_agents.runtime.flex.envelope import TaskEnvelope, read_envelope
from otel_agents.runtime.flex.facets import Facet
from otel_agents.runtime.flex.plan import PlanGraph, PlanNode, bundle_for
from otel_agents.runtime.flex.plan_request import PlanRequest
from otel_agents.runtime.flex.planner import Planner


def nothing(task: Task) -> Mapping[str, Any]:
    """Do no work."""
    return {}


def capability(capability_id: str, takes: tuple[str, ...], gives: tuple[str, ...], **more: Any) -> Capability:
    """Return a capability that does nothing."""
    return Capability(
        id=capability_id, label=capability_id, kind="tool", input=takes, output=gives, run=nothing, **more
    )


def registry(*capabilities: Capability, facets: tuple[str, ...] = ()) -> Registry:
    """Return a registry of these only, with facets of any shape."""
    made = Registry(Facet(name, name.title()) for name in facets)
    for each in capabilities:
        made.add(each)
    return made


def request(envelope: Mapping[str, Any] | TaskEnvelope, **more: Any) -> PlanRequest:
    """Return a request for a plan."""
    read = envelope if isinstance(envelope, TaskEnvelope) else read_envelope({"objective": "x", **envelope})
    return PlanRequest(run_id="r", envelope=read, **{"phase": "initial", **more})


def node(node_id: str, *depends_on: str, **more: Any) -> PlanNode:
    """Return a node that is named like its capability."""
    named = {"capability": node_id, "label": node_id, "kind": "tool", "depends_on": depends_on}
    return PlanNode(id=node_id, **{**named, **more})


async def plan(envelope: Mapping[str, Any], registry: Registry | None = None, **more: Any) -> PlanGraph:
    """Return an accepted plan."""
    return await Planner(registry or shipped()).plan(request(envelope, **more))


async def carry_out(graph: PlanGraph, envelope: TaskEnvelope, registry: Registry) -> dict[str, dict[str, Any]]:
    """Run all nodes by hand, in order, holding each to its contract; return what they gave."""
    done: dict[str, dict[str, Any]] = {}
    for each in graph.order():
        bundle = bundle_for(each, envelope, done)
        assert registry.input_schema(each.capability).details(bundle.facets) == ()
        found = registry.get(each.capability).run(Task("r", each.id, 1, bundle))
        outputs = dict(found if isinstance(found, Mapping) else await found)
        assert registry.output_schema(each.capability).details(outputs) == ()
        done[each.id] = outputs
    return done
