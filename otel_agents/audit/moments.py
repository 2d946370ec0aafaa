"""Moments and spans of time as people and logs write them; must not know what happened then."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from otel_agents.bus.event import rfc3339

MS: Final = 1000
UNITS_MS: Final = {"s": MS, "m": 60 * MS, "h": 3600 * MS, "d": 86_400 * MS, "w": 7 * 86_400 * MS}
FROM_MS: Final = 1e11  # a number of this size counts milliseconds: as seconds it would be the year 5138
LATEST_MS: Final = 253_402_300_799_999  # the last moment of the year 9999
_SPAN: Final = re.compile(r"([0-9]{1,9})([smhdw])")


def moment(value: object) -> int | None:
    """Return milliseconds since 1970 of RFC 3339, a date, or a number of seconds or milliseconds; None for no moment.

    Without a time zone it is UTC.
    """
    if isinstance(value, str):
        return _written(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= LATEST_MS:
        return round(value if value >= FROM_MS else value * MS)
    return None


def _written(text: str) -> int | None:
    try:
        known = datetime.fromisoformat(text.strip())
        known = known if known.tzinfo is not None else known.replace(tzinfo=UTC)
        ms = round(known.timestamp() * MS)
    except (ValueError, OverflowError):
        return None
    return ms if 0 <= ms <= LATEST_MS else None


def span(text: str) -> int | None:
    """Return the milliseconds of `30s`, `15m`, `24h`, `7d`, `2w`; None for anything else."""
    found = _SPAN.fullmatch(text.strip())
    return int(found[1]) * UNITS_MS[found[2]] if found else None


def shown(ms: int | None) -> str | None:
    """Return a moment as RFC 3339 in UTC."""
    return None if ms is None else rfc3339(ms * 1_000_000)


def shown_span(ms: int) -> str:
    """Return a span in its largest whole unit, rounded down: `3d`, `5h`."""
    unit = next((each for each in ("d", "h", "m") if ms >= UNITS_MS[each]), "s")
    return f"{ms // UNITS_MS[unit]}{unit}"
