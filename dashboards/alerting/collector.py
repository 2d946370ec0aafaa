"""Rules about the Collector: down, refusing, filling up, losing; must not know what the data says.

Load them only where there is a Collector: without one, it is down.
"""

from __future__ import annotations

from typing import Final

from dashboards.foreign import (
    ENQUEUE_FAILED,
    QUEUE_CAPACITY,
    QUEUE_SIZE,
    REFUSED,
    SEND_FAILED,
    SIGNALS,
    Signal,
)
from dashboards.limits import Limits
from dashboards.model import Alert, Group
from dashboards.queries import INSTANCE, RULES
from otel_agents.semconv.export import prometheus_name

FILE: Final = "collector"
SIGNAL: Final = "signal"
QUEUE: Final = ("exporter", "data_type")


def groups(limits: Limits) -> tuple[Group, ...]:
    """Return the groups of this file."""
    losses = tuple(rule for signal in SIGNALS for rule in _losses(signal))
    return (Group(FILE, "otel-agents-collector", (_down(limits), _filling(limits), *losses)),)


def _down(limits: Limits) -> Alert:
    up = f'up{{job="{limits.collector_job}"}}'
    return Alert(
        "CollectorDown", "critical",
        f"{up} == 0 or absent({up})",
        "The Collector is down",
        "Prometheus cannot scrape {{ if $labels.instance }}{{ $labels.instance }} of {{ end }}{{ $labels.job }}.",
        "collector", "5m",
    )  # fmt: skip


def _filling(limits: Limits) -> Alert:
    size = RULES.now(QUEUE_SIZE, INSTANCE, *QUEUE, how="max")
    capacity = RULES.now(QUEUE_CAPACITY, INSTANCE, *QUEUE, how="max")
    name = prometheus_name(QUEUE_SIZE)
    ahead = str(size).replace(f"({name})", f"(predict_linear({name}[30m], 3600))")
    return Alert(
        "CollectorQueueFilling", "warning",
        f"{size} / {capacity} > {limits.queue_share:g} or ({size} / {capacity} > 0.3 and {ahead} > {capacity})",
        "The queue of {{ $labels.exporter }} fills up",
        "The queue of {{ $labels.exporter }} for {{ $labels.data_type }} on {{ $labels.instance }} is "
        "{{ $value | humanizePercentage }} full, and is full or will be within an hour.",
        "collector", "5m",
    )  # fmt: skip


def _losses(signal: Signal) -> tuple[Alert, ...]:
    refused = RULES.added(REFUSED[signal], INSTANCE, "receiver")
    overflowed = RULES.added(ENQUEUE_FAILED[signal], INSTANCE, "exporter")
    failed = RULES.added(SEND_FAILED[signal], INSTANCE, "exporter")
    what = signal.replace("_", " ")
    return (
        Alert(
            "CollectorRefused", "warning",
            f"{refused} > 0",
            f"The Collector pushes {what} back",
            f"{{{{ $labels.receiver }}}} on {{{{ $labels.instance }}}} refused {{{{ $value | humanize }}}} {what} in "
            "15 minutes; senders that do not try again lose them.",
            "collector", "5m", {SIGNAL: signal},
        ),
        Alert(
            "CollectorEnqueueFailed", "critical",
            f"{overflowed} > 0",
            f"The queue of {{{{ $labels.exporter }}}} takes no more {what}",
            f"{{{{ $value | humanize }}}} {what} found no room in the queue of {{{{ $labels.exporter }}}} on "
            "{{ $labels.instance }} in 15 minutes.",
            "collector", "", {SIGNAL: signal},
        ),
        Alert(
            "CollectorSendFailed", "critical",
            f"{failed} > 0",
            f"{{{{ $labels.exporter }}}} gave up {what}",
            f"{{{{ $labels.exporter }}}} on {{{{ $labels.instance }}}} lost {{{{ $value | humanize }}}} {what} in "
            "15 minutes: the backend refused them, or all retries failed.",
            "collector", "", {SIGNAL: signal},
        ),
    )  # fmt: skip
