"""Every panel and every rule over what a real run of the examples says to a real Prometheus."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dashboards.boards import boards
from dashboards.queries import Query
from tests.dashboards.reading import LIMITS, metrics, resolved, rules
from tests.dashboards.server import JOB, WAIT_S, Prometheus, free_port, prometheus
from tests.dashboards.test_runbooks import PROMQL
from tests.need import require_module
from tests.proof.programs import INSTRUMENT, quiet

pytestmark = [pytest.mark.proof, pytest.mark.timeout(400)]

PROGRAM = Path(__file__).parent / "program.py"
QUERIES = {
    f"{board.name}: {panel.title} {number}": line.query
    for board in boards(LIMITS)
    for panel in board.panels()
    for number, line in enumerate(panel.lines)
    if isinstance(line.query, Query)
}
OF_COLLECTOR = "otelcol_"
RUNS_A_ROUND = 3  # of runtime convergence
RECORDED = {rule["record"]: rule["expr"] for rule in rules() if "record" in rule}
# What the program does to itself, and what is always so. Others need time.
FIRING = {"SafetyBlock", "EventsDropped", "InstrumentationErrors", "LabelOverflow", "Watchdog"}


class Program:
    """The program, alive."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def round(self) -> None:
        """Have everything happen once."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "done\n"


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Run the program twice under the eyes of Prometheus."""
    require_module("langgraph_swarm", "demo")
    folder = tmp_path_factory.mktemp("prometheus")
    target = free_port()
    environ = quiet(OTEL_EXPORTER_PROMETHEUS_PORT=str(target))
    del environ["OTEL_METRICS_EXPORTER"]
    command = [INSTRUMENT, "--metrics_exporter", "prometheus", sys.executable, str(PROGRAM), str(folder)]
    pipe = subprocess.PIPE
    with (
        prometheus(folder, target) as server,
        (folder / "stderr").open("w") as stderr,
        subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=stderr, text=True, env=environ) as process,
    ):
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            _play(Program(process), server)
            yield server
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(WAIT_S)


def _play(program: Program, server: Prometheus) -> None:
    """Play two rounds, each of which Prometheus sees from before to after, and wait for the rules."""
    server.wait(f'up{{job="{JOB}"}} == 1')
    for number in (1, 2):
        program.round()
        # Guard errors are the last thing that happens in a round.
        server.wait(f'otel_agents_guard_errors_total{{place="proof"}} == {number}')
        server.wait(f"agentgate_runs_started_total == {RUNS_A_ROUND * number}")  # the rules saw the round, too
    server.wait('rate(otel_agents_guard_errors_total{place="proof"}[5m]) > 0')
    server.wait('slo:error_budget_remaining:ratio{slo="run_success"} < 1')
    server.wait("job:yolo_workflow_duration_seconds:mean1h > 0")
    server.wait("sum(rate(agentgate_iterations_total[5m])) > 0")
    server.hold("flex_run_active", "agentgate_active_runs", "slo:hitl_late:bool", 'ALERTS{alertstate="firing"}')


def _needs_collector(expr: str) -> bool:
    return any(name.startswith(OF_COLLECTOR) for name in metrics(resolved(expr)))


def _place(place: str) -> Any:
    """Return a panel as a parameter; of those of a Collector this is no proof, since here is none."""
    proof = () if _needs_collector(str(QUERIES[place])) else (pytest.mark.proves("panel", place),)
    return pytest.param(place, marks=proof)


@pytest.mark.parametrize("place", [_place(each) for each in QUERIES])
def test_every_panel_shows_something(place: str, seen: Prometheus) -> None:
    """Each expression gives numbers, under exactly the labels that its legend counts on, but those of a Collector."""
    query = QUERIES[place]
    found = seen.query(resolved(str(query)))
    if _needs_collector(str(query)):
        assert found == []
        return

    assert {frozenset(each.labels) for each in found} == {frozenset(query.labels)}
    assert any(math.isfinite(each.value) for each in found)


@pytest.mark.proves("recording rule", of="name")
@pytest.mark.parametrize("name", RECORDED)
def test_every_recording_rule_writes_something(name: str, seen: Prometheus) -> None:
    """Each recorded series is there, by job."""
    found = seen.query(name)

    assert found
    assert {each.labels["job"] for each in found} == {JOB}


@pytest.mark.parametrize(("place", "expr"), PROMQL)
def test_every_query_of_a_runbook_can_be_asked(place: str, expr: str, seen: Prometheus) -> None:
    """Prometheus answers it, without an error such as labels that do not match."""
    assert isinstance(seen.query(expr), list)


def test_no_rule_fails(seen: Prometheus) -> None:
    """Prometheus evaluates every rule without an error."""
    groups = seen.get("/api/v1/rules")["groups"]
    failed = {rule["name"]: rule["lastError"] for group in groups for rule in group["rules"] if rule.get("lastError")}

    assert failed == {}
    assert {rule["health"] for group in groups for rule in group["rules"]} == {"ok"}


def test_the_alerts_fire_that_should(seen: Prometheus) -> None:
    """Exactly those fire for which something happened; the rest is quiet, or not yet sure."""
    found = seen.query('ALERTS{alertstate="firing"}')

    assert {each.labels["alertname"] for each in found} == FIRING


def test_rates_of_the_oldest_names_are_those_of_ours(seen: Prometheus) -> None:
    """What a dashboard of the oldest system asks for has the same rate as what replaces it."""
    older = seen.query("sum(rate(agentgate_iterations_total[5m])) > 0")
    ours = seen.query('sum(rate(flex_iteration_duration_seconds_count{runtime="convergence"}[5m])) > 0')

    assert older
    assert ours
    # Rules see a step up to an evaluation later than a scrape does, and of these few samples a rate is a rough one.
    assert older[0].value == pytest.approx(ours[0].value, rel=0.5)
    [started] = seen.query("agentgate_runs_started_total")
    assert started.value == 2 * RUNS_A_ROUND
    assert {each.labels["result"]: each.value for each in seen.query("agentgate_runs_completed_total")} == {
        "succeeded": 2,
        "failed": 2,
        "canceled": 2,
    }
