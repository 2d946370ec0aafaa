"""Which capabilities and facets there are; must not know what they are used for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Self

from otel_agents.runtime.flex.capabilities.capability import ANY, Capability
from otel_agents.runtime.flex.facets import FACETS, GIVEN, Facet, Provenance
from otel_agents.runtime.flex.problem import FlexError
from otel_agents.runtime.flex.schema import Schema

_ID: Final = re.compile(r"[A-Za-z0-9_.:-]{1,100}")


class Registry:
    """Capabilities by id, in the order in which they were added, and the facets they speak of.

    Filled at start, then only read, from any thread.
    """

    def __init__(self, facets: Iterable[Facet] = ()) -> None:
        self._facets: dict[str, Facet] = dict(FACETS)
        self._capabilities: dict[str, Capability] = {}
        self._schemas: dict[tuple[str, str], Schema] = {}
        for facet in facets:
            self.add_facet(facet)

    def add_facet(self, facet: Facet) -> Self:
        """Add a facet of one's own.

        Raises:
            ValueError: The name is taken, or the facet gathers one that is not there.
            FlexError: `invalid_schema`.
        """
        if facet.name in self._facets:
            raise ValueError(f"there is a facet {facet.name!r} already; take another name")
        if facet.gathers is not None and facet.gathers not in self._facets:
            raise ValueError(f"facet {facet.name!r} gathers {facet.gathers!r}, which is not there; add that one first")
        Schema(facet.schema)
        self._facets[facet.name] = facet
        return self

    def add(self, capability: Capability) -> Self:
        """Add a capability.

        Raises:
            ValueError: The id is taken or malformed, or a facet is not there.
        """
        if not _ID.fullmatch(capability.id):
            raise ValueError(f"{capability.id!r} is no id: 1 to 100 letters, digits and _ . : -")
        if capability.id in self._capabilities:
            raise ValueError(f"there is a capability {capability.id!r} already; take another id")
        taken, given = (*capability.input, *capability.optional_input), capability.output
        if not given or len({*taken, *given}) != len(taken) + len(given):
            raise ValueError(f"capability {capability.id!r} gives no facet, or names one twice")
        for name in (*taken, *given):
            if name not in self._facets and name != ANY:
                raise ValueError(f"capability {capability.id!r} names facet {name!r}; add_facet it first")
        for name in given:
            if name in GIVEN or self._facets[name].gathers is not None:
                raise ValueError(f"capability {capability.id!r} gives {name!r}, which is made elsewhere")
        self._schemas[capability.id, "input"] = self._contract(capability.input, capability.optional_input)
        self._schemas[capability.id, "output"] = self._contract(given, ())
        self._capabilities[capability.id] = capability
        return self

    def _contract(self, required: tuple[str, ...], optional: tuple[str, ...]) -> Schema:
        # Each facet is a document of its own, so that a reference `#/...` in it stays in it.
        properties = {
            name: {"$id": f"urn:flex:facet:{name}", **self._facets[name].schema}
            for name in (*required, *optional)
            if name != ANY
        }
        return Schema(
            {
                "type": "object",
                "properties": properties,
                "required": list(required),
                "additionalProperties": ANY in optional,
            }
        )

    def get(self, capability_id: str) -> Capability:
        """Return a capability.

        Raises:
            FlexError: `unknown_capability`.
        """
        if capability_id not in self._capabilities:
            known = ", ".join(self._capabilities) or "none"
            raise FlexError("unknown_capability", f"There is no such capability; there are: {known}")
        return self._capabilities[capability_id]

    def __contains__(self, capability_id: object) -> bool:
        return capability_id in self._capabilities

    def __iter__(self) -> Iterator[Capability]:
        return iter(self._capabilities.values())

    @property
    def facets(self) -> Mapping[str, Facet]:
        """All facets by name."""
        return self._facets

    def providers(self, facet: str) -> tuple[Capability, ...]:
        """Return the capabilities that give a facet, the first added first."""
        return tuple(each for each in self if facet in each.output)

    def input_schema(self, capability_id: str) -> Schema:
        """Return what the facets given to a capability must look like, `{facet: value}`."""
        return self._schemas[self.get(capability_id).id, "input"]

    def output_schema(self, capability_id: str) -> Schema:
        """Return what a capability's result must look like, `{facet: value}`."""
        return self._schemas[self.get(capability_id).id, "output"]

    def provenance(self, inputs: Iterable[str], outputs: Iterable[str]) -> Provenance:
        """Return names, titles and places of the facets on both sides of a node."""
        return Provenance(tuple(self._facets[name] for name in inputs), tuple(self._facets[name] for name in outputs))
