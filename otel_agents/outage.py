"""Keeps pauses in memory while their store is away, and spares the host the wait for it; knows no database."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final, TypeVar, TypeVarTuple

from otel_agents import guard
from otel_agents.pauses import MemoryPauses, Pause, PauseStore, Pending

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

SPARED_NS: Final = 10_000_000_000
AT_ONCE: Final = 100  # questions that go to the store together: the host waits for them
PLACE: Final = "pauses.store"


class StoreAwayError(Exception):
    """The store does not answer, so nobody knows how many questions are open."""


class LastingPauses:
    """A store that may be away for a while.

    A host waits for a store that hangs as long as the store's own time limits say; then nobody asks it for ten seconds.
    Meanwhile questions wait in the memory of this process, where it finds them itself, and go to the store with the
    next one that gets there.
    """

    def __init__(self, store: PauseStore, clock_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._store = store
        self._clock_ns = clock_ns
        self._memory = MemoryPauses()
        self._spared_until_ns = 0

    def put(self, pause: Pause) -> None:
        """Keep a pause, in memory while the store is away."""
        if self._kept(pause):
            self._catch_up()

    def find(self, key: str) -> tuple[Pause, ...]:
        """Return the open questions under a key that are known here."""
        (stored,) = self._ask(self._store.find, key) or ((),)
        return (*stored, *self._memory.find(key))

    def take(self, key: str, request_id: str) -> Pause | None:
        """Remove and return a question; one that waits in memory does not need the store."""
        pause = self._memory.take(key, request_id)
        if pause is None:
            (pause,) = self._ask(self._store.take, key, request_id) or (None,)
        return pause

    def pending(self) -> Mapping[str, Pending]:
        """Return the open questions by runtime.

        Raises:
            StoreAwayError: The store is away: what this process knows alone would be too few.
        """
        answer = self._ask(self._store.pending)
        if answer is None:
            raise StoreAwayError
        return self._store.pending() if self._catch_up() else answer[0]

    def close(self) -> None:
        """Let go of the store."""
        self._store.close()

    def _ask(self, function: Callable[[*Ts], T], *args: *Ts) -> tuple[T] | None:
        """Return the answer of the store as the one item of a tuple, or None when there is none."""
        if self._clock_ns() < self._spared_until_ns:
            return None
        answer = guard.run(PLACE, _answer, function, *args)
        if answer is None:
            self._spared_until_ns = self._clock_ns() + SPARED_NS
        return answer

    def _catch_up(self) -> bool:
        """Give what waits in memory to the store that has just answered; return whether there was something."""
        waiting = self._memory.everything()[:AT_ONCE]
        for pause in waiting:
            # Taken first: a question that is in both places would be answered in one, and wait in the other.
            if self._memory.take(pause.key, pause.request_id) is not None:
                self._kept(pause)
        return bool(waiting)

    def _kept(self, pause: Pause) -> bool:
        """Give a pause to the store, or else to the memory; return whether the store has it."""
        if self._ask(self._store.put, pause) is not None:
            return True
        self._memory.put(pause)
        return False


def _answer(function: Callable[[*Ts], T], *args: *Ts) -> tuple[T]:
    return (function(*args),)
