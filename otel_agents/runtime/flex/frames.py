"""The frames of a run, as they are stored and sent; must not know who emits or reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

RUNTIME: Final = "flex"


@dataclass(frozen=True, slots=True)
class FrameType:
    """What the payload of one type of frame holds: fields that are always there, and fields that may be."""

    always: tuple[str, ...] = ()
    sometimes: tuple[str, ...] = ()


FRAME_TYPES: Final[Mapping[str, FrameType]] = MappingProxyType(
    {
        "start": FrameType(("name",), ("resumed", "objective")),
        "plan_requested": FrameType(("phase", "attempt")),
        "plan_rejected": FrameType(("attempt", "diagnosticCount", "codes"), ("diagnostics",)),
        "plan_generated": FrameType(("version", "nodeCount", "nodes")),
        "plan_updated": FrameType(("previousVersion", "version", "trigger"), ("nodeCount", "nodes")),
        "node_start": FrameType(("kind", "label")),
        "node_error": FrameType(("attempt", "errorType"), ("error",)),
        "node_retry": FrameType(("attempt", "errorType"), ("delayMs",)),
        "node_complete": FrameType(("kind", "attempts"), ("output", "errorType")),
        "policy_triggered": FrameType(("policyId", "trigger", "action"), ("message",)),
        "hitl_request": FrameType(("requestId", "origin"), ("pendingNodeId", "prompt", "expiresAt")),
        "hitl_resolved": FrameType(("requestId", "decision", "waitMs")),
        "validation_error": FrameType(("scope", "errorCount", "attempt"), ("details", "retried")),
        "cancel_requested": FrameType(("source",)),
        "cancel_acknowledged": FrameType(("source", "latencyMs")),
        "complete": FrameType(("status",), ("reason", "errorType", "error", "output", "metrics")),
        "log": FrameType(),
    }
)

# Attribute -> field on the wire, in the order of the wire.
_FIELDS: Final = (
    ("id", "id"),
    ("type", "type"),
    ("timestamp", "timestamp"),
    ("run_id", "runId"),
    ("correlation_id", "correlationId"),
    ("runtime", "runtime"),
    ("plan_version", "planVersion"),
    ("node_id", "nodeId"),
    ("capability_id", "capabilityId"),
    ("facet_provenance", "facetProvenance"),
    ("status", "status"),
    ("duration_ms", "durationMs"),
    ("payload", "payload"),
    ("message", "message"),
)


def timestamp(moment: datetime | None = None) -> str:
    """Return a moment, now unless given, as RFC 3339 in UTC with milliseconds."""
    moment = datetime.now(UTC) if moment is None else moment.astimezone(UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One fact of a run. `dataclasses.replace(frame, seq=...)` gives it its place in the run."""

    run_id: str
    type: str
    correlation_id: str
    seq: int = 0
    timestamp: str = field(default_factory=timestamp)
    runtime: str = RUNTIME
    plan_version: int | None = None
    node_id: str | None = None
    capability_id: str | None = None
    facet_provenance: Mapping[str, Any] | None = None
    status: str | None = None
    duration_ms: float | None = None
    payload: Mapping[str, Any] = field(default_factory=dict)
    message: str | None = None

    @property
    def id(self) -> str:
        """`{runId}:{seq}`, by which a client says what it has seen."""
        return f"{self.run_id}:{self.seq}"

    def as_dict(self) -> dict[str, Any]:
        """Return the frame as it is sent: camelCase, in the order of the contract, without what is not known."""
        found = ((wire, getattr(self, name)) for name, wire in _FIELDS)
        return {wire: value for wire, value in found if value is not None}

    @classmethod
    def from_dict(cls, sent: Mapping[str, Any]) -> Frame:
        """Return the frame that `as_dict` wrote."""
        known = {name: sent[wire] for name, wire in _FIELDS if wire in sent and name != "id"}
        return cls(seq=int(str(sent["id"]).rpartition(":")[2]), **known)


def frame_schema() -> dict[str, Any]:
    """Return the JSON Schema of a frame on the wire."""
    entry = {
        "type": "object",
        "properties": {name: {"type": "string"} for name in ("facet", "title", "direction", "pointer")},
        "additionalProperties": False,
    }
    provenance = {"type": "object", "properties": {side: {"type": "array", "items": entry} for side in _SIDES}}
    texts = ("id", "type", "timestamp", "runId", "correlationId", "runtime", "nodeId", "capabilityId", "status")
    properties: dict[str, Any] = {wire: {"type": "string"} for _, wire in _FIELDS if wire in (*texts, "message")}
    properties["type"] = {"enum": list(FRAME_TYPES)}
    properties["timestamp"] = {"type": "string", "format": "date-time"}
    properties["planVersion"] = {"type": "integer", "minimum": 1}
    properties["facetProvenance"] = provenance
    properties["durationMs"] = {"type": "number", "minimum": 0}
    properties["payload"] = {"type": "object"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "FlexEvent",
        "type": "object",
        "properties": {wire: properties[wire] for _, wire in _FIELDS},
        "required": ["id", "type", "timestamp", "runId", "correlationId", "runtime", "payload"],
        "allOf": [
            {
                "if": {"properties": {"type": {"const": name}}},
                "then": {"properties": {"payload": {"required": list(each.always)}}},
            }
            for name, each in FRAME_TYPES.items()
            if each.always
        ],
    }


_SIDES: Final = ("input", "output")
