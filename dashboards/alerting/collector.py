"""Rules about the Collector: down, refusing, filling up, losing; must not know what the data says.

Load them only where there is a Collector: without one, it is down.
"""

from __future__ import annotations

from typing import Final

from dashboards.foreign import (
    BACKENDS,
    ENQUEUE_FAILED,
    OUTCOMES,
    QUEUE_CAPACITY,
    QUEUE_SIZE,
    REFUSED,
    SEND_FAILED,
    SIGNALS,
    TOO_EARLY,
    UPTIME,
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
    own = (_down(limits), _restarted(), _filling(limits), *losses)
    return (
        Group(FILE, "otel-agents-collector", own),
        Group(FILE, "otel-agents-collector-tiers", (*_gateways(limits), _sampler())),
    )


def _down(limits: Limits) -> Alert:
    up = f'up{{job="{limits.collector_job}"}}'
    return Alert(
        "CollectorDown", "critical",
        f"{up} == 0 or absent({up})",
        "The Collector is down",
        "Prometheus cannot scrape {{ if $labels.instance }}{{ $labels.instance }} of {{ end }}{{ $labels.job }}.",
        "collector", "5m",
    )  # fmt: skip


def _restarted() -> Alert:
    return Alert(
        "CollectorRestarted", "warning",
        f"sum by (job, {INSTANCE}) (resets({RULES.select(UPTIME)}[15m])) > 0",
        "The Collector was started again",
        "{{ $labels.instance }} of {{ $labels.job }} was started {{ $value }} times in 15 minutes; after a kill, what "
        "it held in memory is lost.",
        "collector",
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


def _gateways(limits: Limits) -> tuple[Alert, ...]:
    """Return what an agent sees of its gateways: one that is gone, and one that is there and does not take data."""
    known = RULES.now(BACKENDS, INSTANCE, how="max")
    most = str(known).replace(f"({RULES.select(BACKENDS)})", f"(max_over_time({RULES.select(BACKENDS)}[1h]))")
    failed = RULES.rate(OUTCOMES, INSTANCE, "endpoint", where={"success": "false"})
    return (
        Alert(
            "CollectorGatewayLost", "warning",
            f"{most} - {known} > 0",
            "Gateways are gone",
            "{{ $labels.instance }} of {{ $labels.job }} knows {{ $value }} gateways fewer than within the last hour.",
            "collector", "5m",
        ),
        Alert(
            "CollectorGatewayFailing", "warning",
            f"{failed.of(RULES.rate(OUTCOMES, INSTANCE, 'endpoint'))} > {limits.gateway_failures:g}",
            "The gateway {{ $labels.endpoint }} does not take traces",
            "{{ $value | humanizePercentage }} of the requests of {{ $labels.instance }} to the gateway "
            "{{ $labels.endpoint }} failed.",
            "collector", "5m",
        ),
    )  # fmt: skip


def _sampler() -> Alert:
    return Alert(
        "CollectorSamplerOverflow", "warning",
        f"{RULES.added(TOO_EARLY, INSTANCE)} > 0",
        "The sampler drops traces before it decides",
        "The sampler on {{ $labels.instance }} dropped {{ $value | humanize }} traces in 15 minutes before the "
        "decision about them: more came than it has room for.",
        "collector",
    )  # fmt: skip
