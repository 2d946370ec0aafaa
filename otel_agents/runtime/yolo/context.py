"""What an agent keeps in mind: items with tokens, up to a limit; must not know who reads it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from otel_agents.runtime.yolo.amounts import count
from otel_agents.runtime.yolo.calls import call
from otel_agents.runtime.yolo.errors import BadValueError, ContextFullError

CHARS_PER_TOKEN: Final = 4  # of English text, roughly, in most models

Tokens = Callable[[str], int]


def estimate(text: str) -> int:
    """Guess how many tokens a text has; give an agent your model's own counter where it matters."""
    return -(-len(text) // CHARS_PER_TOKEN)


@dataclass(frozen=True, slots=True)
class Item:
    """A piece of context. One that is pinned is neither pruned nor refreshed away."""

    text: str
    tokens: int
    pinned: bool = False


Source = Callable[[tuple[Item, ...]], Any]


class Context:
    """The context of one agent. It never holds more than ``limit`` tokens; None is no limit. Safe for threads."""

    def __init__(self, agent: str, limit: int | None = None, tokens: Tokens = estimate) -> None:
        self.agent = agent
        self.limit = limit if limit is None else count("the limit of a context", limit)
        self._count = tokens
        self._items: tuple[Item, ...] = ()
        self._lock = threading.Lock()

    @property
    def items(self) -> tuple[Item, ...]:
        """What it holds, the oldest first."""
        return self._items

    @property
    def tokens(self) -> int:
        """How many tokens that is."""
        return sum(item.tokens for item in self._items)

    def add(self, text: str, tokens: int | None = None, *, pinned: bool = False) -> None:
        """Add an item; the oldest that are not pinned make room for it.

        Raises:
            BadValueError: ``tokens`` is negative or no whole number.
            ContextFullError: It does not fit beside what is pinned. Nothing is changed.
        """
        item = self._item(text, tokens, pinned=pinned)
        with self._lock:
            self._items = (*self._fitting(self._items, item.tokens), item)

    async def refresh(self, source: Source) -> None:
        """Replace what is not pinned by what ``source`` makes of it, such as a summary, then prune.

        ``source`` gets the items, and returns texts or items, or one of them; it may be asynchronous. What is added
        meanwhile stays.
        """
        before = tuple(item for item in self._items if not item.pinned)
        said: Iterable[str | Item] | Item = await call(source, before)
        made = (said,) if isinstance(said, str | Item) else said
        fresh = [each if isinstance(each, Item) else self._item(each) for each in made]
        seen = {id(item) for item in before}
        with self._lock:
            others = [item for item in self._items if id(item) not in seen]
            pinned = [item for item in others if item.pinned]
            added = [item for item in others if not item.pinned]
            self._items = self._fitting([*pinned, *fresh, *added])

    def as_list(self) -> list[dict[str, Any]]:
        """Return the items as JSON data."""
        return [asdict(item) for item in self._items]

    def restore(self, items: Iterable[dict[str, Any]]) -> None:
        """Take over items from ``as_list``; those that exceed the limit, which may have changed, are pruned."""
        known = [self._item(each["text"], each["tokens"], pinned=each["pinned"]) for each in items]
        with self._lock:
            self._items = self._fitting(known)

    def _item(self, text: str, tokens: int | None = None, *, pinned: bool = False) -> Item:
        if not isinstance(text, str):
            raise BadValueError(f"an item of a context must be text, not {type(text).__name__}")
        return Item(text, count("tokens", self._count(text) if tokens is None else tokens), pinned)

    def _fitting(self, items: Sequence[Item], more: int = 0) -> tuple[Item, ...]:
        """Return the items without the oldest, so that they fit, and ``more`` tokens beside them."""
        excess = 0 if self.limit is None else sum(item.tokens for item in items) + more - self.limit
        kept = []
        for item in items:
            if excess > 0 and not item.pinned:
                excess -= item.tokens
            else:
                kept.append(item)
        if excess > 0:
            raise ContextFullError(f"{excess} tokens too many for the context of {self.agent}, limit {self.limit}")
        return tuple(kept)
