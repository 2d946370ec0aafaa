"""Where a function is defined that others import by name."""

from __future__ import annotations


def imported_by_name(value: object = None) -> object:
    """Return the value."""
    return value
