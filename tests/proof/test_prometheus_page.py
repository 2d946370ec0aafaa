"""The Prometheus page of a LangGraph program under `opentelemetry-instrument --metrics_exporter prometheus`."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.need import require_command, require_module
from tests.proof.programs import EXAMPLE, INSTRUMENT, quiet, write

pytestmark = pytest.mark.proof

# Stays alive, does what it is told a line at a time, and answers each with a line.
PROGRAM = f"""
import contextlib, io, runpy, sys

def run(*arguments):
    sys.argv = ["app.py", *arguments]
    sys.path.insert(0, {str(EXAMPLE.parent)!r})
    with contextlib.redirect_stdout(io.StringIO()):
        runpy.run_path({str(EXAMPLE)!r}, run_name="__main__")

def load():
    import langgraph.pregel.main

def flush():
    from opentelemetry import trace
    from otel_agents import pipeline
    trace.get_tracer_provider().force_flush()
    pipeline.active().flush()

def flush_everything():
    from opentelemetry import metrics
    metrics.get_meter_provider().force_flush()

print("ready", flush=True)
for line in sys.stdin:
    name, *arguments = line.split()
    globals()[name](*arguments)
    print("done", flush=True)
"""

ALWAYS = {
    "yolo_workflows_total": "counter",
    "yolo_state_saves_total": "counter",
    "yolo_agents_active": "gauge",
    "yolo_memory_usage_mb": "gauge",
    "yolo_cpu_usage_percent": "gauge",
    "otel_agents_patch_points": "gauge",
}
LOADED = {
    "flex_run_status_total": "counter",
    "flex_run_transitions_total": "counter",
    "flex_run_active": "gauge",
    "flex_run_oldest_age_seconds": "gauge",
    "flex_run_last_progress_age_seconds": "gauge",
    "flex_planner_requests_total": "counter",
    "flex_planner_rejections_total": "counter",
    "flex_planner_generated_total": "counter",
    "flex_hitl_requests_total": "counter",
    "flex_hitl_resolved_total": "counter",
    "flex_hitl_pending": "gauge",
    "flex_hitl_oldest_age_seconds": "gauge",
    "flex_validation_errors_total": "counter",
    "flex_validation_retries_total": "counter",
    "flex_model_tokens_total": "counter",
}
USED = {
    "flex_run_duration_seconds": "histogram",
    "flex_planner_updated_total": "counter",
    "flex_planner_duration_seconds": "histogram",
    "flex_node_duration_seconds": "histogram",
    "flex_node_retries_total": "counter",
    "flex_policy_triggers_total": "counter",
    "flex_hitl_wait_duration_seconds": "histogram",
    "yolo_handoffs_total": "counter",
    "yolo_handoff_duration_seconds": "histogram",
}
OURS = re.compile(r"^(flex|yolo|otel_agents|agentgate)_")
NAMED_EXCEPTION = "yolo_memory_usage_mb metric names should not contain abbreviated units\n"


class Program:
    """The program, alive, and its page."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self._process = process
        self._url = f"http://127.0.0.1:{port}/metrics"

    def do(self, line: str) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "done\n"

    def page(self) -> str:
        with urllib.request.urlopen(self._url, timeout=20) as answer:
            return answer.read().decode()


def families(page: str) -> dict[str, str]:
    """Return our families and their types; each of all families has one HELP and one TYPE line."""
    for mark in ("HELP", "TYPE"):
        named = re.findall(rf"^# {mark} (\S+)", page, re.MULTILINE)
        assert len(named) == len(set(named))
    found: list[tuple[str, str]] = re.findall(r"^# TYPE (\S+) (\S+)", page, re.MULTILINE)
    return {name: kind for name, kind in found if OURS.match(name)}


def samples(page: str, name: str) -> dict[str, float]:
    """Return the samples of a name by their labels, without those of the scope."""
    lines = re.findall(rf"^{name}\{{(.*)\}} (\S+)$", page, re.MULTILINE)
    named = [(re.sub(r"otel_scope_\w+=\"[^\"]*\",?", "", labels).strip(","), float(value)) for labels, value in lines]
    assert len(named) == len(dict(named))
    return dict(named)


