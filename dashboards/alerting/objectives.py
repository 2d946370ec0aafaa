"""Service level objectives and how fast their error budget burns; must not know other alerts.

Windows and factors are those of Google's SRE workbook: a budget of 30 days, of which two windows, both over the
threshold, have spent a stated part. Each objective writes the same series, told apart by the label `slo`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from dashboards.limits import Limits
from dashboards.model import Alert, Group, Recording, Severity
from dashboards.queries import RULES, SHARE, Query
from otel_agents.semconv import agents as a
from otel_agents.semconv import metrics as m
from otel_agents.semconv.agents import FLEX_RUNTIME
from otel_agents.semconv.model import Metric

FILE: Final = "objectives"
SLO: Final = "slo"
LABELS: Final = ("job", FLEX_RUNTIME, SLO)
PERIOD: Final = "30d"


@dataclass(frozen=True, slots=True)
class Burn:
    """A pair of windows, the rate at which the budget must burn in both, and how urgent that is."""

    long: str
    short: str
    factor: float
    severity: Severity


BURNS: Final = (
    Burn("1h", "5m", 14.4, "critical"),
    Burn("6h", "30m", 6, "critical"),
    Burn("1d", "2h", 3, "warning"),
    Burn("3d", "6h", 1, "warning"),
)
LONG: Final = tuple(burn.long for burn in BURNS)
WINDOWS: Final = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")

LATE: Final = Metric("slo:hitl_late:bool", "gauge", SHARE, "1 while the oldest question waits too long.", LABELS)
ERRORS: Final = {
    window: Metric(f"slo:error:ratio_rate{window}", "gauge", SHARE, f"Share that failed in {window}.", LABELS)
    for window in (*WINDOWS, PERIOD)
}
EVENTS: Final = {
    window: Metric(f"slo:events:increase{window}", "gauge", "{event}", f"What counted in {window}.", LABELS)
    for window in LONG
}
BUDGET: Final = Metric(
    "slo:error_budget_remaining:ratio", "gauge", SHARE, "Share of the error budget of 30 days that is left.", LABELS
)


@dataclass(frozen=True, slots=True)
class Objective:
    """One objective: what is counted, the alert, and what to say. One without events is a share of time."""

    name: str
    alert: str
    summary: str
    of_what: str
    board: str
    bad: tuple[Metric, dict[str, str]] | None = None
    valid: tuple[Metric, dict[str, str]] | None = None

    def error(self, window: str) -> str:
        """Return the share that failed."""
        bad, valid = _increase(self.bad, window), _increase(self.valid, window)
        if bad is None or valid is None:
            return f"avg_over_time({LATE.name}[{window}])"
        return str(bad.of(valid))

    def events(self, window: str) -> str | None:
        """Return how many events there were, None for a share of time."""
        valid = _increase(self.valid, window)
        return None if valid is None else str(valid)


# A pause is no end, and a cancel is what somebody wanted: neither is in the sum.
OBJECTIVES: Final = (
    Objective(
        "run_success", "RunSuccessBudgetBurn", "Too many runs of {{ $labels.runtime }} fail",
        "of the runs of {{ $labels.runtime }} in {{ $labels.job }} failed", "runs",
        bad=(m.RUN_STATUS, {a.FLEX_RUN_STATUS: "failed"}),
        valid=(m.RUN_STATUS, {a.FLEX_RUN_STATUS: "completed|failed"}),
    ),
    Objective(
        "hitl_answer", "HitlAnswerBudgetBurn", "Questions of {{ $labels.runtime }} wait too long",
        "of the time the oldest question of {{ $labels.runtime }} in {{ $labels.job }} was late", "humans",
    ),
    Objective(
        "plan_acceptance", "PlanRejectionBudgetBurn", "Too many plans of {{ $labels.runtime }} are rejected",
        "of the plans of {{ $labels.runtime }} in {{ $labels.job }} were rejected", "runs",
        bad=(m.PLANNER_REJECTIONS, {}), valid=(m.PLANNER_REQUESTS, {}),
    ),
)  # fmt: skip


def _increase(counted: tuple[Metric, dict[str, str]] | None, window: str) -> Query | None:
    return counted and RULES.increase(counted[0], FLEX_RUNTIME, where=counted[1], span=window)


def groups(limits: Limits) -> tuple[Group, ...]:
    """Return the groups of this file: what is recorded quickly, what slowly, and the alerts."""
    oldest = RULES.now(m.HITL_OLDEST_AGE, FLEX_RUNTIME, how="max")
    late = Recording(LATE, f"{oldest} > bool {limits.answer_s}")
    alerts = tuple(_alert(each, burn, limits) for each in OBJECTIVES for burn in BURNS)
    return (
        Group(FILE, "otel-agents-objectives-records", (late, *(each for one in OBJECTIVES for each in _records(one)))),
        Group(FILE, "otel-agents-objectives-budgets", tuple(_budgets(limits)), "10m"),
        Group(FILE, "otel-agents-objectives", alerts),
    )


def _records(objective: Objective) -> list[Recording]:
    labels = {SLO: objective.name}
    errors = [Recording(ERRORS[window], objective.error(window), labels) for window in WINDOWS]
    events = ((window, objective.events(window)) for window in LONG)
    return errors + [Recording(EVENTS[window], expr, labels) for window, expr in events if expr is not None]


def _budgets(limits: Limits) -> list[Recording]:
    errors = [Recording(ERRORS[PERIOD], each.error(PERIOD), {SLO: each.name}) for each in OBJECTIVES]
    return [*errors, Recording(BUDGET, f"1 - {ERRORS[PERIOD].name} / {_budget(limits):g}")]


def _budget(limits: Limits) -> float:
    return round(1 - limits.objective, 6)


def _alert(objective: Objective, burn: Burn, limits: Limits) -> Alert:
    most = round(burn.factor * _budget(limits), 6)
    own = f'{{{SLO}="{objective.name}"}}'
    parts = [f"{ERRORS[window].name}{own} > {most:g}" for window in (burn.long, burn.short)]
    if objective.valid is not None:
        parts.append(f"{EVENTS[burn.long].name}{own} >= {limits.events}")
    elif burn.severity == "critical":
        # One late question is for the morning.
        waiting = RULES.now(m.HITL_PENDING, FLEX_RUNTIME, how="max")
        parts.append(f"on ({', '.join(waiting.labels)}) {waiting} > {limits.pending}")
    return Alert(
        objective.alert,
        burn.severity,
        " and ".join(parts),
        objective.summary,
        f"{{{{ $value | humanizePercentage }}}} {objective.of_what} in {burn.long}. With {limits.objective:.0%} as "
        f"objective, the error budget of 30 days burns at {burn.factor:g} times its rate.",
        objective.board,
        labels={"long": burn.long, "short": burn.short},
    )
