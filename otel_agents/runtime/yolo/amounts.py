"""Numbers and names that may come from anywhere, checked; must not know what they stand for."""

from __future__ import annotations

import math

from otel_agents.runtime.yolo.errors import BadValueError


def amount(what: str, value: object) -> float:
    """Return a number that is finite and not negative; raises BadValueError for all others."""
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0:
        return value
    raise BadValueError(f"{what} must be a finite number from 0 up, not {value!r}")


def count(what: str, value: object) -> int:
    """Return a whole number that is not negative; raises BadValueError for all others."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise BadValueError(f"{what} must be a whole number from 0 up, not {value!r}")


def name(what: str, value: object) -> str:
    """Return text that can be a name; raises BadValueError for all others."""
    if isinstance(value, str) and value.strip():
        return value
    raise BadValueError(f"{what} needs a name, not {value!r}")