def lint(page: str) -> str:
    """Return what promtool has to say of a page."""
    promtool = require_command("promtool", "apt-get install prometheus")
    done = subprocess.run([promtool, "check", "metrics"], input=page, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    """Start the program; it must say nothing but what it is asked for."""
    require_module("langgraph_swarm", "demo")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environ = quiet(OTEL_EXPORTER_PROMETHEUS_PORT=str(port))
    del environ["OTEL_METRICS_EXPORTER"]
    command = [INSTRUMENT, "--metrics_exporter", "prometheus", sys.executable, write(tmp_path, PROGRAM)]
    said = tmp_path / "stderr"
    with said.open("w") as stderr:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, text=True, env=environ
        )
        with process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield Program(process, port)
            assert process.stdin is not None
            process.stdin.close()
            assert process.wait(20) == 0
    assert said.read_text() == ""


def test_the_page_of_the_example(program: Program, tmp_path: Path) -> None:
    """The page has exactly the contract's names, each once, whatever ran, also after a flush; promtool agrees."""
    assert families(program.page()) == ALWAYS
    program.do("load")
    loaded = program.page()
    assert families(loaded) == ALWAYS | LOADED
    assert lint(loaded) == NAMED_EXCEPTION
    for mode in ("invoke", "stream", "ainvoke", "astream"):
        program.do(f"run --mode {mode} --pace 0 --db {tmp_path / mode}.sqlite")
    for _ in range(2):
        page = program.page()
        assert families(page) == ALWAYS | LOADED | USED
        assert lint(page) == NAMED_EXCEPTION
        program.do("flush")
    assert samples(page, "flex_run_status_total") == {
        'runtime="langgraph",status="completed"': 4,
        'runtime="langgraph",status="awaiting_hitl"': 4,
        'runtime="langgraph",status="failed"': 0,
        'runtime="langgraph",status="cancelled"': 0,
    }
    assert samples(page, "flex_run_active") == {'runtime="langgraph"': 0}
    assert samples(page, "yolo_handoffs_total") == {
        'from_agent="triage",to_agent="writer"': 4,
        'from_agent="review",to_agent="publisher"': 4,
    }


def test_counters_stand_at_zero_before_the_first_run(program: Program) -> None:
    """Counters whose labels have closed sets of values show them all at 0 as soon as the framework is there."""
    program.do("load")
    page = program.page()
    counters = {name for name, kind in families(page).items() if kind == "counter"}
    assert {value for name in counters for value in samples(page, name).values()} == {0}
    assert set(samples(page, "flex_hitl_resolved_total")) == {
        f'decision="{word}",runtime="langgraph"' for word in ("approved", "edited", "rejected", "responded", "expired")
    }
    assert set(samples(page, "flex_run_transitions_total")) == {
        f'runtime="langgraph",state="{word}"'
        for word in ("start", "complete", "cancel_requested", "cancelled", "error", "paused", "resumed")
    }
    assert set(samples(page, "flex_model_tokens_total")) == {
        f'direction="{word}",runtime="langgraph"' for word in ("input", "output")
    }


def test_the_sdks_own_flush_of_metrics_spoils_one_page(program: Program) -> None:
    """Why `flush` leaves metrics alone: the SDK's own flush has the next page show every family twice.

    When this fails, OpenTelemetry has mended it, and metrics can be flushed with the rest.
    """
    program.do("flush_everything")
    named = re.findall(r"^# HELP (\S+)", program.page(), re.MULTILINE)
    assert len(named) > len(set(named))
    assert families(program.page()) == ALWAYS


def test_many_scrapes_at_once(program: Program, tmp_path: Path) -> None:
    """Scrapes that meet each other and running graphs all get a whole page; counters never go back."""
    program.do("load")
    with ThreadPoolExecutor(8) as pool:
        end = time.monotonic() + 6
        scraping = [pool.submit(_scrape_until, program, end) for _ in range(6)]
        for number in range(3):
            program.do(f"run --mode ainvoke --pace 0.01 --db {tmp_path / str(number)}.sqlite")
        for each in scraping:
            counts = each.result()
            assert counts == sorted(counts)
    assert samples(program.page(), "flex_run_status_total")['runtime="langgraph",status="completed"'] == 3


def _scrape_until(program: Program, end: float) -> list[float]:
    counts = []
    while time.monotonic() < end:
        page = program.page()
        assert families(page).items() >= (ALWAYS | LOADED).items()
        counts.append(sum(samples(page, "flex_run_status_total").values()))
    assert len(counts) > 1
    return counts
