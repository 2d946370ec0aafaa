"""Thinks of plans without a model: from what is wanted back to what the caller gave; must not know the engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from otel_agents.runtime.flex.capabilities import ANY, Capability, Registry
from otel_agents.runtime.flex.diagnosis import ANSWER, available
from otel_agents.runtime.flex.envelope import TaskEnvelope
from otel_agents.runtime.flex.plan import ENVELOPE, PlanGraph, PlanNode, Source
from otel_agents.runtime.flex.plan_request import PlanRequest

VARIANTS: Final = 3
MAX_VARIANTS: Final = 10
VARIANT: Final = "variant"
"""The facet by which a capability says that it is to be called once for each variant."""


class ChainingProposer:
    """Chains capabilities backwards; the same request gives the same plan.

    Of several capabilities that give a facet it takes one that the caller requires, else the one added last; one that
    just failed comes last.

    Args:
        goal: The facet that is wanted when the caller has no output contract and requires no capability.
        substance: The facet that is wanted besides when an answer is arranged to an output contract.
    """

    def __init__(self, goal: str = "post", substance: str = "review") -> None:
        self._goal = goal
        self._substance = substance

    async def propose(self, request: PlanRequest, registry: Registry) -> PlanGraph:
        """Return a plan of version 1; nodes that are done stay in it as they were."""
        envelope = request.envelope
        wanted = [self._goal] if envelope.output_contract is None else [self._substance]
        required = [each for each in envelope.policies.planner.require if each in registry]
        chain = _Chain(registry, request)
        chain.want(wanted if registry.providers(wanted[0]) or required else _ends(registry, envelope))
        if any(each not in chain.used for each in required):
            # The caller is after something else than what we would do by default.
            chain = _Chain(registry, request)
        for each in required:
            chain.include(registry.get(each))
        if envelope.output_contract is not None:
            chain.want([ANSWER])
        return PlanGraph(1, _kept(request, chain.nodes))


def _ends(registry: Registry, envelope: TaskEnvelope) -> list[str]:
    """Return the facets that are given and that nobody needs, in the order of the registry."""
    given, needed = available(envelope), {facet for each in registry for facet in each.input}
    workable = [each for each in registry if "output_contract" in given or "output_contract" not in each.input]
    return [facet for each in workable for facet in each.output if facet not in needed and facet != ANSWER]


def _kept(request: PlanRequest, nodes: Mapping[str, PlanNode]) -> tuple[PlanNode, ...]:
    """Return the nodes of the new plan, with those that are done as they were in the one before."""
    before = request.previous.by_id if request.previous else {}
    done = {node_id: before[node_id] for node_id in before if node_id in request.done}
    return tuple({**done, **nodes, **done}.values())


def variants(request: PlanRequest) -> int:
    """Return how many variants the caller wants: a policy says it, else inputs, constraints or the output contract.

    Half of that for each attempt that had too many nodes.
    """
    envelope = request.envelope
    schema = envelope.output_contract.schema_ if envelope.output_contract else {}
    asked: Iterator[object] = (
        envelope.policies.planner.variants,
        envelope.inputs.get("variants"),
        envelope.constraints.free.get("variants"),
        *(rule.get("minItems") or rule.get("maxItems") for rule in _lists(schema)),
    ).__iter__()
    count = next(
        (each for each in asked if isinstance(each, int) and not isinstance(each, bool) and each > 0), VARIANTS
    )
    count = min(count, MAX_VARIANTS)
    too_many = any(each.code == "too_many_nodes" for each in request.diagnostics)
    return max(1, count >> (request.attempt - 1)) if too_many else count


def _lists(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the properties of an answer that are lists of objects."""
    properties = schema.get("properties")
    for rule in properties.values() if isinstance(properties, Mapping) else ():
        items = rule.get("items") if isinstance(rule, Mapping) else None
        if isinstance(items, Mapping) and (items.get("type") == "object" or "properties" in items or "$ref" in items):
            yield rule


