"""What is wrong with a plan, told in full, so that the next attempt can do better; must not know who made the plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from otel_agents.runtime.flex.capabilities import ANY, Capability, Registry
from otel_agents.runtime.flex.envelope import TaskEnvelope
from otel_agents.runtime.flex.facets import GIVEN
from otel_agents.runtime.flex.plan import ENVELOPE, PlanGraph, PlanNode, Source

MAX_NODES: Final = 100


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One thing that is wrong with a plan; `node_id` is empty for the whole."""

    code: str
    node_id: str
    message: str

    def as_dict(self) -> dict[str, str]:
        """Return plain JSON."""
        return {"code": self.code, "nodeId": self.node_id, "message": self.message}


def diagnose(graph: PlanGraph, registry: Registry, envelope: TaskEnvelope) -> tuple[Diagnostic, ...]:
    """Return all that is wrong with a plan; nothing means that it can be executed.

    Codes: `empty_plan`, `too_many_nodes`, `duplicate_node`, `unknown_capability`, `forbidden_capability`,
    `required_capability`, `unknown_node`, `missing_facet`, `cycle`, `unreachable_output`.
    """
    return tuple(found for rule in _RULES for found in rule(graph, registry, envelope))


Findings = Iterator[Diagnostic]


def _size(graph: PlanGraph, registry: Registry, envelope: TaskEnvelope) -> Findings:
    allowed = min(envelope.policies.planner.max_nodes or MAX_NODES, MAX_NODES)
    if not graph.nodes:
        yield Diagnostic("empty_plan", "", "has no node")
    if len(graph.nodes) > allowed:
        yield Diagnostic("too_many_nodes", "", f"has {len(graph.nodes)} nodes, {allowed} are allowed")


def _duplicates(graph: PlanGraph, registry: Registry, envelope: TaskEnvelope) -> Findings:
    for node_id, count in Counter(node.id for node in graph.nodes).items():
        if count > 1 or node_id == ENVELOPE:
            yield Diagnostic("duplicate_node", node_id, "is the id of more than one node")


def _capabilities(graph: PlanGraph, registry: Registry, envelope: TaskEnvelope) -> Findings:
    wishes, used = envelope.policies.planner, {node.capability for node in graph.nodes}
    for node in graph.nodes:
        if node.capability not in registry:
            yield Diagnostic("unknown_capability", node.id, f"capability {node.capability} is not registered")
        if node.capability in wishes.forbid:
            yield Diagnostic("forbidden_capability", node.id, f"capability {node.capability} is forbidden")
    for wanted in wishes.require:
        if wanted not in registry:
            yield Diagnostic("unknown_capability", "", f"required capability {wanted} is not registered")
        elif wanted not in used:
            yield Diagnostic("required_capability", "", f"required capability {wanted} is not in the plan")


def _dependencies(graph: PlanGraph, registry: Registry, envelope: TaskEnvelope) -> Findings:
    for node in graph.nodes:
        for other in node.depends_on:
            if other not in graph.by_id:
                yield Diagnostic("unknown_node", node.id, f"depends on {other}, which is not in the plan")


def _facets(graph: PlanGraph, registry: Registry, envelope: TaskEnvelope) -> Findings:
    for node in graph.nodes:
        messages = list(_contract(node, registry.get(node.capability))) if node.capability in registry else []
        for facet, sources in node.inputs.items():
            messages += _sources(graph, registry, envelope, (node, facet, sources))
        yield from (Diagnostic("missing_facet", node.id, message) for message in messages)


def _contract(node: PlanNode, capability: Capability) -> Iterator[str]:
    """Yield where a node is given too little or too much, or is to give something else than its capability."""
    known = (*capability.input, *capability.optional_input)
    given = (*node.inputs, *node.parameters)
    yield from (f"nothing gives the facet {facet}" for facet in capability.input if facet not in given)
    if ANY not in known:
        yield from (f"{capability.id} does not take the facet {facet}" for facet in given if facet not in known)
    if set(node.output) != set(capability.output):
        yield f"{capability.id} gives {', '.join(capability.output)}"


def _sources(
    graph: PlanGraph,
    registry: Registry,
    envelope: TaskEnvelope,
    taken: tuple[PlanNode, str, tuple[Source, ...]],
) -> Iterator[str]:
    """Yield what is wrong with where one facet of one node is from."""
    node, facet, sources = taken
    gathered = registry.facets[facet].gathers if facet in registry.facets else None
    if not sources or (gathered is None and len(sources) > 1):
        yield f"the facet {facet} has {len(sources)} sources"
    offers: dict[str, frozenset[str]] = {ENVELOPE: available(envelope)}
    offers.update((other, frozenset(graph.by_id[other].output)) for other in node.depends_on if other in graph.by_id)
    for source in sources:
        if source.facet not in offers.get(source.node, ()):
            yield f"the facet {facet} is taken from {source.node}, which does not give {source.facet} before"
        if source.facet != (gathered or facet):
            yield f"the facet {facet} is taken from the facet {source.facet}"


def available(envelope: TaskEnvelope) -> frozenset[str]:
    """Return the names of the facets that the envelope itself gives."""
    return frozenset(GIVEN) - (frozenset() if envelope.output_contract else {"output_contract"})


def _cycles(graph: PlanGraph, registry: Registry, envelope: TaskEnvelope) -> Findings:
    ordered = {node.id for node in graph.order()}
    reachable = {node.id for node in graph.nodes if all(other in graph.by_id for other in node.depends_on)}
    for node in graph.nodes:
        if node.id in reachable - ordered:
            yield Diagnostic("cycle", node.id, "depends on itself, directly or through others")


def _output(graph: PlanGraph, registry: Registry, envelope: TaskEnvelope) -> Findings:
    if envelope.output_contract is None:
        return
    givers = [node for node in graph.nodes if ANSWER in node.output]
    if not givers:
        yield Diagnostic("unreachable_output", "", f"no node gives the facet {ANSWER}, which the contract needs")
    for extra in givers[1:]:
        yield Diagnostic("unreachable_output", extra.id, f"a second node gives the facet {ANSWER}")


ANSWER: Final = "structured_output"
"""The facet that answers an output contract."""

_RULES: Final = (_size, _duplicates, _capabilities, _dependencies, _facets, _cycles, _output)
