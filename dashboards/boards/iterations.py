"""Converging runs: iterations, phases, gates, delivery; must not know teams."""

from __future__ import annotations

from dashboards.logs import Logs
from dashboards.model import Board, Line, Row
from dashboards.panels import lines, series, table
from dashboards.queries import BOARD
from otel_agents.semconv import agents as a
from otel_agents.semconv import events as e
from otel_agents.semconv import metrics as m


def board() -> Board:
    """Return the board."""
    return Board(
        "iterations",
        "Agents: Iterations, Phases, Gates, Delivery",
        "How quickly runs converge, where the time goes, which gates stay closed, what is delivered.",
        m.RUN_ACTIVE,
        (_iterations(), _gates(), _logs()),
    )


def _iterations() -> Row:
    started = BOARD.rate(m.RUN_TRANSITIONS, a.FLEX_RUNTIME, where={a.FLEX_RUN_STATE: "start"})
    done = BOARD.rate(m.ITERATION_DURATION, a.FLEX_RUNTIME)
    return Row(
        "Iterations and phases",
        (
            series("Iterations", "By how they ended.", BOARD.rate(m.ITERATION_DURATION, a.FLEX_OUTCOME),
                   empty="nothing was iterated", width=8, stacked=True),
            series("Iterations for each run", "How many it takes to get through the gates.",
                   done.per(started, "{measurement}"), empty="nothing was iterated", width=8),
            series("Iteration duration, P95", "Points lead to traces.",
                   BOARD.quantile(0.95, m.ITERATION_DURATION, a.FLEX_OUTCOME), empty="nothing was iterated", width=8),
            series("Phase duration, P95", "Where the time of an iteration goes.",
                   BOARD.quantile(0.95, m.PHASE_DURATION, a.FLEX_PHASE_NAME), empty="no phase ended"),
            series("Phases", "By how they ended.", BOARD.rate(m.PHASE_DURATION, a.FLEX_PHASE_NAME, a.FLEX_OUTCOME),
                   empty="no phase ended"),
        ),
    )  # fmt: skip


def _gates() -> Row:
    closed = BOARD.rate(m.GATE_CHECKS, a.FLEX_GATE_NAME, where={a.FLEX_GATE_PASSED: "false"})
    return Row(
        "Gates and delivery",
        (
            table("Gates in this time", "How often each was passed, and how often not.",
                  Line(BOARD.added(m.GATE_CHECKS, a.FLEX_GATE_NAME, a.FLEX_GATE_PASSED), "checks"),
                  empty="no gate was checked", width=8),
            series("Closed gates", "Share of the checks of a gate that were not passed.",
                   closed.of(BOARD.rate(m.GATE_CHECKS, a.FLEX_GATE_NAME)), empty="all gates were open", width=8,
                   highest=1),
            series("Deliveries", "By how they ended.", BOARD.rate(m.DELIVERY_DURATION, a.FLEX_OUTCOME),
                   empty="nothing was delivered", width=8),
            series("Delivery duration, P95", "Points lead to traces.",
                   BOARD.quantile(0.95, m.DELIVERY_DURATION, a.FLEX_OUTCOME), empty="nothing was delivered", width=24),
        ),
    )  # fmt: skip


def _logs() -> Row:
    logs = Logs((e.ITERATION_COMPLETED, e.GATE_CHECKED, e.DELIVERY_COMPLETED))
    return Row("Logs", (lines("Iterations, gates, deliveries", "Each with its result.", logs,
                              empty="nothing was iterated"),))  # fmt: skip
