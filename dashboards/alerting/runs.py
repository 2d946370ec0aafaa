"""Rules about runs, whoever runs them: stuck, lost, retried, cancelled, invalid; must not know objectives."""

from __future__ import annotations

from typing import Final

from dashboards.foreign import ACCEPTED
from dashboards.limits import Limits
from dashboards.model import Alert, Group, Recording
from dashboards.queries import INSTANCE, RULES, Query, Reader
from otel_agents.semconv import agents as a
from otel_agents.semconv import metrics as m
from otel_agents.semconv.export import prometheus_name
from otel_agents.semconv.model import Metric

FILE: Final = "runs"
EVERYWHERE: Final = Reader()  # the Collector has another job than those who send to it

RUN_MEAN: Final = Metric(
    "job_runtime:flex_run_duration_seconds:mean1h", "gauge", "s", "Average duration of a run segment.",
    ("job", a.FLEX_RUNTIME),
)  # fmt: skip


def groups(limits: Limits) -> tuple[Group, ...]:
    """Return the groups of this file."""
    mean = Recording(RUN_MEAN, str(RULES.mean(m.RUN_DURATION, a.FLEX_RUNTIME, window="1h")))
    return (
        Group(FILE, "otel-agents-runs-records", (mean,)),
        Group(FILE, "otel-agents-runs", (*_silence(limits), *_humans(limits), *_quality(limits))),
    )


def _silence(limits: Limits) -> tuple[Alert, ...]:
    quiet = RULES.now(m.RUN_LAST_PROGRESS_AGE, INSTANCE, a.FLEX_RUNTIME, how="max")
    active = prometheus_name(m.RUN_ACTIVE)
    # What ended a node or changed a state was told by a span or a log record. A run in one long node is told by none.
    done = " + ".join(_or_none(EVERYWHERE.increase(each, span="10m")) for each in (m.NODE_DURATION, m.RUN_TRANSITIONS))
    arriving = " + ".join(_or_none(EVERYWHERE.added(ACCEPTED[each], span="10m")) for each in ("spans", "log_records"))
    # A target that is scraped no more was taken off the list: a program that is over is not asked for its last word.
    dismissed = "(last_over_time(up[15m]) unless up)"
    there = f'max(up{{job="{limits.collector_job}"}}) == 1'
    return (
        Alert(
            "StuckRuns", "critical",
            f"{quiet} > {limits.quiet_run_s}",
            "A run of {{ $labels.runtime }} makes no progress",
            "On {{ $labels.instance }} of {{ $labels.job }} a run of {{ $labels.runtime }} has done nothing for "
            "{{ $value | humanizeDuration }}.",
            "runs", "5m",
        ),
        Alert(
            "RunsLostFromView", "critical",
            f"last_over_time({active}[15m]) > 0 unless {active} unless on (job, instance) {dismissed}",
            "{{ $labels.instance }} went away while runs were active",
            "{{ $labels.instance }} of {{ $labels.job }} reports no more; the last that it said was {{ $value }} "
            "active runs of {{ $labels.runtime }}.",
            "runs", "2m",
        ),
        Alert(
            "NoTelemetryWhileRunsActive", "critical",
            f"{done} > 0 and {arriving} == 0 and {there}",
            "Runs are active, and nothing arrives at the Collector",
            "Runs did {{ $value | humanize }} things in 10 minutes, and the Collector got neither a span nor a log "
            "record of them.",
            "collector", "5m",
        ),
    )  # fmt: skip


def _or_none(query: Query) -> str:
    """Return a sum that is 0 as long as there is no series: a Collector that never got anything has none."""
    return f"({query} or vector(0))"


def _humans(limits: Limits) -> tuple[Alert, ...]:
    pending = RULES.now(m.HITL_PENDING, a.FLEX_RUNTIME, how="max")
    before = str(pending).replace(prometheus_name(m.HITL_PENDING), f"{prometheus_name(m.HITL_PENDING)} offset 30m")
    answers = RULES.increase(m.RUN_CANCEL_LATENCY, a.FLEX_RUNTIME, span="1h")
    slowest = RULES.quantile(0.95, m.RUN_CANCEL_LATENCY, a.FLEX_RUNTIME, window="1h")
    return (
        Alert(
            "HitlQueueGrowing", "warning",
            f"{pending} > {limits.pending} and {pending} > {before}",
            "Questions to humans pile up",
            "{{ $value }} questions of {{ $labels.runtime }} in {{ $labels.job }} wait for an answer, more than "
            "30 minutes ago.",
            "humans", "15m",
        ),
        Alert(
            "CancelLatencyHigh", "warning",
            f"{slowest} > {limits.cancel_s} and {answers} >= {limits.cancels}",
            "Cancels of {{ $labels.runtime }} take long",
            "Of 100 cancels of {{ $labels.runtime }} in {{ $labels.job }}, 5 took longer than "
            "{{ $value | humanizeDuration }} in the last hour.",
            "runs", "5m",
        ),
    )  # fmt: skip


def _quality(limits: Limits) -> tuple[Alert, ...]:
    retries = RULES.added(m.NODE_RETRIES, a.FLEX_CAPABILITY_ID, a.FLEX_RUNTIME, span="10m")
    done = RULES.added(m.NODE_DURATION, a.FLEX_CAPABILITY_ID, a.FLEX_RUNTIME, span="10m")
    errors = RULES.increase(m.VALIDATION_ERRORS, a.FLEX_VALIDATION_SCOPE, a.FLEX_RUNTIME)
    return (
        Alert(
            "RetryStorm", "warning",
            # A node that is still tried again has not ended: without executions beside them, retries count alone.
            f"{retries} >= {limits.retries} unless {retries} < {done}",
            "{{ $labels.capability }} is tried again and again",
            "{{ $value | humanize }} retries of {{ $labels.capability }} ({{ $labels.runtime }}, {{ $labels.job }}) in "
            "10 minutes, at least one for each execution.",
            "nodes", "5m",
        ),
        Alert(
            "ValidationFailing", "warning",
            f"{errors} > {limits.validation_errors}",
            "Validations of {{ $labels.scope }} fail",
            "{{ $value | humanize }} errors in {{ $labels.scope }} of {{ $labels.runtime }} in {{ $labels.job }} in 15 "
            "minutes.",
            "humans", "5m",
        ),
    )  # fmt: skip
