"""Values by name in bounded memory, the same in any order; must not know what the names are."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from hashlib import blake2b
from typing import Final, Generic, TypeVar

T = TypeVar("T")

HASH_BYTES: Final = 8
HASHES: Final = 1 << 8 * HASH_BYTES


class Kept(Generic[T]):
    """A value for each name, of at most `size` names: beyond that, of those with the smallest hashes.

    They are a fair sample, and each is complete: a name that is among the smallest at the end was so from its first
    appearance. `make` makes the value of a new name.
    """

    def __init__(self, make: Callable[[], T], size: int) -> None:
        self._make = make
        self._size = size
        self._values: dict[str | None, T] = {}
        self._largest: list[tuple[int, str | None]] = []  # a heap of negative hashes: the largest hash first
        self.is_sample = False

    def of(self, name: str | None) -> T | None:
        """Return the value of a name, None when it is not in the sample."""
        value = self._values.get(name)
        return self._enter(name) if value is None else value

    def items(self) -> Iterator[tuple[str | None, T]]:
        """Yield names and values, in the order of the names; None comes first."""
        yield from sorted(self._values.items(), key=lambda each: (each[0] is not None, each[0] or ""))

    def __len__(self) -> int:
        """Return how many names there are; an estimate when it is a sample, right to within a few percent."""
        if not self.is_sample:
            return len(self._values)
        return round((self._size - 1) * HASHES / (1 - self._largest[0][0]))

    def _enter(self, name: str | None) -> T | None:
        entry = (-_hash(name), name)
        if len(self._values) < self._size:
            heapq.heappush(self._largest, entry)
        else:
            self.is_sample = True
            out = heapq.heappushpop(self._largest, entry)
            if out is entry:
                return None
            del self._values[out[1]]
        value = self._values[name] = self._make()
        return value


def _hash(name: str | None) -> int:
    if name is None:
        return 0  # always kept
    return int.from_bytes(blake2b(name.encode("utf-8", "surrogatepass"), digest_size=HASH_BYTES).digest(), "big")
