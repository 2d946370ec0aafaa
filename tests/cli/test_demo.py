from __future__ import annotations

import json
import socket

import pytest

from otel_agents.cli.demo import _told
from tests.cli.playing import COMMAND, Window, call
from tests.need import require_module

for _name in ("langgraph", "langchain", "langgraph.checkpoint.sqlite", "langgraph_swarm", "sqlalchemy"):
    require_module(_name, extra="demo")

SLOW = [pytest.param(mode, marks=pytest.mark.slow) for mode in ("stream", "ainvoke", "astream")]


@pytest.mark.parametrize("mode", ["invoke", *SLOW])
def test_one_run_goes_through_a_pause_and_two_processes(mode: str) -> None:
    """Whatever way the graph is called: one run id, one question, asked and answered in different processes."""
    done = call("demo", "--json", "--pace", "0.01", "--mode", mode)

    assert done.returncode == 0
    told = [json.loads(one) for one in done.stderr.splitlines()]
    sums, events = told[-1]["summary"], told[:-1]
    assert len({one["runId"] for one in events}) == 1
    assert len(sums["processes"]) == 2
    assert sums["runs"] == {"awaiting_hitl": 1, "completed": 1}
    assert sums["unended"] == 0
    counts = {
        name: sums["events"][name] for name in ("start", "handoff", "hitl_request", "hitl_resolved", "node_retry")
    }
    assert counts == {"start": 2, "handoff": 2, "hitl_request": 1, "hitl_resolved": 1, "node_retry": 1}
    assert sums["waitedMs"] > 0
    assert done.stdout.count("Release 2.4 is faster and safer") == 2


def test_a_rejection_publishes_nothing() -> None:
    """The answer of the human reaches the program, and the decision the story."""
    done = call("demo", "--pace", "0", "--decision", "reject")

    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "Rejected: nothing was published."
    assert "human: rejected" in done.stderr


def test_on_a_terminal_a_person_is_asked() -> None:
    """The question stands while the program is gone; the answer goes to the second process."""
    with Window([*COMMAND, "demo", "--pace", "0"]) as window:
        window.until(lambda screen: "Publish these notes? [Y/n]" in screen)
        window.press("n\n")

        assert window.wait() == 0
        assert "Rejected: nothing was published." in window.everything
        assert "✓ human: rejected" in window.everything
        assert "in 2 processes; it waited" in window.everything.replace("\n", " ")


def test_the_prometheus_page_shows_the_whole_run() -> None:
    """One process plays all of it; where nobody can press Ctrl-C the page is printed once, and all ends."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    done = call("demo", "--pace", "0", "--prometheus", f"127.0.0.1:{port}")

    assert done.returncode == 0
    page = done.stdout.splitlines()
    assert 'flex_run_status_total{runtime="langgraph",status="completed"} 1.0' in page
    assert 'flex_run_status_total{runtime="langgraph",status="awaiting_hitl"} 1.0' in page
    assert 'yolo_handoffs_total{from_agent="triage",to_agent="writer"} 1.0' in page
    assert 'flex_hitl_resolved_total{decision="approved",runtime="langgraph"} 1.0' in page


def test_a_printed_page_is_without_zeros_buckets_and_scope_labels() -> None:
    """What is the same on all lines, and what says nothing, is left out."""
    page = [
        "# HELP flex_run_active Runs.",
        'flex_run_active{otel_scope_name="otel_agents",runtime="x"} 1.0',
        'flex_run_active{otel_scope_name="otel_agents",runtime="y"} 0.0',
        'flex_node_duration_seconds_bucket{le="1.0",otel_scope_name="otel_agents"} 1.0',
        'yolo_agents_active{otel_scope_name="otel_agents",otel_scope_version="0.1.0"} 2.0',
        "python_info 1.0",
    ]
    assert _told(page) == ['flex_run_active{runtime="x"} 1.0', "yolo_agents_active 2.0"]
