"""The example team, watched: tree, story, metrics, spans, and the page that Prometheus reads."""

from __future__ import annotations

import asyncio
import io
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path

import pytest
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import REGISTRY, start_http_server
from prometheus_client.parser import text_string_to_metric_families

from otel_agents import pipeline
from otel_agents.adapters.yolo import ADAPTER
from otel_agents.config import Config
from otel_agents.patching.apply import apply
from otel_agents.runtime.yolo import Orchestrator
from otel_agents.testing import Telemetry
from tests.adapters.teams import FOLDER, app, build, example
from tests.adapters.watching import watched

PRINTED = [
    "mended: the patch waits for monday: nothing is deployed on a Friday",
    "answered: 42",
    "trouble: the disk is full; the team is paused",
]
TREE = """\
run bugfix: ok
  state_save: ok
  node triage (agent): ok
    decision route: ok
    state_save: ok
  handoff coder: ok
  node coder (agent): ok
    node run_tests (tool): error
    node run_tests (tool): ok
    state_save: ok
  handoff reviewer: ok
  node reviewer (agent): ok
    node read_diff (tool): ok
    state_save: ok
  handoff coder: ok
  node coder (agent): ok
    node run_tests (tool): ok
    context_refresh: ok
    state_save: ok
  handoff reviewer: ok
  node reviewer (agent): ok
    node read_diff (tool): ok
    decision verdict: ok
    state_save: ok
  handoff publisher: ok
  node publisher (agent): ok
    decision schedule: ok
  state_save: ok
run question: ok
  state_save: ok
  node helpdesk (agent): ok
    state_save: ok
  handoff expert: ok
  node expert (agent): ok
    state_save: ok
  handoff helpdesk: ok
  node helpdesk (agent): ok
  state_save: ok
run patrol: error
  state_save: ok
  node watchman (agent): error
  state_save: ok
state_save: ok
""".splitlines()

# What happens, one word per event: + starts, - ends, ! fails, :status of an agent, ~mode, others are themselves.
STORY = """
~active triage:idle coder:idle reviewer:idle publisher:idle helpdesk:idle expert:idle watchman:idle
start state_saved
+triage decision state_saved context_refreshed -triage
handoff +coder
+run_tests !run_tests -run_tests !coder node_retry agent_error +run_tests -run_tests
state_saved context_refreshed -coder
handoff +reviewer +read_diff -read_diff agent_error state_saved -reviewer
handoff +coder +run_tests -run_tests context_refreshed state_saved -coder
handoff +reviewer +read_diff -read_diff decision state_saved -reviewer
handoff +publisher safety_block publisher:blocked publisher:active decision publisher:idle -publisher
state_saved complete workflow_finished
start state_saved
+helpdesk state_saved -helpdesk
handoff +expert state_saved -expert
handoff +helpdesk -helpdesk
state_saved complete workflow_finished
start state_saved
+watchman agent_error ~paused !watchman -watchman
state_saved complete workflow_finished
~active watchman:gone state_saved
"""
MARKS = {"node_start": "+{}", "node_complete": "-{}", "node_error": "!{}"}

