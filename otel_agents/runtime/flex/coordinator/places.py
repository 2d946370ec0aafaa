"""How many segments may run at once in this process; must not know what they do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from otel_agents.runtime.flex.problem import FlexError


class Places:
    """Counts who is there."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken = 0
        self.is_closed = False

    @property
    def free(self) -> int:
        """How many places there are to take."""
        return 0 if self.is_closed else max(self._limit - self._taken, 0)

    def take(self) -> Place:
        """Take a place.

        Raises:
            FlexError: `overloaded`.
        """
        if not self.free:
            why = "The server is about to stop" if self.is_closed else f"{self._limit} runs are going on already"
            raise FlexError("overloaded", f"{why}; try again later")
        self._taken += 1
        return Place(self)

    @contextmanager
    def held(self) -> Iterator[Place]:
        """Hold a place, and give it back unless somebody keeps it.

        Raises:
            FlexError: `overloaded`.
        """
        place = self.take()
        try:
            yield place
        finally:
            if not place.is_kept:
                place.leave()

    def left(self) -> None:
        """Count one less."""
        self._taken -= 1


class Place:
    """One place; whoever keeps it leaves it, once or more often."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._is_left = False
        self.is_kept = False

    def keep(self) -> Place:
        """Take it over from whoever held it."""
        self.is_kept = True
        return self

    def leave(self) -> None:
        """Give it back."""
        if not self._is_left:
            self._is_left = True
            self._places.left()
