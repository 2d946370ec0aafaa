"""Facets, the named pieces of knowledge between capabilities, each with a JSON Schema; knows no capability."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from otel_agents.runtime.flex.problem import pointer


@dataclass(frozen=True, slots=True)
class Facet:
    """One named piece of knowledge.

    Attributes:
        name: What plans and capabilities call it.
        title: What people call it.
        schema: The JSON Schema (draft 2020-12) of its value.
        gathers: The facet that this one is a list of, in the order of the plan; nobody gives it, it is gathered.
    """

    name: str
    title: str
    schema: Mapping[str, Any] = field(default_factory=dict)
    gathers: str | None = None


_TEXT: Final = {"type": "string", "minLength": 1}
_TEXTS: Final = {"type": "array", "items": _TEXT}
_OBJECT: Final = {"type": "object"}


def _object(required: Mapping[str, Any], **optional: Any) -> dict[str, Any]:
    """Return the schema of an object that may hold more than it has to."""
    return {"type": "object", "properties": {**required, **optional}, "required": list(required)}


_POST: Final = {"headline": _TEXT, "body": _TEXT, "hashtags": _TEXTS, "callToAction": {"type": "string"}}
_DRAFT: Final = _object({"variant": {"type": "integer", "minimum": 1}, "style": _TEXT, **_POST})
_SCORE: Final = _object(
    {
        "variant": {"type": "integer", "minimum": 1},
        "score": {"type": "number", "minimum": 0, "maximum": 100},
        "findings": _TEXTS,
    }
)

# What the envelope itself gives to every plan.
GIVEN: Final = ("objective", "inputs", "constraints", "special_instructions", "output_contract")

_ROWS: Final = (
    Facet("objective", "Objective", _TEXT),
    Facet("inputs", "Inputs", _OBJECT),
    Facet("constraints", "Constraints", _OBJECT),
    Facet("special_instructions", "Special instructions", _TEXTS),
    Facet("output_contract", "Output contract", _OBJECT),
    Facet(
        "variant",
        "Variant",
        _object({"number": {"type": "integer", "minimum": 1}, "of": {"type": "integer", "minimum": 1}}),
    ),
    Facet(
        "research",
        "Research",
        _object(
            {"topic": _TEXT, "facts": _TEXTS},
            audience=_TEXT,
            tone=_TEXT,
            keywords=_TEXTS,
            callToAction={"type": "string"},
        ),
    ),
    Facet("draft", "Draft", _DRAFT),
    Facet("drafts", "Drafts", {"type": "array", "items": _DRAFT, "minItems": 1}, gathers="draft"),
    Facet(
        "review",
        "Review",
        _object(
            {"scores": {"type": "array", "items": _SCORE, "minItems": 1}, "best": {"type": "integer"}, "summary": _TEXT}
        ),
    ),
    Facet("post", "Post", _object({**_POST, "text": _TEXT})),
    Facet("structured_output", "Structured output"),
)

FACETS: Final[Mapping[str, Facet]] = MappingProxyType({facet.name: facet for facet in _ROWS})


@dataclass(frozen=True, slots=True)
class Provenance:
    """Which facets go into a node and come out of it: names, titles and places, never values."""

    input: tuple[Facet, ...] = ()
    output: tuple[Facet, ...] = ()

    def as_dict(self) -> dict[str, list[dict[str, str]]]:
        """Return `{"input": [{facet, title, direction, pointer}], "output": [...]}`."""
        return {"input": _entries("input", self.input), "output": _entries("output", self.output)}


def _entries(direction: str, facets: Iterable[Facet]) -> list[dict[str, str]]:
    return [
        {"facet": facet.name, "title": facet.title, "direction": direction, "pointer": pointer(facet.name)}
        for facet in facets
    ]


@dataclass(frozen=True, slots=True)
class ContextBundle:
    """All that a node is given: plain JSON, and where it is from."""

    objective: str
    facets: Mapping[str, Any]
    instructions: tuple[str, ...]
    provenance: Mapping[str, Any]
