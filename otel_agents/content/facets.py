"""Keep of facet provenance what names and places are in it, never a value; must not know who records it."""

from __future__ import annotations

from typing import Final

from otel_agents.content.plain import Json, compact, reread
from otel_agents.content.scalars import DEFAULT_LENGTH

SIDES: Final = ("input", "output")
KEPT: Final = ("facet", "title", "direction", "pointer")


def facets(value: object, length: int = DEFAULT_LENGTH) -> str | None:
    """Return `{"input": [...], "output": [...]}` as compact JSON text, or None when the value is nothing of that shape.

    Entries keep `facet`, `title`, `direction` and `pointer` where these are text, and the pointer only where it is a
    JSON pointer (`/properties/brief`, `#/...`, or empty): anything else may be a value of the host.

    Args:
        value: A mapping of that shape with whatever else in it, or the JSON text of one.
        length: Characters kept of one string.
    """
    sides = reread(value, length)
    if not isinstance(sides, dict):
        return None
    kept: dict[str, Json] = {side: _entries(sides.get(side)) for side in SIDES}
    return compact(kept) if any(kept.values()) else None


def _entries(side: Json) -> list[Json]:
    entries = [_entry(each) for each in side if isinstance(each, dict)] if isinstance(side, list) else []
    return [entry for entry in entries if entry]


def _entry(entry: dict[str, Json]) -> dict[str, Json]:
    found = {name: entry.get(name) for name in KEPT}
    return {name: text for name, text in found.items() if isinstance(text, str) and _is_kept(name, text)}


def _is_kept(name: str, text: str) -> bool:
    return name != "pointer" or text == "" or text.startswith(("/", "#/"))
