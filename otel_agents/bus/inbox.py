"""One order for what several threads do, without waiting for each other; must not know what is put in."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from threading import Lock, get_ident
from typing import Final, Generic, TypeVar

T = TypeVar("T")

SIZE: Final = 10_000
BACKLOG: Final = 256  # items from which on who puts lends its time to the one who is at it
PATIENCE_S: Final = 0.05  # at most: that one may be interrupted by code that needs a lock which we hold


class Inbox(Generic[T]):
    """Has items handled one at a time, in the order of their coming.

    Whoever finds nobody at it handles what is there; whoever finds somebody at it leaves his item to him. So nothing
    waits for a lock that it holds itself, when a garbage collection inside `handle` runs a finalizer that puts, too.
    """

    __slots__ = ("_handle", "_holder", "_items", "_lock", "overflowed")

    def __init__(self, handle: Callable[[T], None]) -> None:
        self._handle = handle
        self.renew()

    def renew(self) -> None:
        """Begin anew in a forked child: the lock may be held by a thread that the child does not have."""
        self._items: deque[T] = deque()
        self._lock = Lock()
        self._holder = 0
        self.overflowed = 0

    def put(self, item: T) -> None:
        """Have the item handled now, or soon by another thread; counted as overflowed while the inbox is full."""
        if len(self._items) >= SIZE:
            self._settle()
        if len(self._items) >= SIZE:
            self.overflowed += 1
        else:
            self.push(item)

    def push(self, item: T) -> None:
        """Have the item handled, however full the inbox is."""
        self._items.append(item)
        self._settle()

    def _settle(self) -> None:
        # Look again after each release: an item may have come between the last look and the release.
        while self._items:
            lock = self._lock
            if not lock.acquire(timeout=self._patience_s()):
                return
            self._holder = get_ident()
            try:
                self._empty()
            finally:
                self._holder = 0
                lock.release()

    def _patience_s(self) -> float:
        is_late = len(self._items) > BACKLOG and self._holder != get_ident()
        return PATIENCE_S if is_late else 0.0

    def _empty(self) -> None:
        items, handle = self._items, self._handle
        while items:
            handle(items.popleft())
