"""A plan: a graph of nodes, what each is given and from where, and what is wrong with it; must not know who made it."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final, cast

from otel_agents.runtime.flex.capabilities import Kind
from otel_agents.runtime.flex.envelope import TaskEnvelope
from otel_agents.runtime.flex.facets import ContextBundle

ENVELOPE: Final = "$envelope"
"""The source that is no node: what the caller gave."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a value is from: a node or the envelope, and which facet of it."""

    node: str
    facet: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanNode:
    """One call of a capability.

    Attributes:
        id: Unique in the plan.
        depends_on: Nodes that must be complete before; holds at least the sources of the inputs.
        inputs: Facet -> its sources: one, or for a facet that gathers as many as there are, in order.
        parameters: Facets whose values the planner itself decided.
        output: The facets that it gives.
        provenance: Names, titles and places of all that, as frames tell it.
    """

    id: str
    capability: str
    label: str
    kind: Kind
    depends_on: tuple[str, ...] = ()
    inputs: Mapping[str, tuple[Source, ...]] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    output: tuple[str, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON."""
        sources = {
            facet: [{"node": source.node, "facet": source.facet} for source in each]
            for facet, each in self.inputs.items()
        }
        return {
            "id": self.id,
            "capabilityId": self.capability,
            "label": self.label,
            "kind": self.kind,
            "dependsOn": list(self.depends_on),
            "inputs": sources,
            "parameters": dict(self.parameters),
            "output": list(self.output),
            "provenance": dict(self.provenance),
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> PlanNode:
        """Return the node that `as_dict` wrote."""
        return cls(
            id=stored["id"],
            capability=stored["capabilityId"],
            label=stored["label"],
            kind=cast("Kind", stored["kind"]),
            depends_on=tuple(stored["dependsOn"]),
            inputs={
                facet: tuple(Source(source["node"], source["facet"]) for source in each)
                for facet, each in stored["inputs"].items()
            },
            parameters=dict(stored["parameters"]),
            output=tuple(stored["output"]),
            provenance=dict(stored["provenance"]),
        )


@dataclass(frozen=True)
class PlanGraph:
    """All nodes of one version of a plan. Edges are `depends_on`; what is not connected may run in parallel."""

    version: int
    nodes: tuple[PlanNode, ...]

    @cached_property
    def by_id(self) -> Mapping[str, PlanNode]:
        """The nodes by id."""
        return MappingProxyType({node.id: node for node in self.nodes})

    def node(self, node_id: str) -> PlanNode:
        """Return a node.

        Raises:
            KeyError: There is none of that id.
        """
        return self.by_id[node_id]

    def find(self, node_or_capability: str) -> tuple[PlanNode, ...]:
        """Return the node of that id, else all nodes of that capability, which may be none."""
        if node_or_capability in self.by_id:
            return (self.by_id[node_or_capability],)
        return tuple(node for node in self.nodes if node.capability == node_or_capability)

    def ready(self, done: AbstractSet[str]) -> tuple[PlanNode, ...]:
        """Return the nodes that are not done and whose dependencies are, in the order of the plan."""
        return tuple(node for node in self.nodes if node.id not in done and done >= set(node.depends_on))

    def descendants(self, node_id: str) -> tuple[str, ...]:
        """Return the ids of all nodes that depend on a node, directly or not, in the order of the plan."""
        reached = {node_id}
        for node in self.order():
            if reached.intersection(node.depends_on):
                reached.add(node.id)
        return tuple(node.id for node in self.nodes if node.id in reached and node.id != node_id)

    def sinks(self) -> tuple[PlanNode, ...]:
        """Return the nodes that nothing depends on: their facets are the plan's result."""
        needed = {dependency for node in self.nodes for dependency in node.depends_on}
        return tuple(node for node in self.nodes if node.id not in needed)

    def order(self) -> tuple[PlanNode, ...]:
        """Return all nodes, each after those it depends on; nodes of a cycle are left out."""
        ordered: dict[str, PlanNode] = {}
        while True:
            layer = self.ready(ordered.keys())
            if not layer:
                return tuple(ordered.values())
            ordered.update((node.id, node) for node in layer)

    def summary(self) -> list[dict[str, str]]:
        """Return what frames and telemetry tell of the nodes."""
        return [{"id": node.id, "capabilityId": node.capability, "label": node.label} for node in self.nodes]

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {"version": self.version, "nodes": [node.as_dict() for node in self.nodes]}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> PlanGraph:
        """Return the graph that `as_dict` wrote."""
        return cls(stored["version"], tuple(PlanNode.from_dict(node) for node in stored["nodes"]))


def given(envelope: TaskEnvelope) -> dict[str, Any]:
    """Return the facets that the envelope itself gives."""
    contract = envelope.output_contract
    facets = {
        "objective": envelope.objective,
        "inputs": envelope.inputs,
        "constraints": dict(envelope.constraints.free),
        "special_instructions": list(envelope.special_instructions),
    }
    return facets if contract is None else {**facets, "output_contract": contract.schema_}


def bundle_for(node: PlanNode, envelope: TaskEnvelope, done: Mapping[str, Mapping[str, Any]]) -> ContextBundle:
    """Return all that a node is given, once what it depends on is done.

    Args:
        done: Node id -> facet -> value, of nodes that are complete.

    Raises:
        KeyError: A source is not complete, or gave no such facet.
    """
    known = {**done, ENVELOPE: given(envelope)}
    facets: dict[str, Any] = dict(node.parameters)
    for facet, sources in node.inputs.items():
        values = [known[source.node][source.facet] for source in sources]
        is_list = any(source.facet != facet for source in sources)
        facets[facet] = values if is_list else values[0]
    return ContextBundle(envelope.objective, facets, envelope.special_instructions, node.provenance)


def plan_schema() -> dict[str, Any]:
    """Return the JSON Schema of a PlanGraph as plain JSON."""
    text = {"type": "string"}
    texts = {"type": "array", "items": text}
    source = {"type": "object", "properties": {"node": text, "facet": text}, "required": ["node", "facet"]}
    properties: dict[str, Any] = {
        "id": text,
        "capabilityId": text,
        "label": text,
        "kind": {"enum": ["agent", "tool", "step"]},
        "dependsOn": texts,
        "inputs": {"type": "object", "additionalProperties": {"type": "array", "items": source, "minItems": 1}},
        "parameters": {"type": "object"},
        "output": texts,
        "provenance": {"type": "object"},
    }
    node = {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "PlanGraph",
        "type": "object",
        "properties": {
            "version": {"type": "integer", "minimum": 1},
            "nodes": {"type": "array", "items": node, "minItems": 1},
        },
        "required": ["version", "nodes"],
        "additionalProperties": False,
    }