class _Chain:
    """Nodes found so far, in an order in which they can be executed."""

    def __init__(self, registry: Registry, request: PlanRequest) -> None:
        self._registry = registry
        self._request = request
        self._given = available(request.envelope)
        self._variants = variants(request)
        self._open: set[str] = set()
        self.nodes: dict[str, PlanNode] = {}

    @property
    def used(self) -> set[str]:
        """The capabilities in the plan."""
        return {node.capability for node in self.nodes.values()}

    def want(self, facets: list[str]) -> None:
        """Add what gives these facets; where that cannot be, what would if it had all that it needs."""
        for facet in facets:
            providers = self._providers(facet)
            if self._sources(facet) is None and providers:
                self.include(providers[0])

    def include(self, capability: Capability) -> None:
        """Add a capability, even one that lacks something: then the diagnosis says what."""
        if capability.id not in self.used and not self._add(capability):
            found = {facet: self._sources(facet) for facet in capability.input if facet != VARIANT}
            self._append(capability, {facet: sources for facet, sources in found.items() if sources})

    def _providers(self, facet: str) -> list[Capability]:
        wishes, failed = self._request.envelope.policies.planner, self._request.failed
        allowed = [each for each in reversed(self._registry.providers(facet)) if each.id not in wishes.forbid]
        return sorted(allowed, key=lambda each: (each.id not in wishes.require, each.id in failed))

    def _sources(self, facet: str) -> tuple[Source, ...] | None:
        """Return where a facet is from, adding what gives it when it is not there yet."""
        if facet in self._given:
            return (Source(ENVELOPE, facet),)
        gathered = self._registry.facets[facet].gathers
        single = gathered or facet
        if not self._givers(single) and single not in self._open:
            self._open.add(single)
            any(self._add(each) for each in self._providers(single))
            self._open.discard(single)
        sources = tuple(Source(node_id, single) for node_id in self._givers(single))
        return (sources if gathered else sources[:1]) or None

    def _givers(self, facet: str) -> list[str]:
        return [node.id for node in self.nodes.values() if facet in node.output]

    def _add(self, capability: Capability) -> bool:
        """Add a capability and all that it needs, or nothing."""
        before = dict(self.nodes)
        inputs: dict[str, tuple[Source, ...]] = {}
        for facet in capability.input:
            sources = None if facet == VARIANT else self._sources(facet)
            if sources is None and facet != VARIANT:
                self.nodes = before
                return False
            if sources:
                inputs[facet] = sources
        self._append(capability, inputs)
        return True

    def _append(self, capability: Capability, inputs: Mapping[str, tuple[Source, ...]]) -> None:
        """Add the node of a capability, or as many as there are variants."""
        inputs = {**inputs, **self._extras(capability)}
        takes_variant = VARIANT in (*capability.input, *capability.optional_input)
        for number in range(1, self._variants + 1) if takes_variant else (0,):
            parameters = {VARIANT: {"number": number, "of": self._variants}} if number else {}
            node_id = f"{capability.id}-{number}" if number else capability.id
            self.nodes[node_id] = PlanNode(
                id=node_id,
                capability=capability.id,
                label=f"{capability.label} {number}" if number else capability.label,
                kind=capability.kind,
                depends_on=_nodes_of(inputs),
                inputs=inputs,
                parameters=parameters,
                output=capability.output,
                provenance=self._registry.provenance((*inputs, *parameters), capability.output).as_dict(),
            )

    def _extras(self, capability: Capability) -> dict[str, tuple[Source, ...]]:
        """Return the sources of what a capability takes if it is there, without adding any node for it."""
        names: tuple[str, ...] = capability.optional_input
        if ANY in names:
            facets = self._registry.facets
            names = tuple(name for name in facets if name != VARIANT and name not in capability.output)
        found = {name: self._there(name) for name in names if name not in capability.input and name != VARIANT}
        return {name: sources for name, sources in found.items() if sources}

    def _there(self, facet: str) -> tuple[Source, ...]:
        if facet in self._given:
            return (Source(ENVELOPE, facet),)
        gathered = self._registry.facets[facet].gathers
        sources = tuple(Source(node_id, gathered or facet) for node_id in self._givers(gathered or facet))
        return sources if gathered else sources[:1]


def _nodes_of(inputs: Mapping[str, tuple[Source, ...]]) -> tuple[str, ...]:
    """Return the nodes that these sources are, once each."""
    nodes = (source.node for sources in inputs.values() for source in sources)
    return tuple(dict.fromkeys(node for node in nodes if node != ENVELOPE))
