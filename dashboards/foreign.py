"""The metrics of others that we look at: Prometheus's own and the Collector's; must not know ours.

The names are those that the Collector gives with suffixes switched on (`without_type_suffix: false`), so that they
are the same when they are scraped and when they are pushed.
"""

from __future__ import annotations

from typing import Final, Literal

from otel_agents.semconv.model import Instrument, Metric, Table

FOREIGN: Final[Table[Metric]] = Table()
Signal = Literal["spans", "metric_points", "log_records"]
SIGNALS: Final[tuple[Signal, ...]] = ("spans", "metric_points", "log_records")


def _metric(name: str, instrument: Instrument, unit: str, brief: str, *labels: str) -> Metric:
    return FOREIGN.add(name, Metric(name, instrument, unit, brief, labels))


def _of_signals(name: str, brief: str, *labels: str) -> dict[Signal, Metric]:
    return {
        signal: _metric(
            f"{name}_{signal}", "counter", f"{{{signal[:-1]}}}", brief.format(signal.replace("_", " ")), *labels
        )
        for signal in SIGNALS
    }


UP: Final = _metric("up", "gauge", "{target}", "1 when Prometheus could scrape the target.")
ALERTS: Final = _metric(
    "ALERTS", "gauge", "{alert}", "1 for each alert that is pending or firing.",
    "alertname", "alertstate", "severity",
)  # fmt: skip

ACCEPTED: Final = _of_signals("otelcol_receiver_accepted", "{} that were taken and passed on.", "receiver", "transport")
REFUSED: Final = _of_signals(
    "otelcol_receiver_refused", "{} that were pushed back to the sender.", "receiver", "transport"
)
SENT: Final = _of_signals("otelcol_exporter_sent", "{} that the backend took.", "exporter")
SEND_FAILED: Final = _of_signals(
    "otelcol_exporter_send_failed", "{} that were given up, after all retries.", "exporter"
)
ENQUEUE_FAILED: Final = _of_signals(
    "otelcol_exporter_enqueue_failed", "{} that found no room in the queue.", "exporter"
)
LIMITED: Final = _of_signals(
    "otelcol_processor_memory_limiter_refused", "{} that were refused for want of memory.", "processor"
)
QUEUE_SIZE: Final = _metric(
    "otelcol_exporter_queue_size", "gauge", "{item}", "What waits in the queue.", "exporter", "data_type"
)
QUEUE_CAPACITY: Final = _metric(
    "otelcol_exporter_queue_capacity", "gauge", "{item}", "What the queue can hold.", "exporter", "data_type"
)
BACKENDS: Final = _metric(
    "otelcol_loadbalancer_num_backends", "gauge", "{gateway}", "Gateways that an agent knows.", "resolver"
)
OUTCOMES: Final = _metric(
    "otelcol_loadbalancer_backend_outcome", "counter", "{request}", "Requests to a gateway, whether it took them.",
    "endpoint", "success",
)  # fmt: skip
UNDECIDED: Final = _metric(
    "otelcol_processor_tail_sampling_sampling_traces_on_memory", "gauge", "{trace}",
    "Traces that wait in memory for a decision of the sampler.",
)  # fmt: skip
TOO_EARLY: Final = _metric(
    "otelcol_processor_tail_sampling_sampling_trace_dropped_too_early", "counter", "{trace}",
    "Traces that the sampler dropped before its decision, since more came than it has room for.",
)  # fmt: skip
INCOMING: Final = _metric(
    "otelcol_processor_incoming_items", "counter", "{item}", "Items that came to a processor.",
    "processor", "otel_signal",
)  # fmt: skip
OUTGOING: Final = _metric(
    "otelcol_processor_outgoing_items", "counter", "{item}", "Items that left a processor.",
    "processor", "otel_signal",
)  # fmt: skip
UPTIME: Final = _metric("otelcol_process_uptime", "counter", "s", "Time since the Collector started.")
CPU: Final = _metric("otelcol_process_cpu_seconds", "counter", "s", "CPU time of the Collector.")
MEMORY: Final = _metric("otelcol_process_memory_rss", "gauge", "By", "Resident memory of the Collector.")
