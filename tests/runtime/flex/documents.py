"""Envelopes and values that several tests use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st

from otel_agents.runtime.flex.problem import FlexError

T = TypeVar("T")

POST_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "variants": {
            "type": "array",
            "minItems": 3,
            "maxItems": 5,
            "items": {
                "type": "object",
                "properties": {
                    "headline": {"type": "string", "minLength": 1, "maxLength": 100},
                    "body": {"type": "string", "minLength": 20},
                    "hashtags": {"type": "array", "items": {"type": "string", "pattern": r"^#\w+$"}, "maxItems": 5},
                    "score": {"type": "number", "minimum": 0, "maximum": 100},
                },
                "required": ["headline", "body", "hashtags", "score"],
                "additionalProperties": False,
            },
        },
        "summary": {"type": "string", "minLength": 1},
    },
    "required": ["variants", "summary"],
    "additionalProperties": False,
}
POST: dict[str, Any] = {
    "objective": "Write variants of a LinkedIn post about otel-agents 1.0 for platform engineers. Keep it friendly.",
    "inputs": {
        "facts": [
            "One command instruments any agent framework, without a change to the code",
            "Plans, handoffs and human approvals become spans, metrics and events",
            "Under two percent of overhead, measured",
        ],
        "cta": "Try it today",
        "link": "https://example.org/otel-agents",
        "launchDate": "2026-12-01",
    },
    "constraints": {"maxWords": 120, "avoid": ["synergy"]},
    "outputContract": {"mode": "json_schema", "schema": POST_SCHEMA},
}

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=15,
)

# How long one example takes says nothing on a machine that is shared.
UNTIMED = settings(deadline=None, max_examples=60)


def taken(read: Callable[[], T]) -> T | FlexError:
    """Return what is read, or the refusal; nothing else may be raised."""
    try:
        return read()
    except FlexError as error:
        return error
