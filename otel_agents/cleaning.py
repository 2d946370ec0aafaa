"""Makes attribute values of the host fit for signals: no content unless captured, bounded, no None; keeps nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from otel_agents import guard
from otel_agents.content import Capture, Json, clean, compact, reread, scalar, to_json
from otel_agents.content.facets import facets
from otel_agents.operation import Identity
from otel_agents.semconv import agents as a
from otel_agents.semconv.agents import FLEX_FACET_PROVENANCE, OURS

CONTENT: Final = frozenset(row.name for row in OURS if row.content)
JSON: Final = frozenset(row.name for row in OURS if row.type == "json")
LISTS: Final = frozenset(row.name for row in OURS if row.type == "string[]")
# All that is kept of these: what else a host has in them is its own, such as the prompt of a node.
EACH: Final[Mapping[str, tuple[str, ...]]] = {
    a.FLEX_PLAN_NODES: ("id", "capabilityId", "label"),
    a.FLEX_ITERATION_GATE_RESULTS: ("gate", "passed"),
}
NUMBERS: Final = (a.FLEX_ITERATION_PHASE_TIMINGS, a.FLEX_RUN_METRICS)
READ_CLOSELY: Final = CONTENT | JSON
EASY: Final = frozenset((bool, float))
MIN_INT: Final = -(2**63)
MAX_INT: Final = 2**63
SHORT_TEXT: Final = 256
MANY: Final = 64


def text(value: object) -> str:
    """Return an id as text of at most 256 characters, "" for what has none."""
    known = scalar(value)
    return "" if known is None else str(known)


def fit(identity: Identity) -> Identity:
    """Return who a run is in bounded text, whatever the host gave as ids.

    The session is kept as it is, since what is redacted could no longer be told apart by an audit that hashes it.
    """
    version = identity.plan_version
    return Identity(
        runtime=text(identity.runtime),
        run_id=text(identity.run_id),
        correlation_id=text(identity.correlation_id),
        work_order_id=text(identity.work_order_id) or None,
        session_id=text(identity.session_id) or None,
        channel=text(identity.channel) or None,
        plan_version=version if type(version) is int and 0 <= version < MAX_INT else None,
    )


class Cleaner:
    """Cleans attributes as a capture policy allows."""

    def __init__(self, capture: Capture) -> None:
        self._keep_content = capture.on
        self._length = capture.length

    def clean(self, attributes: Mapping[str, object] | None) -> dict[str, object]:
        """Return what signals may have of the attributes."""
        cleaned: dict[str, object] = {}
        for name, value in attributes.items() if attributes else ():
            # Nearly all are short plain text or numbers that any exporter can encode: looked at without another call.
            if (type(value) is str and len(value) <= SHORT_TEXT and value.isascii() and name not in READ_CLOSELY) or (
                type(value) is int and MIN_INT <= value < MAX_INT
            ):
                cleaned[name] = value
            elif (known := self._read(name, value)) is not None:
                cleaned[name] = known
        return cleaned

    def _read(self, name: str, value: object) -> object:
        if value is None or (name in CONTENT and not self._keep_content):
            return None
        if type(value) in EASY:
            return value
        return guard.run("recorder.clean", self._hard, name, value)

    def _hard(self, name: str, value: object) -> object:
        if name == FLEX_FACET_PROVENANCE:
            return facets(value, self._length)
        if name in JSON:
            return _table(name, value, self._length)
        if name in LISTS and isinstance(value, list | tuple):
            return [scalar(each) for each in value[:MANY]]
        if name in CONTENT:
            return clean(value, self._length) if isinstance(value, str) else to_json(value, self._length)
        return scalar(value)


def _table(name: str, value: object, length: int) -> str | None:
    """Return what an attribute is made for as compact JSON text; None for what is nothing of that shape."""
    known = reread(value, length)
    kept = _numbers(known) if name in NUMBERS else _entries(known, EACH[name])
    return compact(kept) if kept is not None else None


def _entries(value: Json, parts: tuple[str, ...]) -> Json:
    if not isinstance(value, list):
        return None
    entries = (each for each in value if isinstance(each, dict))
    return [
        {part: entry[part] for part in parts if isinstance(entry.get(part), str | int | float)} for entry in entries
    ]


def _numbers(value: Json) -> Json:
    if not isinstance(value, dict):
        return value if isinstance(value, int | float) else None
    found = {key: _numbers(each) for key, each in value.items()}
    return {key: each for key, each in found.items() if each is not None}
