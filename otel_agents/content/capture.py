"""Say which signals may carry content; must not know how values are read, nor where the setting came from."""

from __future__ import annotations

from dataclasses import dataclass

from otel_agents.content.scalars import DEFAULT_LENGTH

# OpenTelemetry's values of OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: (spans, events).
_MODES = {
    "NO_CONTENT": (False, False),
    "SPAN_ONLY": (True, False),
    "EVENT_ONLY": (False, True),
    "SPAN_AND_EVENT": (True, True),
}


@dataclass(frozen=True, slots=True)
class Capture:
    """Where content may go, and how many characters of each string.

    Whatever is on, values still pass `clean` or `to_json`: sensitive keys are redacted in every mode.
    """

    spans: bool = False
    events: bool = False
    length: int = DEFAULT_LENGTH

    @classmethod
    def of(cls, mode: str, length: int = DEFAULT_LENGTH) -> Capture:
        """Return the policy of one of OpenTelemetry's four values, in any case; any other value means no content."""
        spans, events = _MODES.get(mode.strip().upper(), (False, False))
        return cls(spans, events, length)

    @property
    def on(self) -> bool:
        """Whether any signal takes content, so that reading it is worth the time."""
        return self.spans or self.events
