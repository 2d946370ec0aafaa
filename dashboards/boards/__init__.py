"""Every board, in the order in which they are listed; must not know how Grafana writes them."""

from __future__ import annotations

from dashboards.boards import collector, humans, iterations, nodes, overview, runs, tokens, yolo
from dashboards.limits import Limits
from dashboards.model import Board


def boards(limits: Limits) -> tuple[Board, ...]:
    """Return all boards; limits are the lines that they draw."""
    return (
        overview.board(limits),
        runs.board(limits),
        nodes.board(),
        humans.board(limits),
        yolo.board(limits),
        iterations.board(),
        tokens.board(limits),
        collector.board(limits),
    )
