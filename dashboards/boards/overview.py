"""The board to open first: is it working, what burns, who is asked; must not know details of any kind."""

from __future__ import annotations

from dashboards.alerting.objectives import BUDGET, ERRORS
from dashboards.foreign import ALERTS
from dashboards.limits import Limits
from dashboards.logs import Logs
from dashboards.model import Board, Line, Row
from dashboards.panels import fails, lines, series, stat, table, warns
from dashboards.queries import BOARD, SHARE, Query, Reader
from otel_agents.semconv import agents as a
from otel_agents.semconv import events as e
from otel_agents.semconv import metrics as m

FIRING = Reader()
# Objectives are recorded for a job, all of its instances together.
OBJECTIVE = '{job=~"$job", runtime=~"$runtime"}'


def _objective(name: str, how: str, kept: str) -> Query:
    return Query(f"{how} by ({kept}) ({name}{OBJECTIVE})", SHARE, tuple(kept.split(", ")))


def board(limits: Limits) -> Board:
    """Return the board."""
    return Board(
        "overview",
        "Agents: Overview and SLO",
        "What all agents of the chosen jobs do, whether they keep what was promised, and which alerts fire.",
        m.RUN_ACTIVE,
        (_now(limits), _promises(limits), _traffic(), _logs()),
    )


def _now(limits: Limits) -> Row:
    ended = BOARD.added(m.RUN_STATUS, where={a.FLEX_RUN_STATUS: "completed|failed"})
    failed = BOARD.added(m.RUN_STATUS, where={a.FLEX_RUN_STATUS: "failed"})
    return Row(
        "Now",
        (
            stat("Active runs", "Runs that run at this moment.", BOARD.now(m.RUN_ACTIVE), empty="no run yet",
                 board="runs"),
            stat(
                "Runs ended", "Run segments that ended in this time, pauses among them.", BOARD.added(m.RUN_STATUS),
                empty="none ended", board="runs",
            ),
            stat(
                "Failed share",
                "Of the runs that ended in this time, the share that failed; pauses and cancels left out.",
                failed.of(ended), empty="none ended", limits=fails(1 - limits.objective), board="runs",
            ),
            stat(
                "Quietest run", "Longest time in which a running run did nothing.",
                BOARD.now(m.RUN_LAST_PROGRESS_AGE, how="max"), empty="no run yet",
                limits=fails(limits.quiet_run_s), board="runs",
            ),
            stat(
                "Open questions", "Questions to humans without an answer.", BOARD.shared(m.HITL_PENDING),
                empty="nobody was asked", limits=warns(limits.pending), board="humans",
            ),
            stat(
                "Oldest question", "How long the oldest question has been waiting.",
                BOARD.now(m.HITL_OLDEST_AGE, how="max"), empty="nobody was asked",
                limits=fails(limits.answer_s), board="humans",
            ),
        ),
    )  # fmt: skip


def _promises(limits: Limits) -> Row:
    firing = FIRING.now(ALERTS, "alertname", "severity", where={"alertstate": "firing"})
    return Row(
        "Promises",
        (
            series(
                "Share that failed, in an hour",
                "For each objective the share of runs, plans, or time that failed in the last hour. The line is "
                "what the "
                "objective allows in the long run.",
                _objective(ERRORS["1h"].name, "max", "slo, runtime"),
                empty="nothing ended, or objectives.yaml is not loaded", width=8, limits=fails(1 - limits.objective),
                highest=1,
            ),
            series(
                "Error budget left, of 30 days",
                "What may still fail before the objective is missed; below 0 it is missed.",
                _objective(BUDGET.name, "min", "slo, runtime"),
                empty="nothing ended, or objectives.yaml is not loaded", width=8, lowest=None,
                highest=1,
            ),
            table(
                "Alerts that fire", "By name and severity. Watchdog always fires: it proves that alerts work.",
                Line(firing, "alerts"), empty="load the rules: even Watchdog is missing", width=8,
            ),
        ),
    )  # fmt: skip


def _traffic() -> Row:
    return Row(
        "Traffic",
        (
            series(
                "Runs started", "Runs that started, by who runs them; those that go on after a pause are left out.",
                BOARD.rate(m.RUN_TRANSITIONS, a.FLEX_RUNTIME, where={a.FLEX_RUN_STATE: "start"}),
                empty="no run started", board="runs",
            ),
            series(
                "Run segments ended", "How run segments ended. A pause for a human is `awaiting_hitl`.",
                BOARD.rate(m.RUN_STATUS, a.FLEX_RUN_STATUS), empty="no run ended", stacked=True, board="runs",
            ),
            series(
                "Run duration, P95", "Waits for humans are left out. Points lead to traces.",
                BOARD.quantile(0.95, m.RUN_DURATION, a.FLEX_RUNTIME), empty="no run ended", board="runs",
            ),
            series(
                "Node executions", "Agents, tools and steps by how they ended.",
                BOARD.rate(m.NODE_DURATION, a.FLEX_OUTCOME), empty="no node ended", stacked=True, board="nodes",
            ),
        ),
    )  # fmt: skip


def _logs() -> Row:
    failed = Logs((e.COMPLETE,), {a.FLEX_RUN_STATUS: "failed"})
    return Row("Logs", (lines("Failed runs", "The end of each run that failed; its trace is one click away.", failed,
                              empty="no run failed"),))  # fmt: skip
