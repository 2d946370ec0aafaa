"""Content is off unless one of OpenTelemetry's values turns it on."""

from __future__ import annotations

import pytest

from otel_agents.content import Capture


@pytest.mark.parametrize(
    ("mode", "spans", "events"),
    [
        ("NO_CONTENT", False, False),
        ("span_only", True, False),
        (" Event_Only ", False, True),
        ("SPAN_AND_EVENT", True, True),
        ("true", False, False),
    ],
)
def test_capture_follows_opentelemetrys_values(mode: str, *, spans: bool, events: bool) -> None:
    """The four values decide for spans and events; anything else records nothing."""
    capture = Capture.of(mode, 100)
    assert capture == Capture(spans=spans, events=events, length=100)
    assert capture.on is (spans or events)


def test_no_content_is_the_default() -> None:
    """Without a setting nothing is captured and strings are cut at 4096."""
    assert (Capture().on, Capture().length) == (False, 4096)
