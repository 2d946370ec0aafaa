"""Nodes: agents, tools and steps, by what they are able to do; must not know runs."""

from __future__ import annotations

from typing import Final

from dashboards.logs import Logs
from dashboards.model import Board, Line, Row
from dashboards.panels import lines, series, table
from dashboards.queries import BOARD
from otel_agents.semconv import agents as a
from otel_agents.semconv import events as e
from otel_agents.semconv import metrics as m

MOST: Final = 10
FAILED: Final = {a.FLEX_OUTCOME: "error"}


def board() -> Board:
    """Return the board."""
    return Board(
        "nodes",
        "Agents: Nodes",
        "How often nodes are executed, how long that takes, how often it fails and is tried again.",
        m.RUN_ACTIVE,
        (_sums(), _each(), _logs()),
    )


def _sums() -> Row:
    share = BOARD.rate(m.NODE_DURATION, a.FLEX_NODE_KIND, where=FAILED).of(
        BOARD.rate(m.NODE_DURATION, a.FLEX_NODE_KIND)
    )
    return Row(
        "All nodes",
        (
            series("Executions", "By what a node is: agent, tool or step.",
                   BOARD.rate(m.NODE_DURATION, a.FLEX_NODE_KIND), empty="no node ended", width=8, stacked=True),
            series("Failed share", "Of the executions of a kind; one that failed at first and was tried again is none.",
                   share, empty="no node failed", width=8, highest=1),
            series("Duration, P95", "With all attempts. Points lead to traces.",
                   BOARD.quantile(0.95, m.NODE_DURATION, a.FLEX_NODE_KIND), empty="no node ended", width=8),
        ),
    )  # fmt: skip


def _each() -> Row:
    name = a.FLEX_CAPABILITY_ID
    done = BOARD.added(m.NODE_DURATION, name, a.FLEX_NODE_KIND)
    failed = BOARD.added(m.NODE_DURATION, name, a.FLEX_NODE_KIND, where=FAILED)
    return Row(
        "Each capability",
        (
            table("Capabilities in this time", "A row for each capability and kind.",
                  Line(done, "executions"), Line(failed.or_none(done), "failed"),
                  empty="no node ended", width=24),
            series(f"The {MOST} most used", "Executions a second.",
                   BOARD.rate(m.NODE_DURATION, name).top(MOST), empty="no node ended"),
            series(f"The {MOST} slowest, P95", "With all attempts. Points lead to traces.",
                   BOARD.quantile(0.95, m.NODE_DURATION, name).top(MOST), empty="no node ended"),
            series("Failures", "Executions that failed, after all attempts.",
                   BOARD.rate(m.NODE_DURATION, name, where=FAILED), empty="no node failed"),
            series("Retries", "Further attempts, also those that then succeeded.",
                   BOARD.rate(m.NODE_RETRIES, name), empty="nothing was tried again"),
        ),
    )  # fmt: skip


def _logs() -> Row:
    logs = Logs((e.NODE_ERROR, e.NODE_RETRY))
    return Row("Logs", (lines("Failed attempts", "Each attempt that failed, and each that follows.", logs,
                              empty="no attempt failed"),))  # fmt: skip
