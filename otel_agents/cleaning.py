"""Makes attribute values of the host fit for signals: no content unless captured, bounded, no None; keeps nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from otel_agents import guard
from otel_agents.content import Capture, clean, scalar, to_json
from otel_agents.content.facets import facets
from otel_agents.semconv.agents import FLEX_FACET_PROVENANCE, OURS

CONTENT: Final = frozenset(row.name for row in OURS if row.content)
JSON: Final = frozenset(row.name for row in OURS if row.type == "json")
LISTS: Final = frozenset(row.name for row in OURS if row.type == "string[]")
EASY: Final = frozenset((bool, float))
MAX_INT: Final = 2**63
SHORT_TEXT: Final = 256
MANY: Final = 64


class Cleaner:
    """Cleans attributes as a capture policy allows."""

    def __init__(self, capture: Capture) -> None:
        self._keep_content = capture.on
        self._length = capture.length

    def __call__(self, attributes: Mapping[str, object] | None) -> dict[str, object]:
        """Return what signals may have of the attributes."""
        cleaned: dict[str, object] = {}
        for name, value in (attributes or {}).items():
            if value is None or (name in CONTENT and not self._keep_content):
                continue
            known = value if _is_easy(name, value) else guard.run("recorder.clean", self._hard, name, value)
            if known is not None:
                cleaned[name] = known
        return cleaned

    def _hard(self, name: str, value: object) -> object:
        if name == FLEX_FACET_PROVENANCE:
            return facets(value, self._length)
        if name in JSON:
            return to_json(value, self._length)
        if name in LISTS and isinstance(value, list | tuple):
            return [scalar(each) for each in value[:MANY]]
        if name in CONTENT:
            return clean(value, self._length) if isinstance(value, str) else to_json(value, self._length)
        return scalar(value)


def _is_easy(name: str, value: object) -> bool:
    """Whether the value can go as it is: it can be encoded by every exporter, and nothing in it is to be redacted."""
    if type(value) is str:
        return len(value) <= SHORT_TEXT and value.isascii() and name not in CONTENT and name != FLEX_FACET_PROVENANCE
    return type(value) in EASY or (type(value) is int and -MAX_INT <= value < MAX_INT)