AGENTS = ("triage", "coder", "reviewer", "publisher", "helpdesk", "expert")
HANDOFFS = {
    "from_agent=triage,to_agent=coder": 1,
    "from_agent=coder,to_agent=reviewer": 2,
    "from_agent=reviewer,to_agent=coder": 1,
    "from_agent=reviewer,to_agent=publisher": 1,
    "from_agent=helpdesk,to_agent=expert": 1,
    "from_agent=expert,to_agent=helpdesk": 1,
}
NODES = {
    "capability=triage,kind=agent,outcome=ok": 1,
    "capability=coder,kind=agent,outcome=ok": 2,
    "capability=run_tests,kind=tool,outcome=error": 1,
    "capability=run_tests,kind=tool,outcome=ok": 2,
    "capability=reviewer,kind=agent,outcome=ok": 2,
    "capability=read_diff,kind=tool,outcome=ok": 2,
    "capability=publisher,kind=agent,outcome=ok": 1,
    "capability=helpdesk,kind=agent,outcome=ok": 2,
    "capability=expert,kind=agent,outcome=ok": 1,
    "capability=watchman,kind=agent,outcome=error": 1,
}
METRICS = {
    "flex.run.status{runtime=yolo,status=completed}": 2,
    "flex.run.status{runtime=yolo,status=failed}": 1,
    "flex.run.duration_count{runtime=yolo,status=completed}": 2,
    "flex.run.duration_count{runtime=yolo,status=failed}": 1,
    "flex.run.transitions{runtime=yolo,state=start}": 3,
    "flex.run.transitions{runtime=yolo,state=complete}": 2,
    "flex.run.transitions{runtime=yolo,state=error}": 1,
    **{f"flex.node.duration_count{{{labels},runtime=yolo}}": count for labels, count in NODES.items()},
    "flex.node.retries{capability=coder,runtime=yolo}": 1,
    **{f"yolo_handoffs_total{{{labels}}}": count for labels, count in HANDOFFS.items()},
    **{f"yolo_handoff_duration_seconds_count{{{labels}}}": count for labels, count in HANDOFFS.items()},
    "yolo_handoff_loops_total{agent=helpdesk}": 1,
    "yolo_decisions_total{agent=triage,decision_type=route}": 1,
    "yolo_decisions_total{agent=reviewer,decision_type=verdict}": 1,
    "yolo_decisions_total{agent=publisher,decision_type=schedule}": 1,
    "yolo_decision_time_seconds_count{agent=triage}": 1,
    "yolo_decision_time_seconds_count{agent=reviewer}": 1,
    "yolo_decision_time_seconds_count{agent=publisher}": 1,
    "yolo_errors_total{agent=coder,severity=medium}": 1,
    "yolo_errors_total{agent=reviewer,severity=low}": 1,
    "yolo_errors_total{agent=watchman,severity=critical}": 1,
    "yolo_safety_blocks_total{agent=publisher}": 1,
    **{f"yolo_agent_status_info{{agent={agent},status=idle}}": 1 for agent in AGENTS},
    "yolo_context_tokens{agent=triage}": 9,
    "yolo_context_items{agent=triage}": 1,
    "yolo_context_tokens{agent=coder}": 4,
    "yolo_context_items{agent=coder}": 1,
    "yolo_context_refresh_time_seconds_count{agent=coder}": 1,
    "yolo_workflows_total{outcome=ok}": 2,
    "yolo_workflows_total{outcome=error}": 1,
    "yolo_workflow_duration_seconds_count{outcome=ok}": 2,
    "yolo_workflow_duration_seconds_count{outcome=error}": 1,
    "yolo_state_saves_total": 14,
}
VARYING = ("yolo_cpu_usage_percent", "yolo_memory_usage_mb", "yolo_agent_active_time_seconds_total", "_sum")


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    """Watch the team; an error of ours fails the test."""
    with watched(ADAPTER) as recorded:
        yield recorded


def _words(telemetry: Telemetry) -> list[str]:
    words = []
    for event in telemetry.events:
        word = MARKS.get(event.type, event.type).format(event.capability_id)
        if event.type == "agent_status":
            word = "{agent}:{status}".format(**event.payload)
        words.append(f"~{event.payload['mode']}" if event.type == "mode_changed" else word)
    return words


def test_the_team_is_the_same_when_it_is_watched(tmp_path: Path, telemetry: Telemetry) -> None:
    """What it prints, its tree and its story are exactly these; every event is of its runtime."""
    assert example(tmp_path / "team.state") == PRINTED

    assert telemetry.tree() == TREE
    assert _words(telemetry) == STORY.split()
    assert {event.runtime for event in telemetry.events} == {"yolo"}


def test_the_team_starts_again_from_its_file(tmp_path: Path) -> None:
    """What a critical error paused goes on after the next start, since the mode was saved when it was set."""
    assert example(tmp_path / "team.state") == PRINTED
    assert example(tmp_path / "team.state") == PRINTED


def test_the_team_measures_exactly_what_happened(tmp_path: Path, telemetry: Telemetry) -> None:
    """Every metric has exactly the points and counts of the story, and nothing else is measured."""
    state = tmp_path / "team.state"
    example(state)
    found = {name: value for name, value in telemetry.metrics().items() if not name.startswith(VARYING)}

    assert found.pop("yolo_state_file_size_bytes") == state.stat().st_size
    assert {name: value for name, value in found.items() if "_sum" not in name} == METRICS
    times = {name for name in telemetry.metrics() if name.startswith("yolo_agent_active_time_seconds_total")}
    assert times == {f"yolo_agent_active_time_seconds_total{{agent={agent}}}" for agent in (*AGENTS, "watchman")}


