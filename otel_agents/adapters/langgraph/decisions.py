"""What a human decided, read from the value that a graph is resumed with; must not know runs or pauses."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

APPROVED: Final = "approved"
EDITED: Final = "edited"
REJECTED: Final = "rejected"
RESPONDED: Final = "responded"
EXPIRED: Final = "expired"

# Of several decisions in one answer the first of these is the answer's.
GRAVEST: Final = (REJECTED, EDITED, RESPONDED, APPROVED)

WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        word: decision
        for decision, words in {
            APPROVED: "approve approved accept accepted allow allowed yes y ok okay true continue proceed go",
            EDITED: "edit edited modify modified change changed",
            REJECTED: "reject rejected deny denied decline declined no n false cancel abort stop ignore ignored",
            RESPONDED: "respond responded response answer answered feedback",
        }.items()
        for word in words.split()
    }
)
FIELDS: Final = ("decisions", "type", "action", "decision", "approved")
MAX_DEPTH: Final = 4
MAX_DECISIONS: Final = 64


def decision_of(value: Any, depth: int = 0) -> str:
    """Return approved, edited, rejected or responded; what is not understood is a response."""
    if isinstance(value, bool):
        return APPROVED if value else REJECTED
    if isinstance(value, str):
        return WORDS.get(value.strip().casefold(), RESPONDED) if len(value) < MAX_DECISIONS else RESPONDED
    if depth >= MAX_DEPTH:
        return RESPONDED
    if isinstance(value, Mapping):
        named = next((value[name] for name in FIELDS if name in value), None)
        return decision_of(named, depth + 1) if named is not None else RESPONDED
    if isinstance(value, list | tuple):
        found = {decision_of(each, depth + 1) for each in value[:MAX_DECISIONS]}
        return next((decision for decision in GRAVEST if decision in found), RESPONDED)
    return RESPONDED
