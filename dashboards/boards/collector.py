"""The way of telemetry: from our own bookkeeping through the Collector, and what got lost; must not know runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from dashboards.foreign import (
    ACCEPTED,
    BACKENDS,
    CPU,
    ENQUEUE_FAILED,
    INCOMING,
    LIMITED,
    MEMORY,
    OUTCOMES,
    OUTGOING,
    QUEUE_CAPACITY,
    QUEUE_SIZE,
    REFUSED,
    SEND_FAILED,
    SENT,
    SIGNALS,
    TOO_EARLY,
    UNDECIDED,
    UP,
    UPTIME,
    Signal,
)
from dashboards.limits import Limits
from dashboards.model import Board, Line, Panel, Row
from dashboards.panels import fails, series, stat, table, warns
from dashboards.queries import BOARD, INSTANCE, Reader
from otel_agents.semconv import agents as a
from otel_agents.semconv import metrics as m
from otel_agents.semconv.model import Metric

# The Collector is a job of its own, so that the variables of those who send to it do not choose it.
COLLECTOR: Final = replace(BOARD, variables=("collector_job", "collector_instance"))
ALL: Final = Reader()


def board(limits: Limits) -> Board:
    """Return the board."""
    return Board(
        "collector",
        "Agents: Collector Pipeline and Loss Accounting",
        "Whether what was told arrives: in our own process, on the way through the Collector, and what was lost where.",
        m.PATCH_POINTS,
        (_ourselves(), _account(), _flow(), _queues(limits), _tiers(limits), _process()),
        collectors=UPTIME,
    )


def _ourselves() -> Row:
    return Row(
        "In the observed process",
        (
            table("Patch points",
                  "Places in frameworks that are observed, by state; `missing` is one that we expected.",
                  Line(BOARD.now(m.PATCH_POINTS, a.ADAPTER, a.PATCH_STATE, how="max"), "points"),
                  empty="no adapter is in force"),
            series("Events dropped", "Events that a subscriber was too slow for.",
                   BOARD.rate(m.EVENTS_DROPPED, a.SUBSCRIBER), empty="nobody subscribed", limits=fails(0.001)),
            series("Errors of ours", "Swallowed, so that the program does not suffer, by place.",
                   BOARD.rate(m.GUARD_ERRORS, a.PLACE), empty="none was swallowed", limits=fails(0.001)),
            series("Label overflow", "Measurements beyond the label sets of an instrument.",
                   BOARD.rate(m.METRICS_OVERFLOW, a.INSTRUMENT), empty="all labels fitted", limits=warns(0.001)),
        ),
    )  # fmt: skip


def _account() -> Row:
    def account(signal: Signal) -> Panel:
        what = signal.replace("_", " ").capitalize()
        accepted = COLLECTOR.added(ACCEPTED[signal])
        others = (("sent", SENT), ("refused", REFUSED), ("no room", ENQUEUE_FAILED), ("given up", SEND_FAILED))
        return table(
            f"{what} in this time",
            "All Collectors together. What was refused is not lost while the sender tries again, what was given up "
            "is. With two tiers or two backends an item counts once for each.",
            Line(accepted, "accepted"),
            *(Line(COLLECTOR.added(metrics[signal]).or_none(accepted), name) for name, metrics in others),
            empty="no Collector is scraped", width=8,
        )  # fmt: skip

    return Row("Loss account", tuple(account(signal) for signal in SIGNALS))


def _flow() -> Row:
    def each(title: str, description: str, metrics: Mapping[Signal, Metric], name: str, empty: str) -> Panel:
        shown = (Line(COLLECTOR.rate(metrics[signal], name), f"{signal} {{{{{name}}}}}") for signal in SIGNALS)
        return series(title, description, *shown, empty=empty)

    none = "no Collector is scraped"
    return Row(
        "Flow",
        (
            each("Accepted", "Taken by receivers and passed on.", ACCEPTED, "receiver", none),
            each("Sent", "Taken by backends.", SENT, "exporter", none),
            each("Pushed back", "Refused, so that the sender tries again.", REFUSED, "receiver",
                 "nothing was pushed back"),
            each("Refused for want of memory", "By the memory limiter; they count as pushed back, too.", LIMITED,
                 "processor", "memory sufficed"),
            each("No room in the queue", "Lost, unless the sender waits for the answer.", ENQUEUE_FAILED, "exporter",
                 "every queue had room"),
            each("Given up", "Lost: refused by the backend, or all retries failed.", SEND_FAILED, "exporter",
                 "nothing was given up"),
            series("Into processors", "Items by processor and signal.",
                   COLLECTOR.rate(INCOMING, "processor", "otel_signal"), empty=none),
            series("Out of processors", "Less than came in: filtered or sampled.",
                   COLLECTOR.rate(OUTGOING, "processor", "otel_signal"), empty=none),
        ),
    )  # fmt: skip


def _queues(limits: Limits) -> Row:
    labels = (INSTANCE, "exporter", "data_type")
    size = COLLECTOR.now(QUEUE_SIZE, *labels, how="max")
    return Row(
        "Queues",
        (
            series("Queue", "What waits to be sent.", size, empty="no exporter has a queue"),
            series("Queue, share of its room", "Over the line CollectorQueueFilling fires.",
                   size.of(COLLECTOR.now(QUEUE_CAPACITY, *labels, how="max")), empty="no exporter has a queue",
                   limits=fails(limits.queue_share), highest=1),
        ),
    )  # fmt: skip


def _tiers(limits: Limits) -> Row:
    none = "there are no two tiers"
    failed = COLLECTOR.rate(OUTCOMES, INSTANCE, "endpoint", where={"success": "false"})
    return Row(
        "Agents and gateways",
        (
            series("Gateways", "How many an agent knows and spreads traces over.",
                   COLLECTOR.now(BACKENDS, INSTANCE, how="max"), empty=none),
            series("Failed requests to gateways",
                   "Share by agent and gateway; traces go to another gateway or wait. Over the line "
                   "CollectorGatewayFailing fires.",
                   failed.of(COLLECTOR.rate(OUTCOMES, INSTANCE, "endpoint")), empty="every gateway takes traces",
                   limits=fails(limits.gateway_failures), highest=1),
            series("Waiting for a decision", "Traces without a run in the memory of samplers; a kill loses them.",
                   COLLECTOR.now(UNDECIDED, INSTANCE), empty=none),
            series("Dropped before a decision", "Lost: more traces came than the sampler has room for.",
                   COLLECTOR.rate(TOO_EARLY, INSTANCE), empty=none, limits=fails(0.001)),
        ),
    )  # fmt: skip


def _process() -> Row:
    none = "no Collector is scraped"
    return Row(
        "Collectors",
        (
            stat("Scraped targets", "Targets that Prometheus reaches, Collectors and others.", ALL.now(UP),
                 empty="nothing is scraped", width=6),
            stat("Youngest Collector", "Time since one started last.", COLLECTOR.now(UPTIME, how="min"), empty=none,
                 width=6),
            series("Memory", "Resident memory by Collector.", COLLECTOR.now(MEMORY, INSTANCE), empty=none, width=6),
            series("CPU", "In cores, by Collector.", COLLECTOR.rate(CPU, INSTANCE), empty=none, width=6),
        ),
    )  # fmt: skip