def test_spans_of_a_workflow_are_one_trace_that_says_whose_it_is(tmp_path: Path, telemetry: Telemetry) -> None:
    """All spans hang under the run; handoffs say from and to, the caller's correlation id is on the run."""
    example(tmp_path / "team.state")
    run = telemetry.span("flex.run bugfix")
    assert run.context is not None
    assert run.attributes is not None
    mine = [span for span in telemetry.spans if span.context and span.context.trace_id == run.context.trace_id]
    handoffs = [
        (span.name, span.attributes["yolo.from_agent"], span.attributes["yolo.to_agent"], span.parent)
        for span in mine
        if span.attributes and span.name.startswith("yolo.handoff")
    ]

    assert len(mine) == TREE.index("run question: ok")
    assert run.attributes["flex.correlation.id"] == "ticket-17"
    assert {span.attributes["flex.run.id"] for span in mine if span.attributes} == {run.attributes["flex.run.id"]}
    assert [each[:3] for each in handoffs] == [
        ("yolo.handoff coder", "triage", "coder"),
        ("yolo.handoff reviewer", "coder", "reviewer"),
        ("yolo.handoff coder", "reviewer", "coder"),
        ("yolo.handoff reviewer", "coder", "reviewer"),
        ("yolo.handoff publisher", "reviewer", "publisher"),
    ]
    assert all(parent is not None and parent.span_id == run.context.span_id for *_, parent in handoffs)


def test_an_exception_is_recorded_once_where_it_was_raised(tmp_path: Path, telemetry: Telemetry) -> None:
    """The tool that failed has its exception, and the agent that failed; of what is around, only the run is red."""
    example(tmp_path / "team.state")

    red = [span.name for span in telemetry.spans if not span.status.is_unset]
    assert red == ["flex.node run_tests", "flex.node watchman", "flex.run patrol"]
    with_exception = [span.name for span in telemetry.spans for event in span.events]
    assert with_exception == ["flex.node run_tests", "flex.node watchman"]


def test_errors_are_logged_by_their_severity(tmp_path: Path, telemetry: Telemetry) -> None:
    """Low is information, medium a warning, critical an error; a block is a warning."""
    example(tmp_path / "team.state")
    graded = ("yolo.agent_error", "yolo.safety_block")
    logs = [each.log_record for each in telemetry.logs if each.log_record.event_name in graded]

    assert [(log.body, log.severity_text) for log in logs] == [
        ("yolo_agent_error", "WARN"),
        ("yolo_agent_error", "INFO"),
        ("yolo_safety_block", "WARN"),
        ("yolo_agent_error", "ERROR"),
    ]


# Prometheus

