"""The capabilities that come along: deterministic, without a model, enough to make posts; must not know plans."""

from __future__ import annotations

from otel_agents.runtime.flex.capabilities.capability import ANY, Capability
from otel_agents.runtime.flex.capabilities.composing import compose
from otel_agents.runtime.flex.capabilities.drafting import draft
from otel_agents.runtime.flex.capabilities.registry import Registry
from otel_agents.runtime.flex.capabilities.research import research
from otel_agents.runtime.flex.capabilities.reviewing import review
from otel_agents.runtime.flex.capabilities.structuring import structure

_ASKED = ("constraints", "special_instructions")


_CAPABILITIES = (
    Capability(
        id="research",
        label="Research",
        kind="tool",
        input=("objective", "inputs"),
        optional_input=_ASKED,
        output=("research",),
        run=research,
    ),
    Capability(
        id="draft_post",
        label="Draft",
        kind="agent",
        input=("research", "variant"),
        optional_input=_ASKED,
        output=("draft",),
        run=draft,
    ),
    Capability(
        id="review_posts",
        label="Review",
        kind="agent",
        input=("research", "drafts"),
        optional_input=_ASKED,
        output=("review",),
        run=review,
    ),
    Capability(
        id="compose_post",
        label="Compose post",
        kind="step",
        input=("drafts", "review"),
        output=("post",),
        run=compose,
    ),
    Capability(
        id="structure_output",
        label="Structure output",
        kind="step",
        input=("objective", "output_contract"),
        optional_input=(ANY,),
        output=("structured_output",),
        run=structure,
    ),
)


def shipped() -> Registry:
    """Return a new registry that holds what comes along; the caller's own are added to it."""
    registry = Registry()
    for capability in _CAPABILITIES:
        registry.add(capability)
    return registry
