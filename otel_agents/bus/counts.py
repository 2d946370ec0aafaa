"""Counts by name, bounded in names; must not know what is counted."""

from __future__ import annotations

from typing import Final

MAX_NAMES: Final = 64
OTHER: Final = "_other"


class Counts(dict[str, int]):
    """Counts by name; from the 65th name on all are counted under `_other`, for names become metric labels."""

    def add(self, name: str, amount: int = 1) -> None:
        """Count under a name. Not for several threads at once."""
        key = name if name in self or len(self) < MAX_NAMES else OTHER
        self[key] = self.get(key, 0) + amount
