from __future__ import annotations

import pytest

from otel_agents.cli import words
from otel_agents.semconv.events import EVENTS
from otel_agents.semconv.export import payload


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "<1 ms"),
        (0.0004, "<1 ms"),
        (0.012, "12 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1.0 s"),
        (59.94, "59.9 s"),
        (59.96, "1m00s"),
        (192, "3m12s"),
        (3599.7, "1h00m"),
        (7500, "2h05m"),
        (86_399.6, "1d00h"),
        (273_600, "3d04h"),
    ],
)
def test_durations_are_short_at_every_size(seconds: float, text: str) -> None:
    """No duration needs more than six characters, and none is rounded to a unit that it has not reached."""
    assert words.duration(seconds) == text


def test_texts_of_the_program_are_one_short_line_without_control_characters() -> None:
    """A hostile name cannot move the cursor, colour the terminal or fill the screen."""
    assert words.clean("a\x1b[31mb\r\nc\x07") == "a [31mb  c "
    assert len(words.clean("x" * 10_000)) == words.MAX_TEXT
    assert words.clean("x" * 81).endswith("x…")


def test_an_error_is_named_by_its_class() -> None:
    """The module is left out, and an error without a name has none to show."""
    named = {"ValueError": "ValueError", "acme.errors.NoStock": "NoStock", "_OTHER": "", "": ""}
    assert {name: words.error_name(name) for name in named} == named


def test_every_event_type_can_be_named() -> None:
    """Each type has a name and a detail to show, whether its payload is whole, empty or of the wrong types."""
    for row in EVENTS:
        for value in (1, "text", True, None, ["list"], {"a": 1}):
            fields = dict.fromkeys(payload(row), value)
            assert words.name(row.name, fields), row.name
            assert isinstance(words.detail(row.name, fields), str), row.name
        assert words.name(row.name, {})


def test_names_say_what_happened() -> None:
    """The names of the families that carry their subject in the payload."""
    assert words.name("handoff", {"fromAgent": "triage", "toAgent": "writer"}) == "triage -> writer"
    assert words.name("hitl_resolved", {"decision": "approved"}) == "human: approved"
    assert words.name("node_start", {}, "draft") == "draft"
    assert words.name("node_start", {"label": "Draft it"}, "draft") == "Draft it"
    assert words.detail("plan_updated", {"version": 2, "nodeCount": 1}) == "v2, 1 node"
    assert words.detail("plan_rejected", {"diagnosticCount": 1}) == "rejected: 1 diagnostic"
    assert words.detail("reaction_skipped", {"candidateCount": 1}) == "1 candidate"
    assert words.detail("validation_error", {"errorCount": 2, "attempt": 1, "retried": True}) == (
        "2 errors, attempt 1, asked again"
    )
