"""Runs and their planner; must not know what nodes do."""

from __future__ import annotations

from dashboards.limits import Limits
from dashboards.logs import Logs
from dashboards.model import Board, Line, Row
from dashboards.panels import fails, lines, series
from dashboards.queries import BOARD
from otel_agents.semconv import agents as a
from otel_agents.semconv import events as e
from otel_agents.semconv import metrics as m


def board(limits: Limits) -> Board:
    """Return the board."""
    return Board(
        "runs",
        "Agents: Runs and Planner",
        "How runs start, go on, end and are cancelled, and how well they are planned.",
        m.RUN_ACTIVE,
        (_running(limits), _ending(limits), _planning(limits), _logs()),
    )


def _running(limits: Limits) -> Row:
    return Row(
        "Running",
        (
            series("Active runs", "Runs that run; one that waits for a human does not.",
                   BOARD.now(m.RUN_ACTIVE, a.FLEX_RUNTIME), empty="no run yet", width=8, stacked=True),
            series("Oldest run", "Age of the oldest run that runs.",
                   BOARD.now(m.RUN_OLDEST_AGE, a.FLEX_RUNTIME, how="max"), empty="no run yet", width=8),
            series("Quietest run", "Longest time in which a running run did nothing; over the line StuckRuns fires.",
                   BOARD.now(m.RUN_LAST_PROGRESS_AGE, a.FLEX_RUNTIME, how="max"), empty="no run yet", width=8,
                   limits=fails(limits.quiet_run_s)),
        ),
    )  # fmt: skip


def _ending(limits: Limits) -> Row:
    return Row(
        "Ending",
        (
            series("States entered",
                   "Every state that runs enter, from `start` to their end, in the words of the audit.",
                   BOARD.rate(m.RUN_TRANSITIONS, a.FLEX_RUN_STATE), empty="no run yet"),
            series("Segments ended", "By status and by who runs them.",
                   BOARD.rate(m.RUN_STATUS, a.FLEX_RUN_STATUS, a.FLEX_RUNTIME), empty="no run ended"),
            series("Duration of a segment", "Half of the segments and 95 of 100 are done within this time.",
                   Line(BOARD.quantile(0.5, m.RUN_DURATION, a.FLEX_RUNTIME), "P50 {{runtime}}"),
                   Line(BOARD.quantile(0.95, m.RUN_DURATION, a.FLEX_RUNTIME), "P95 {{runtime}}"),
                   Line(BOARD.mean(m.RUN_DURATION, a.FLEX_RUNTIME), "mean {{runtime}}"), empty="no run ended"),
            series("Cancel latency, P95", "From the wish to cancel until the run obeys, by who asked.",
                   BOARD.quantile(0.95, m.RUN_CANCEL_LATENCY, a.FLEX_CANCEL_SOURCE), empty="nothing was cancelled",
                   limits=fails(limits.cancel_s)),
        ),
    )  # fmt: skip


def _planning(limits: Limits) -> Row:
    rejected = BOARD.rate(m.PLANNER_REJECTIONS, a.FLEX_RUNTIME).of(BOARD.rate(m.PLANNER_REQUESTS, a.FLEX_RUNTIME))
    return Row(
        "Planning",
        (
            series("Plans asked for", "By why: at first, again, or after a pause.",
                   BOARD.rate(m.PLANNER_REQUESTS, a.FLEX_PLAN_PHASE), empty="no plan was asked for", width=8),
            series("Plans accepted", "First plans, and newer versions by what made them necessary.",
                   Line(BOARD.rate(m.PLANNER_GENERATED), "first plans"),
                   Line(BOARD.rate(m.PLANNER_UPDATED, a.FLEX_PLAN_TRIGGER), "{{trigger}}"),
                   empty="no plan was accepted", width=8),
            series("Rejected share", "Of the plans that were asked for; over the line the objective is missed.",
                   rejected, empty="no plan was asked for", width=8, limits=fails(1 - limits.objective), highest=1),
            series("Rejections", "Plans that were not accepted.", BOARD.rate(m.PLANNER_REJECTIONS, a.FLEX_RUNTIME),
                   empty="no plan was rejected"),
            series("Planning time, P95", "By why a plan was made and how that ended.",
                   BOARD.quantile(0.95, m.PLANNER_DURATION, a.FLEX_PLAN_PHASE, a.FLEX_OUTCOME),
                   empty="no plan was asked for"),
        ),
    )  # fmt: skip


def _logs() -> Row:
    return Row(
        "Logs",
        (
            lines("Plans", "What the planner was asked, and what came of it.",
                  Logs((e.PLAN_REQUESTED, e.PLAN_REJECTED, e.PLAN_GENERATED, e.PLAN_UPDATED)),
                  empty="nothing was planned"),
            lines("Starts, ends and cancels", "Each run with its ids.",
                  Logs((e.START, e.COMPLETE, e.CANCEL_REQUESTED, e.CANCEL_ACKNOWLEDGED)), empty="no run"),
        ),
    )  # fmt: skip
