"""Decide what of the host's values may be recorded, and in which shape; must not know who records it."""

from otel_agents.content.capture import Capture
from otel_agents.content.errors import exception_frames, type_name
from otel_agents.content.plain import Json, clean, compact, reread, to_json
from otel_agents.content.scalars import DEFAULT_LENGTH, hashed, name_of, scalar
from otel_agents.content.sensitive import REDACTED, is_sensitive, redact_text

__all__ = [
    "DEFAULT_LENGTH",
    "REDACTED",
    "Capture",
    "Json",
    "clean",
    "compact",
    "exception_frames",
    "hashed",
    "is_sensitive",
    "name_of",
    "redact_text",
    "reread",
    "scalar",
    "to_json",
    "type_name",
]
