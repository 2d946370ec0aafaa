"""The oldest metric names, for dashboards that still ask for them; must not know anything that is not renaming.

They only rename or drop labels, of series that one process wrote and that start anew together, so that `rate` after
them is right also when one of several processes was started again.
"""

from __future__ import annotations

from typing import Final

from dashboards.model import Group, Recording
from dashboards.queries import Reader, label
from otel_agents.semconv import agents as a
from otel_agents.semconv import metrics as m
from otel_agents.semconv.export import HISTOGRAM_SERIES
from otel_agents.semconv.model import Instrument, Metric

FILE: Final = "older-names"
PLAIN: Final = Reader()
RUNTIME: Final = {a.FLEX_RUNTIME: "convergence"}
SCOPE: Final = ("otel_scope_name", "otel_scope_version", "otel_scope_schema_url")
RESULTS: Final = {"completed": "succeeded", "failed": "failed", "cancelled": "canceled"}
ENDED: Final = {a.FLEX_RUN_STATUS: "!awaiting_hitl"}  # a pause was no end there


def groups() -> tuple[Group, ...]:
    """Return the groups of this file."""
    ended = (
        _renamed(
            "agentgate_runs_completed_total", "counter", m.RUN_STATUS, (a.FLEX_RUN_STATUS,),
            where={a.FLEX_RUN_STATUS: status}, labels={"result": result},
        )
        for status, result in RESULTS.items()
    )  # fmt: skip
    rules = (
        _renamed(
            "agentgate_runs_started_total", "counter", m.RUN_TRANSITIONS, (a.FLEX_RUN_STATE,),
            where={a.FLEX_RUN_STATE: "start"},
        ),
        *ended,
        _renamed("agentgate_active_runs", "gauge", m.RUN_ACTIVE, ()),
        _renamed("agentgate_iterations_total", "counter", m.ITERATION_DURATION, (a.FLEX_OUTCOME,), part="count"),
        *_histogram("agentgate_run_duration_seconds", m.RUN_DURATION, a.FLEX_RUN_STATUS, ENDED),
        *_histogram("agentgate_iteration_duration_seconds", m.ITERATION_DURATION, a.FLEX_OUTCOME, {}),
        *_histogram("agentgate_phase_duration_seconds", m.PHASE_DURATION, a.FLEX_OUTCOME, {}),
    )  # fmt: skip
    return (Group(FILE, "otel-agents-older-names", rules),)


def _histogram(name: str, metric: Metric, dropped: str, where: dict[str, str]) -> list[Recording]:
    return [
        _renamed(f"{name}_{part}", "gauge", metric, (dropped,), where=where, part=part) for part in HISTOGRAM_SERIES
    ]


def _renamed(
    name: str,
    instrument: Instrument,
    metric: Metric,
    dropped: tuple[str, ...],
    *,
    where: dict[str, str] | None = None,
    part: str = "",
    labels: dict[str, str] | None = None,
) -> Recording:
    """Return a rule for an older name: ``dropped`` are attributes whose labels it did not have."""
    gone = ", ".join((*(label(metric, each) for each in (a.FLEX_RUNTIME, *dropped)), *SCOPE))
    left = tuple(each for each in metric.labels if each not in (a.FLEX_RUNTIME, *dropped))
    unit = metric.unit if part not in ("bucket", "count") else "{run}"
    row = Metric(name, instrument, unit, f"As the older system named {metric.name}.", (*left, *(labels or {})))
    return Recording(row, f"sum without ({gone}) ({PLAIN.select(metric, RUNTIME | (where or {}), part)})", labels or {})
