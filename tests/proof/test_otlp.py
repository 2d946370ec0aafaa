"""The LangGraph example under opentelemetry-instrument: all three signals arrive over OTLP, by HTTP and by gRPC."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from tests.need import require_module
from tests.proof.grpc_receiver import receiving_grpc
from tests.proof.programs import EXAMPLE, instrumented, run, sending
from tests.receiver import Receiver, receiving

pytestmark = pytest.mark.proof

require_module("langgraph_swarm", "demo")

EVENTS = {
    "flex.start": 2,
    "flex.plan_requested": 2,
    "flex.plan_generated": 1,
    "flex.plan_updated": 1,
    "flex.node_start": 31,
    "flex.node_complete": 31,
    "flex.node_error": 2,
    "flex.node_retry": 1,
    "flex.policy_triggered": 1,
    "flex.validation_error": 1,
    "flex.hitl_request": 1,
    "flex.hitl_resolved": 1,
    "yolo.handoff": 2,
    "flex.complete": 2,
}
ANY_PROGRAM = {
    "yolo_agents_active",
    "yolo_cpu_usage_percent",
    "yolo_memory_usage_mb",
    "yolo_state_saves_total",
    "yolo_workflows_total",
    "otel_agents.patch.points",
}
METRICS = ANY_PROGRAM | {
    "flex.hitl.oldest.age",
    "flex.hitl.pending",
    "flex.hitl.requests",
    "flex.hitl.resolved",
    "flex.hitl.wait.duration",
    "flex.model.tokens",
    "flex.node.duration",
    "flex.node.retries",
    "flex.planner.duration",
    "flex.planner.generated",
    "flex.planner.rejections",
    "flex.planner.requests",
    "flex.planner.updated",
    "flex.policy.triggers",
    "flex.run.active",
    "flex.run.duration",
    "flex.run.last_progress.age",
    "flex.run.oldest.age",
    "flex.run.status",
    "flex.run.transitions",
    "flex.validation.errors",
    "flex.validation.retries",
    "yolo_handoff_duration_seconds",
    "yolo_handoffs_total",
}


def attributes(of: Any) -> dict[str, Any]:
    """Return the attributes of a span, a log record or a point that are text."""
    return {each.key: each.value.string_value for each in of.attributes}


@pytest.mark.parametrize(("protocol", "receives"), [("http/protobuf", receiving), ("grpc", receiving_grpc)])
@pytest.mark.parametrize("mode", ["invoke", "astream"])
def test_three_signals_arrive(
    tmp_path: Path, mode: str, protocol: str, receives: Callable[[], AbstractContextManager[Receiver]]
) -> None:
    """Spans, metrics and events of both segments arrive, all of one run; the program says what it says without us."""
    arguments = (str(EXAMPLE), "--mode", mode, "--pace", "0", "--thread", "t")
    bare = run(*arguments, "--db", str(tmp_path / "bare.sqlite"))
    with receives() as receiver:
        done = instrumented(
            *arguments, "--db", str(tmp_path / "db.sqlite"), env=sending(receiver.endpoint, protocol=protocol)
        )
    assert (done.returncode, done.stdout, done.stderr) == (bare.returncode, bare.stdout, bare.stderr)
    assert Counter(record.event_name for record in receiver.logs) == EVENTS
    assert {metric.name for metric in receiver.metrics} == METRICS
    nodes = [span for span in receiver.spans if span.name.startswith("flex.node ")]
    policies = [span for span in receiver.spans if span.name.startswith("flex.policy ")]
    assert (len(nodes), len(policies)) == (31, 6)
    paused, resumed = sorted(
        (span for span in receiver.spans if span.name == "flex.run release-notes"),
        key=lambda span: span.start_time_unix_nano,
    )
    assert [link.span_id for link in resumed.links] == [paused.span_id]
    assert len({attributes(each)["flex.run.id"] for each in (*receiver.spans, *receiver.logs)}) == 1
    assert {span.trace_id for span in receiver.spans} == {paused.trace_id, resumed.trace_id}
