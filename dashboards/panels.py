"""Panels in few words: the four ways in which a board shows something; must not know what is shown."""

from __future__ import annotations

from typing import Final

from dashboards.logs import Logs
from dashboards.model import Line, Panel
from dashboards.queries import Query

GREEN: Final = "green"
ORANGE: Final = "orange"
RED: Final = "red"

Shown = Query | Line
Bounds = tuple[tuple[float, str], ...]


def _lines(shown: tuple[Shown, ...]) -> tuple[Line, ...]:
    return tuple(each if isinstance(each, Line) else Line(each) for each in shown)


def warns(value: float) -> Bounds:
    """Return the bound from which a value is drawn as something to look at."""
    return ((value, ORANGE),)


def fails(value: float) -> Bounds:
    """Return the bound from which a value is drawn as trouble."""
    return ((value, RED),)


def series(
    title: str,
    description: str,
    *shown: Shown,
    empty: str,
    width: int = 12,
    limits: Bounds = (),
    board: str = "",
    stacked: bool = False,
    lowest: float | None = 0.0,
    highest: float | None = None,
) -> Panel:
    """Return a panel of values over time."""
    return Panel(
        "series", title, description, _lines(shown), empty, width, limits, board, stacked, lowest, highest
    )  # fmt: skip


def stat(
    title: str, description: str, query: Query, *, empty: str, limits: Bounds = (), board: str = "", width: int = 4
) -> Panel:
    """Return a panel with one number, of now or of the whole time that is shown."""
    return Panel("stat", title, description, (Line(query, title),), empty, width, limits, board)


def table(title: str, description: str, *shown: Shown, empty: str, width: int = 12, board: str = "") -> Panel:
    """Return a table: a row for each set of labels, a column for each query."""
    return Panel("table", title, description, _lines(shown), empty, width, board=board)


def graph(title: str, description: str, nodes: Query, edges: Query, *, empty: str, width: int = 12) -> Panel:
    """Return a graph: nodes have the labels `id` and `title`, edges `id`, `source`, `target`, and both `mainstat`.

    That is the number which is shown, as text: Grafana looks for a field of that name, which a value never has.
    """
    return Panel("graph", title, description, (Line(nodes, "nodes"), Line(edges, "edges")), empty, width)


def lines(title: str, description: str, logs: Logs, *, empty: str, width: int = 24) -> Panel:
    """Return a panel of log lines."""
    return Panel("logs", title, description, (Line(logs),), empty, width)
