"""Rules about otel-agents itself: what it does not see, loses or gets wrong; must not know the Collector."""

from __future__ import annotations

from typing import Final

from dashboards.limits import Limits
from dashboards.model import Alert, Group
from dashboards.queries import INSTANCE, RULES
from otel_agents.semconv import agents as a
from otel_agents.semconv import metrics as m

FILE: Final = "otel-agents"


WATCHDOG: Final = Alert(
    "Watchdog",
    "none",
    "vector(1)",
    "Alerts can reach you",
    "This alert always fires; when it stops, Prometheus or Alertmanager does not work.",
    "overview",
)


def groups(limits: Limits) -> tuple[Group, ...]:
    """Return the group of this file; the limits do not matter here, since each of these is one too many."""
    return (Group(FILE, "otel-agents", (*_ours(), WATCHDOG)),)


def _ours() -> tuple[Alert, ...]:
    missing = RULES.now(m.PATCH_POINTS, a.ADAPTER, how="max", where={a.PATCH_STATE: "missing"})
    return (
        Alert(
            "PatchPointsMissing", "warning",
            f"{missing} > 0",
            "Part of {{ $labels.adapter }} is not observed",
            "{{ $value }} patch points of the adapter {{ $labels.adapter }} in {{ $labels.job }} were "
            "not found: the version of the framework is one that we do not know.",
            "collector", "5m",
        ),
        Alert(
            "EventsDropped", "warning",
            f"{RULES.added(m.EVENTS_DROPPED, INSTANCE, a.SUBSCRIBER)} > 0",
            "{{ $labels.subscriber }} misses events",
            "{{ $value | humanize }} events did not reach the subscriber {{ $labels.subscriber }} on "
            "{{ $labels.instance }} of {{ $labels.job }} in 15 minutes.",
            "collector",
        ),
        Alert(
            "InstrumentationErrors", "warning",
            f"{RULES.added(m.GUARD_ERRORS, a.PLACE)} > 0",
            "The instrumentation of {{ $labels.job }} fails at {{ $labels.place }}",
            "{{ $value | humanize }} errors of ours were swallowed at {{ $labels.place }} in {{ $labels.job }} in "
            "15 minutes; the program itself was not harmed, but telemetry is missing.",
            "collector",
        ),
        Alert(
            "LabelOverflow", "warning",
            f"{RULES.added(m.METRICS_OVERFLOW, a.INSTRUMENT)} > 0",
            "{{ $labels.instrument }} has too many label sets",
            "{{ $value | humanize }} measurements of {{ $labels.instrument }} in {{ $labels.job }} went to `_other` or "
            "were dropped in 15 minutes.",
            "collector",
        ),
    )  # fmt: skip
