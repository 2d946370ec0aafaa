"""A bounded tree of what happened, in the order of starts; must not know events or how it is shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

RUNNING: Final = "running"
WAITING: Final = "waiting"  # for a human
FACT: Final = "fact"  # takes no time
OK: Final = "ok"
ERROR: Final = "error"
UNTOLD: Final = "untold"  # its run is over, and no event told of its own end
UNENDED: Final = "unended"  # the program is over, and it was still running

MAX_ROOTS: Final = 50
MAX_CHILDREN: Final = 100
MAX_ROWS: Final = 3000
MAX_UNKEPT: Final = 10_000  # open rows that are not kept, and are watched for their end
MAX_FAILURES: Final = 20  # failed children that are kept beyond that


@dataclass(slots=True, eq=False)
class Row:
    """One line of the tree: an operation, a fact or a wait. Times are in seconds, `started_s` since 1970."""

    kind: str
    name: str
    started_s: float
    status: str = RUNNING
    detail: str = ""
    result: str = ""
    duration_s: float | None = None
    attempt: int = 1
    failure: str = ""  # class of the error of the last failed attempt
    tokens: tuple[int, int] | None = None
    run_id: str = ""
    key: str = ""
    parent: Row | None = None
    children: list[Row] = field(default_factory=list)
    hidden: Counter[str] = field(default_factory=Counter)  # children that are not kept, by status
    is_kept: bool = True

    @property
    def is_open(self) -> bool:
        """Whether time still runs for it."""
        return self.status in (RUNNING, WAITING)

    def seconds(self, now_s: float) -> float | None:
        """Return how long it took, or has taken so far; None for what takes no time."""
        return max(now_s - self.started_s, 0.0) if self.is_open else self.duration_s

    def every(self) -> Iterator[Row]:
        """Return the row and all below it, as they stand in the tree."""
        yield self
        for child in self.children:
            yield from child.every()

    @property
    def is_alive(self) -> bool:
        """Whether time still runs for it or for anything below it."""
        return self.is_open or any(child.is_alive for child in self.children)

    def around(self) -> Iterator[Row]:
        """Return the rows around it, the nearest first."""
        row = self.parent
        while row is not None and row.parent is not None:
            yield row
            row = row.parent

    def used(self) -> tuple[int, int]:
        """Return the model tokens that it used, or, while it has not told, those that are known below it."""
        if self.tokens is not None:
            return self.tokens
        below = [child.used() for child in self.children]
        return sum(each[0] for each in below), sum(each[1] for each in below)


class Tree:
    """Keeps the first rows below each row, all that failed, and the newest roots; the others are counted."""

    def __init__(self) -> None:
        self.top = Row("program", "", 0.0)
        self._rows: dict[str, Row] = {}
        self._unkept: dict[str, Row] = {}  # open ones
        self._kept = 0

    @property
    def roots(self) -> list[Row]:
        """What has nothing around it, oldest first."""
        return self.top.children

    def find(self, key: str) -> Row | None:
        """Return a row that was planted under this key and is not forgotten."""
        return self._rows.get(key) or self._unkept.get(key)

    def plant(self, row: Row, around: Row | None) -> None:
        """Add a row to its parent, or as a root."""
        parent = row.parent = around or self.top
        if parent is self.top and len(self.roots) >= MAX_ROOTS:
            self._forget()
        limit = MAX_ROOTS if parent is self.top else MAX_CHILDREN
        row.is_kept = parent.is_kept and len(parent.children) < limit and self._kept < MAX_ROWS
        if row.is_kept:
            self._insert(row, parent)
        else:
            parent.hidden[row.status] += 1
        if row.key and row.is_kept:
            self._rows[row.key] = row
        elif row.key and row.is_open:
            self._watch(row)

    def change(self, row: Row, status: str) -> None:
        """Give a row another status."""
        before, row.status = row.status, status
        if row.is_kept or row.parent is None:
            return
        row.parent.hidden[before] -= 1
        self._unkept.pop(row.key, None)
        if status == ERROR and self._has_room(row.parent):
            row.is_kept = True
            self._insert(row, row.parent)
            return
        row.parent.hidden[status] += 1

    def settle(self, run_id: str, status: str) -> None:
        """Give all rows of a run that still run another status."""
        kept = [row for root in self.roots for row in root.every() if row.run_id == run_id]
        for row in [*kept, *(row for row in self._unkept.values() if row.run_id == run_id)]:
            if row.status == RUNNING:
                self.change(row, status)

    def _watch(self, row: Row) -> None:
        if len(self._unkept) >= MAX_UNKEPT:
            self.change(next(iter(self._unkept.values())), UNTOLD)
        self._unkept[row.key] = row

    def _insert(self, row: Row, parent: Row) -> None:
        siblings, place = parent.children, len(parent.children)
        while place and siblings[place - 1].started_s > row.started_s:
            place -= 1
        siblings.insert(place, row)
        self._kept += 1

    def _has_room(self, parent: Row) -> bool:
        room = parent.is_kept and self._kept < MAX_ROWS + MAX_CHILDREN
        return room and len(parent.children) < MAX_CHILDREN + MAX_FAILURES

    def _forget(self) -> None:
        """Forget the oldest root that is over."""
        old = next((root for root in self.roots if not root.is_open), None)
        if old is None:
            return
        self.roots.remove(old)
        self.top.hidden[old.status] += 1
        for row in old.every():
            self._kept -= 1
            self._rows.pop(row.key, None)
