"""What Prometheus gets from a program with all three runtimes, over HTTP, with zero code."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.cli.playing import COMMAND, environment
from tests.need import require_module

ROOT = Path(__file__).parents[2]
VARYING = re.compile(
    r"_bucket|_sum|yolo_(memory_usage_mb|cpu_usage_percent|agent_active_time_seconds_total|state_file_size_bytes)"
)

# Every sample of ours that is not 0, but for what differs from run to run.
PLAYED = """
flex_delivery_duration_seconds_count{outcome=ok,runtime=convergence} 1
flex_gate_checks_total{gate=approval,passed=false,runtime=convergence} 1
flex_gate_checks_total{gate=approval,passed=true,runtime=convergence} 1
flex_gate_checks_total{gate=never,passed=false,runtime=convergence} 1
flex_gate_checks_total{gate=tests,passed=false,runtime=convergence} 1
flex_gate_checks_total{gate=tests,passed=true,runtime=convergence} 1
flex_hitl_requests_total{runtime=convergence} 1
flex_hitl_resolved_total{decision=approved,runtime=convergence} 1
flex_hitl_wait_duration_seconds_count{decision=approved,runtime=convergence} 1
flex_iteration_duration_seconds_count{outcome=cancelled,runtime=convergence} 1
flex_iteration_duration_seconds_count{outcome=ok,runtime=convergence} 3
flex_iteration_duration_seconds_count{outcome=paused,runtime=convergence} 1
flex_node_duration_seconds_count{capability=broken,kind=agent,outcome=error,runtime=gateway} 1
flex_node_duration_seconds_count{capability=clerk,kind=agent,outcome=ok,runtime=gateway} 3
flex_node_duration_seconds_count{capability=operator,kind=agent,outcome=error,runtime=yolo} 1
flex_node_duration_seconds_count{capability=slow,kind=agent,outcome=cancelled,runtime=gateway} 2
flex_node_duration_seconds_count{capability=triage,kind=agent,outcome=ok,runtime=yolo} 1
flex_node_duration_seconds_count{capability=writer,kind=agent,outcome=ok,runtime=yolo} 1
flex_node_retries_total{capability=writer,runtime=yolo} 1
flex_phase_duration_seconds_count{outcome=cancelled,phase=build,runtime=convergence} 1
flex_phase_duration_seconds_count{outcome=ok,phase=build,runtime=convergence} 3
flex_phase_duration_seconds_count{outcome=ok,phase=feedback,runtime=convergence} 1
flex_phase_duration_seconds_count{outcome=ok,phase=snapshot,runtime=convergence} 3
flex_phase_duration_seconds_count{outcome=ok,phase=verify,runtime=convergence} 3
flex_phase_duration_seconds_count{outcome=paused,phase=verify,runtime=convergence} 1
flex_reaction_matches_total{channel=desk,rule=wait,runtime=gateway} 2
flex_reaction_matches_total{channel=lab,rule=break,runtime=gateway} 1
flex_reaction_matches_total{channel=mail,rule=refund,runtime=gateway} 2
flex_reaction_skips_total{channel=chat,reason=sender_not_allowed,runtime=gateway} 1
flex_reaction_skips_total{channel=fax,reason=no_rule,runtime=gateway} 1
flex_reaction_skips_total{channel=mail,reason=cooldown,runtime=gateway} 1
flex_reaction_skips_total{channel=mail,reason=filter_mismatch,runtime=gateway} 1
flex_run_cancel_latency_seconds_count{runtime=convergence,source=operator} 1
flex_run_cancel_latency_seconds_count{runtime=gateway,source=api} 1
flex_run_cancel_latency_seconds_count{runtime=gateway,source=stop_command} 2
flex_run_duration_seconds_count{runtime=convergence,status=awaiting_hitl} 1
flex_run_duration_seconds_count{runtime=convergence,status=cancelled} 1
flex_run_duration_seconds_count{runtime=convergence,status=completed} 1
flex_run_duration_seconds_count{runtime=convergence,status=failed} 1
flex_run_duration_seconds_count{runtime=gateway,status=cancelled} 3
flex_run_duration_seconds_count{runtime=gateway,status=completed} 3
flex_run_duration_seconds_count{runtime=gateway,status=failed} 1
flex_run_duration_seconds_count{runtime=yolo,status=completed} 1
flex_run_duration_seconds_count{runtime=yolo,status=failed} 1
flex_run_status_total{runtime=convergence,status=awaiting_hitl} 1
flex_run_status_total{runtime=convergence,status=cancelled} 1
flex_run_status_total{runtime=convergence,status=completed} 1
flex_run_status_total{runtime=convergence,status=failed} 1
flex_run_status_total{runtime=gateway,status=cancelled} 3
flex_run_status_total{runtime=gateway,status=completed} 3
flex_run_status_total{runtime=gateway,status=failed} 1
flex_run_status_total{runtime=yolo,status=completed} 1
flex_run_status_total{runtime=yolo,status=failed} 1
flex_run_transitions_total{runtime=convergence,state=cancel_requested} 1
flex_run_transitions_total{runtime=convergence,state=cancelled} 1
flex_run_transitions_total{runtime=convergence,state=complete} 1
flex_run_transitions_total{runtime=convergence,state=error} 1
flex_run_transitions_total{runtime=convergence,state=paused} 1
flex_run_transitions_total{runtime=convergence,state=resumed} 1
flex_run_transitions_total{runtime=convergence,state=start} 3
flex_run_transitions_total{runtime=gateway,state=cancel_requested} 3
flex_run_transitions_total{runtime=gateway,state=cancelled} 3
flex_run_transitions_total{runtime=gateway,state=complete} 3
flex_run_transitions_total{runtime=gateway,state=error} 1
flex_run_transitions_total{runtime=gateway,state=start} 7
flex_run_transitions_total{runtime=yolo,state=complete} 1
flex_run_transitions_total{runtime=yolo,state=error} 1
flex_run_transitions_total{runtime=yolo,state=start} 2
yolo_agent_status_info{agent=operator,status=blocked} 1
yolo_agent_status_info{agent=triage,status=idle} 1
yolo_agent_status_info{agent=writer,status=idle} 1
yolo_context_items{agent=triage} 1
yolo_context_items{agent=writer} 1
yolo_context_refresh_time_seconds_count{agent=writer} 1
yolo_context_tokens{agent=triage} 10
yolo_context_tokens{agent=writer} 5
yolo_decision_time_seconds_count{agent=triage} 1
yolo_decisions_total{agent=triage,decision_type=route} 1
yolo_errors_total{agent=writer,severity=medium} 1
yolo_handoff_duration_seconds_count{from_agent=triage,to_agent=writer} 1
yolo_handoffs_total{from_agent=triage,to_agent=writer} 1
yolo_safety_blocks_total{agent=operator} 1
yolo_state_load_time_seconds_count{} 1
yolo_state_saves_total{} 5
yolo_workflow_duration_seconds_count{outcome=error} 1
yolo_workflow_duration_seconds_count{outcome=ok} 1
yolo_workflows_total{outcome=error} 1
yolo_workflows_total{outcome=ok} 1
""".strip().splitlines()
ZERO = (
    "flex_run_active{runtime=yolo}",
    "flex_run_transitions_total{runtime=gateway,state=paused}",
    "flex_run_status_total{runtime=yolo,status=cancelled}",
    "flex_planner_requests_total{phase=initial,runtime=convergence}",
    "flex_reaction_matches_total{channel=chat,rule=night,runtime=gateway}",
    "flex_reaction_skips_total{channel=desk,reason=busy,runtime=gateway}",
    "flex_hitl_pending{runtime=convergence}",
    "yolo_agents_active{}",
    "yolo_agent_status_info{agent=triage,status=active}",
    "yolo_workflows_total{outcome=cancelled}",
)


@pytest.fixture
def page() -> Iterator[str]:
    """The page of metrics of the program, when it has played."""
    require_module("typer", "cli")
    command = (*COMMAND, "run", "--serve", "127.0.0.1:0", "--output", "/dev/null", "--")
    with subprocess.Popen(
        [*command, sys.executable, "-m", "tests.serve.three_runtimes"],
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        url = re.search(r"live at (\S+):", program.stderr.readline())
        assert program.stdout.readline() == "played\n"
        assert url is not None
        yield httpx.get(f"{url[1]}/metrics", timeout=60).text
        program.communicate(timeout=60)


def test_three_runtimes_come_to_exactly_these_numbers(page: str) -> None:
    """Names, labels and values of everything that happened; what may happen stands at zero; the departed are gone."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            own = sorted(f"{name}={value}" for name, value in sample.labels.items() if not name.startswith("otel_"))
            if sample.name.startswith(("flex_", "yolo_")):
                found[f"{sample.name}{{{','.join(own)}}}"] = sample.value

    moved = sorted(f"{name} {value:g}" for name, value in found.items() if value and not VARYING.search(name))
    assert moved == PLAYED
    assert [name for name in ZERO if found.get(name) != 0] == []
    assert [name for name in found if "agent=left" in name] == []
