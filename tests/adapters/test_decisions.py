"""What a human's answer means."""

from __future__ import annotations

from typing import Any

import pytest

from otel_agents.adapters.langgraph.decisions import decision_of


def _middleware(*types: str) -> dict[str, Any]:
    return {"decisions": [{"type": each} for each in types]}


CYCLE: list[Any] = []
CYCLE.append(CYCLE)


@pytest.mark.parametrize(
    ("answer", "decision"),
    [
        (True, "approved"),
        (False, "rejected"),
        ("yes", "approved"),
        (" OK ", "approved"),
        ("Reject", "rejected"),
        ("no", "rejected"),
        ("edit", "edited"),
        ("make it shorter", "responded"),
        ("yes" * 10_000, "responded"),
        ({"type": "accept"}, "approved"),
        ({"action": "reject", "reason": "no"}, "rejected"),
        ({"decision": "edit"}, "edited"),
        ({"approved": False}, "rejected"),
        ({"text": "yes"}, "responded"),
        (_middleware("approve"), "approved"),
        (_middleware("approve", "edit"), "edited"),
        (_middleware("approve", "respond", "edit", "reject"), "rejected"),
        (_middleware("approve", "respond"), "responded"),
        ([{"type": "accept", "args": None}], "approved"),
        ([], "responded"),
        (None, "responded"),
        (1, "responded"),
        (object(), "responded"),
        (CYCLE, "responded"),
    ],
)
def test_an_answer_is_understood_by_table(answer: object, decision: str) -> None:
    """Booleans, words, fields of known names and the approval middleware's decisions count; the rest is a response."""
    assert decision_of(answer) == decision
