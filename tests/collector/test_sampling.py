"""The gateway keeps each trace in which an agent runs, and samples the rest."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.collector import promises
from tests.collector.backends import Backend
from tests.collector.ledger import post
from tests.collector.tiers import two_tiers
from tests.need import require_module
from tests.proof.programs import EXAMPLE, instrumented, sending
from tests.proof.test_otlp import EVENTS, METRICS

pytestmark = pytest.mark.proof

require_module("langgraph_swarm", "demo")

DROPPED = "otelcol_processor_tail_sampling_sampling_trace_dropped_too_early_total"
TOGETHER = "otelcol_processor_batch_batch_send_size_"
RUNS, OTHERS = 50, 1000
WAIT_S = 2
SHORT = f"""
processors:
  tail_sampling:
    decision_wait: {WAIT_S}s
"""


def trace_id(number: int) -> bytes:
    """Return what is as evenly spread as real trace ids: the sampler goes by them."""
    return hashlib.md5(str(number).encode(), usedforsecurity=False).digest()


NUMBERS = {trace_id(number): number for number in range(6000)}


def spans(*rows: tuple[int, str, bool, int]) -> bytes:
    """Return a request of spans: the number of its trace, its name, whether a run, and its status."""
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    for number, (trace, name, run, status) in enumerate(rows):
        span = scope.spans.add(name=name, trace_id=trace_id(trace), start_time_unix_nano=1)
        span.end_time_unix_nano = 2
        span.span_id = (number + 1).to_bytes(8, "big")
        span.status.code = status
        if run:
            span.attributes.add(key="flex.run.id").value.string_value = f"r-{trace}"
    return request.SerializeToString()


def names(end: Backend, name: str) -> set[int]:
    """Return the numbers of the traces in which a span of this name arrived."""
    return {NUMBERS[span.trace_id] for span in end.spans if span.name == name}


def test_runs_are_kept_and_the_rest_is_sampled(tmp_path: Path) -> None:
    """All traces with a run arrive whole, also a span that comes days later; of the rest, errors and the share."""
    short = tmp_path / "short.yaml"
    short.write_text(SHORT)
    runs, others, failed = range(RUNS), range(1000, 1000 + OTHERS), range(5000, 5010)
    with two_tiers(tmp_path, str(short), OTELCOL_SAMPLE_PERCENT="10") as tiers:
        url = f"{tiers.first.http}/v1/traces"
        assert post(url, spans(*((run, "node", True, 0) for run in runs))) == 200
        assert post(url, spans(*((run, "request", False, 0) for run in runs))) == 200
        assert post(url, spans(*((other, "other", False, 0) for other in others))) == 200
        assert post(url, spans(*((other, "failed", False, 2) for other in failed))) == 200
        tiers.backend.wait(lambda end: len(names(end, "request")) == RUNS and len(names(end, "failed")) == 10)
        # A trace that was dropped: its run comes after the decision, as the end of one that waited for a human does.
        dropped = min(set(others) - names(tiers.backend, "other"))
        assert post(url, spans((dropped, "late run", True, 2))) == 200
        tiers.backend.wait(lambda end: names(end, "late run") == {dropped})
    end = tiers.backend
    assert names(end, "node") == names(end, "request") == set(runs)
    assert len([span for span in end.spans if span.name == "node"]) == RUNS
    assert 60 <= len(names(end, "other")) <= 140


def test_what_the_sampler_keeps_is_written_together(tmp_path: Path) -> None:
    """A thousand traces that are kept reach the queue in a few pieces, each of which is synced, and not one by one."""
    short = tmp_path / "short.yaml"
    short.write_text(SHORT)
    with two_tiers(tmp_path, str(short), OTELCOL_SAMPLE_PERCENT="100") as tiers:
        others = range(1000, 1000 + OTHERS)
        assert post(f"{tiers.first.http}/v1/traces", spans(*((other, "other", False, 0) for other in others))) == 200
        tiers.backend.wait(lambda end: names(end, "other") == set(others))
        assert tiers.last.metrics()[TOGETHER + "sum"] == OTHERS
        assert tiers.last.metrics()[TOGETHER + "count"] <= 10


@pytest.mark.proves("loss", promises.TOO_MANY)
def test_what_the_sampler_has_no_room_for_is_counted(tmp_path: Path) -> None:
    """When more traces wait for a decision than fit, the oldest are dropped and counted; spans of runs are not."""
    small = tmp_path / "small.yaml"
    small.write_text(SHORT + "    num_traces: 100\n")
    with two_tiers(tmp_path, str(small)) as tiers:
        assert tiers.gateway is not None
        url = f"{tiers.first.http}/v1/traces"
        assert post(url, spans(*((other, "other", False, 0) for other in range(1000, 1500)))) == 200
        assert post(url, spans(*((run, "node", True, 0) for run in range(500)))) == 200
        tiers.backend.wait(lambda end: len(names(end, "node")) == 500)
        tiers.gateway.until(DROPPED, 800)
        assert tiers.first.metrics()["otelcol_loadbalancer_num_backends"] == 1


def executions(end: Backend) -> int:
    """Return how many nodes were measured, by the last that came."""
    last = [metric for metric in end.metrics if metric.name == "flex.node.duration"][-1]
    return sum(point.count for point in last.histogram.data_points)


def test_runs_are_sampled_at_the_head_and_counted_whole(tmp_path: Path) -> None:
    """Of a program whose SDK samples no run no span arrives, and all metrics and events as if it sampled each."""
    seen = []
    for sampler in ("always_on", "always_off"):
        folder = tmp_path / sampler
        folder.mkdir()
        with two_tiers(folder) as tiers:
            arguments = (str(EXAMPLE), "--pace", "0", "--thread", "t", "--db", str(folder / "db.sqlite"))
            done = instrumented(*arguments, env=sending(tiers.first.http, OTEL_TRACES_SAMPLER=sampler))
            assert done.returncode == 0
            tiers.backend.wait(lambda end: len(end.logs) == sum(EVENTS.values()) and len(end.metrics) >= len(METRICS))
            if sampler == "always_on":
                tiers.backend.wait(lambda end: any(span.name.startswith("flex.run ") for span in end.spans))
        seen.append((executions(tiers.backend), {metric.name for metric in tiers.backend.metrics}))
        assert Counter(record.event_name for record in tiers.backend.logs) == EVENTS
    whole, sampled = seen
    assert tiers.backend.spans == []
    assert sampled == whole
    assert whole[0] > 0