LABELLED = [
    ("yolo_handoffs_total", {"from_agent": "coder", "to_agent": "reviewer"}, 2),
    ("yolo_handoff_duration_seconds_count", {"from_agent": "coder", "to_agent": "reviewer"}, 2),
    ("yolo_handoff_duration_seconds_bucket", {"from_agent": "coder", "to_agent": "reviewer", "le": "+Inf"}, 2),
    ("yolo_handoff_loops_total", {"agent": "helpdesk"}, 1),
    ("yolo_decisions_total", {"agent": "triage", "decision_type": "route"}, 1),
    ("yolo_decision_time_seconds_count", {"agent": "triage"}, 1),
    ("yolo_errors_total", {"agent": "watchman", "severity": "critical"}, 1),
    ("yolo_safety_blocks_total", {"agent": "publisher"}, 1),
    ("yolo_agents_active", {}, 0),
    ("yolo_agent_status_info", {"agent": "coder", "status": "idle"}, 1),
    ("yolo_agent_status_info", {"agent": "coder", "status": "active"}, 0),
    ("yolo_agent_status_info", {"agent": "coder", "status": "blocked"}, 0),
    ("yolo_context_tokens", {"agent": "coder"}, 4),
    ("yolo_context_items", {"agent": "coder"}, 1),
    ("yolo_context_refresh_time_seconds_count", {"agent": "coder"}, 1),
    ("yolo_workflows_total", {"outcome": "ok"}, 2),
    ("yolo_workflows_total", {"outcome": "error"}, 1),
    ("yolo_workflows_total", {"outcome": "cancelled"}, 0),
    ("yolo_workflow_duration_seconds_count", {"outcome": "ok"}, 2),
    ("yolo_state_saves_total", {}, 14),
    ("yolo_state_load_time_seconds_count", {}, 1),
    ("flex_run_active", {"runtime": "yolo"}, 0),
]
KINDS = {
    "yolo_handoffs": "counter",
    "yolo_handoff_duration_seconds": "histogram",
    "yolo_handoff_loops": "counter",
    "yolo_decisions": "counter",
    "yolo_decision_time_seconds": "histogram",
    "yolo_errors": "counter",
    "yolo_safety_blocks": "counter",
    "yolo_agents_active": "gauge",
    "yolo_agent_status_info": "gauge",
    "yolo_agent_active_time_seconds": "counter",
    "yolo_context_tokens": "gauge",
    "yolo_context_items": "gauge",
    "yolo_context_refresh_time_seconds": "histogram",
    "yolo_workflows": "counter",
    "yolo_workflow_duration_seconds": "histogram",
    "yolo_state_saves": "counter",
    "yolo_state_load_time_seconds": "histogram",
    "yolo_state_file_size_bytes": "gauge",
    "yolo_memory_usage_mb": "gauge",
    "yolo_cpu_usage_percent": "gauge",
}


def test_prometheus_reads_every_metric_of_the_team(tmp_path: Path) -> None:
    """Over HTTP every `yolo_*` family of the contract is there, with its kind, and exactly these labels and values."""
    reader = PrometheusMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    pipeline.start(Config.load({"signals": "metrics"}, environ={}), meter_provider=provider)
    applied, (server, thread) = apply(ADAPTER), start_http_server(0, "127.0.0.1")
    try:
        team = build(tmp_path / "team.state", 0.001)
        asyncio.run(_work_and_load(team))
        with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/metrics", timeout=20) as answer:
            families = {each.name: each for each in text_string_to_metric_families(answer.read().decode())}
    finally:
        applied.undo()
        pipeline.stop()
        provider.shutdown()
        server.shutdown()
        server.server_close()
        thread.join()
        assert reader._collector not in REGISTRY._collector_to_names

    assert {name: each.type for name, each in families.items() if name.startswith("yolo_")} == KINDS
    samples = [sample for each in families.values() for sample in each.samples]
    for name, labels, value in LABELLED:
        found = [each for each in samples if each.name == name and _own(each.labels) == labels]
        assert [each.value for each in found] == [value], (name, labels)
    named = {each.labels.get("agent") for each in samples if each.name == "yolo_agent_status_info"}
    assert named == {*AGENTS}  # the watchman is gone


async def _work_and_load(team: Orchestrator) -> None:
    with redirect_stdout(io.StringIO()):
        await app()["work"](team)
    await team.load()


def _own(labels: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in labels.items() if not name.startswith("otel_scope_")}


# Zero code


def test_the_program_is_watched_without_knowing_it(tmp_path: Path) -> None:
    """`otel-agents run` leaves the output of the program alone, and draws workflows, turns and handoffs."""
    command = [sys.executable, "-m", "otel_agents.cli", "run", "--", sys.executable, str(FOLDER / "app.py")]
    done = subprocess.run(
        [*command, "--pace", "0", "--state", str(tmp_path / "s")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stdout.splitlines()) == (0, PRINTED)
    drawn = [" ".join(line.strip("│├└─ ").split()[:4]) for line in done.stderr.partition("\n\n")[2].splitlines()]
    assert [line for line in drawn if line.startswith("→")] == [
        "→ triage -> coder",
        "→ coder -> reviewer",
        "→ reviewer -> coder",
        "→ coder -> reviewer",
        "→ reviewer -> publisher",
        "→ helpdesk -> expert",
        "→ expert -> helpdesk",
    ]
    assert done.stderr.splitlines()[-1] == (
        "otel-agents: 3 runs (2 completed, 1 failed), 15 nodes (2 failed), 1 retry, 7 handoffs"
    )
