"""Which rows of a story are shown, and in which lines, when there is not room for all; must not know colours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from otel_agents.cli.rows import ERROR, Row, Tree

MAX_SHOWN: Final = 20  # children of one row
MAX_OPEN: Final = 5  # running children that are shown beyond that
ALL: Final = 10**9

Choose = Callable[[Sequence[Row]], list[Row]]


class Shown(NamedTuple):
    """One line: the row, or, where rows are left out, how many of each status."""

    stem: tuple[bool, ...]  # for each level from the outside, whether more follows on it
    row: Row | None
    more: Counter[str]


def first(rows: Sequence[Row]) -> list[Row]:
    """Keep the first, what failed and the latest of what runs."""
    running = [row for row in rows[MAX_SHOWN:] if row.is_alive][-MAX_OPEN:]
    return [row for place, row in enumerate(rows) if place < MAX_SHOWN or row.status == ERROR or row in running]


def running(rows: Sequence[Row]) -> list[Row]:
    """Keep what runs or waits, and the last that is over."""
    return [row for place, row in enumerate(rows) if row.is_alive or place == len(rows) - 1][-MAX_SHOWN:]


def alive(rows: Sequence[Row]) -> list[Row]:
    """Keep what runs or waits."""
    return [row for row in rows if row.is_alive][-MAX_SHOWN:]


def lines(tree: Tree, limit: int = ALL) -> list[Shown]:
    """Return the lines of a tree, at most `limit`: what is over is folded first, then left out."""
    whole = list(_below(tree.top, first, (), fold=False))
    if len(whole) <= limit:
        return whole
    folded = list(_below(tree.top, first, (), fold=True))
    if len(folded) <= limit:
        return folded
    return list(_below(tree.top, running, (), fold=True))[-limit:]


def _below(row: Row, choose: Choose, stem: tuple[bool, ...], *, fold: bool) -> Iterator[Shown]:
    shown = choose(row.children)
    more = Counter({status: number for status, number in row.hidden.items() if number > 0})
    kept = set(map(id, shown))
    more.update(child.status for child in row.children if id(child) not in kept)
    for child in shown:
        follows = (bool(more) and choose is not alive) or child is not shown[-1]
        at = (*stem, follows)
        yield Shown(at, child, Counter())
        yield from _below(child, alive if fold and not child.is_open else choose, at, fold=fold)
    if more and choose is not alive:
        yield Shown((*stem, False), None, more)
