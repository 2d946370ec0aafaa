"""The JSON Schemas of what goes over the wire, as they are published; must not know any endpoint."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from otel_agents.runtime.flex.envelope import envelope_schema
from otel_agents.runtime.flex.frames import frame_schema
from otel_agents.runtime.flex.plan import plan_schema

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
NAMES: Final = ("properties", "$defs")  # what these hold are names, whatever they are


def plain(schema: Any, *, is_names: bool = False) -> Any:
    """Return a schema without the titles that pydantic makes of names."""
    if isinstance(schema, list):
        return [plain(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    kept = (name for name in schema if is_names or name != "title" or not isinstance(schema[name], str))
    return {name: plain(schema[name], is_names=name in NAMES and not is_names) for name in kept}


def task_envelope() -> dict[str, Any]:
    """Return the schema of what is asked."""
    return {"$schema": DIALECT, "title": "TaskEnvelope", **plain(envelope_schema())}


DOCUMENTS: Final[Mapping[str, Callable[[], dict[str, Any]]]] = MappingProxyType(
    {"TaskEnvelope": task_envelope, "FlexEvent": frame_schema, "PlanGraph": plan_schema}
)
