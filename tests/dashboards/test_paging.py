"""Alerts on their whole way: a program that misbehaves, SDK, Collector, Prometheus, Alertmanager, who is told.

Beside it runs one that does not misbehave, and nobody hears of it.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from dashboards.alerting import alerts
from tests.collector import promises
from tests.collector.backends import backend
from tests.collector.collectors import Collector, collecting, free_port
from tests.collector.ledger import Ledger
from tests.collector.prometheus import Prometheus, prometheus
from tests.collector.tiers import over_otlp
from tests.dashboards.paging import LIMITS, Notification, Told, alertmanager, hasten_rules
from tests.dashboards.promtool import ALERTS
from tests.dashboards.reading import BOARDS
from tests.dashboards.test_alertmanager import receiver_of
from tests.docs.pages import ROOT
from tests.proof.programs import INSTRUMENT, quiet

pytestmark = [pytest.mark.proof, pytest.mark.timeout(400)]

PROGRAM = Path(__file__).with_name("misbehaving.py")
# A method that is not there, as after an update of a framework.
MISSING = "version: 1\ntargets: [{method: 'json:JSONDecoder.gone', kind: node, name: gone}]\n"
FEW = """
exporters: {otlp_http/logs: {sending_queue: {queue_size: 100, batch: {sizer: items, min_size: 10, max_size: 50}}}}
"""
RECEIVERS: dict[tuple[str, str], str] = {(rule.name, rule.severity): receiver_of(rule) for rule in alerts(LIMITS)}
# By when: while all works, when nothing is sent any more, when it is killed.
AT_WORK = {
    "CancelLatencyHigh", "CollectorEnqueueFailed", "CollectorQueueFilling", "CollectorRefused", "CollectorRestarted",
    "CollectorSendFailed", "ContextOverflow", "ContextOverflowPredicted", "EventsDropped", "HandoffLoops",
    "HighErrorRate", "HitlAnswerBudgetBurn", "HitlQueueGrowing", "InstrumentationErrors", "LabelOverflow",
    "PatchPointsMissing", "PlanRejectionBudgetBurn", "RetryStorm", "RunSuccessBudgetBurn", "SafetyBlock", "StuckRuns",
    "ValidationFailing", "Watchdog",
}  # fmt: skip
IN_SILENCE = {"NoTelemetryWhileRunsActive"}
AT_THE_END = {"CollectorDown", "RunsLostFromView"}
TOLD = AT_WORK | IN_SILENCE | AT_THE_END
# Told of by a graver or narrower alert.
SILENCED = {"HighErrorRateAllAgents"}
# What two tiers are needed for: tests/collector/test_board.py and the unit tests of rules have these.
ELSEWHERE = {"CollectorGatewayFailing", "CollectorGatewayLost", "CollectorSamplerOverflow"}

WORDS = {
    "ContextOverflow": "The context of hoarder holds 9500 tokens; the limit is 9000.",
    "PatchPointsMissing": "1 patch points of the adapter targets in bad were not found: "
    "the version of the framework is one that we do not know.",
    "InstrumentationErrors": "1 errors of ours were swallowed at proof in bad in 15 minutes; "
    "the program itself was not harmed, but telemetry is missing.",
}

# What explains that an alert does not come.
STATE = ("ALERTS", "up", "flex_run_active", "rate({__name__=~'otelcol_receiver_accepted_.+'}[10s]) > 0")


def nothing() -> None:
    """Do nothing meanwhile."""


class Collectors(NamedTuple):
    """Of one the programs are sent away, one fills up, and one has no memory."""

    losing: Collector
    filling: Collector
    little: Collector


@contextmanager
def collectors(folder: Path) -> Iterator[Collectors]:
    """Run them, in front of a backend that refuses for good, and one that asks for time."""
    few = folder / "few.yaml"
    few.write_text(FEW)
    scarce = {"OTELCOL_MEMORY_MIB": "8", "OTELCOL_MEMORY_SPIKE_MIB": "4"}
    with backend() as refuses, backend() as asks:
        refuses.status, asks.status = 400, 503
        ways = over_otlp(asks.endpoint)
        away = ways | {"OTELCOL_TRACES_URL": refuses.endpoint}
        with (
            collecting(folder / "losing", "standalone.yaml", str(few), **away) as losing,
            collecting(folder / "filling", "standalone.yaml", str(few), **ways) as filling,
            collecting(folder / "little", "standalone.yaml", **scarce) as little,
        ):
            little.said("Memory usage is above", 0)
            assert Ledger(filling.http, "logs").send(90) == 200
            yield Collectors(losing, filling, little)


@contextmanager
def program(folder: Path, behaviour: str, port: int, endpoint: str) -> Iterator[subprocess.Popen[str]]:
    """Run a program, which Prometheus scrapes, and whose spans and log records go to a Collector."""
    (folder / "targets.yaml").write_text(MISSING)
    environ = quiet(
        OTEL_EXPORTER_PROMETHEUS_PORT=str(port), OTEL_EXPORTER_OTLP_ENDPOINT=endpoint,
        OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf", OTEL_SERVICE_NAME=behaviour,
    )  # fmt: skip
    environ |= {"OTEL_METRICS_EXPORTER": "prometheus", "OTEL_TRACES_EXPORTER": "otlp", "OTEL_LOGS_EXPORTER": "otlp"}
    if behaviour == "bad":
        environ["OTEL_AGENTS_CONFIG"] = str(folder / "targets.yaml")
    pipe, command = subprocess.PIPE, [INSTRUMENT, sys.executable, str(PROGRAM), behaviour]
    with (folder / f"{behaviour}.log").open("w") as log:
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=log, text=True, env=environ)
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()
            process.communicate()


def silence(*processes: subprocess.Popen[str]) -> None:
    """Have programs send neither spans nor log records any more; they work on."""
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("silence\n")
        process.stdin.flush()


@contextmanager
def scraping(folder: Path, manager: str, three: Collectors, **programs: int) -> Iterator[Prometheus]:
    """Run a Prometheus that scrapes all of them, and has the rules."""
    targets = {name: [port] for name, port in programs.items()}
    targets["otel-collector"] = [one.ports["METRICS"] for one in three]
    jobs = [
        {
            "job_name": name,
            "scrape_protocols": ["PrometheusText0.0.4"],
            "static_configs": [{"targets": [f"127.0.0.1:{port}" for port in ports]}],
        }
        for name, ports in targets.items()
    ]
    config: dict[str, Any] = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [manager]}]}]},
        "rule_files": [hasten_rules(folder)],
        "scrape_configs": jobs,
    }
    with prometheus(folder, **config) as known:
        yield known


class Seen(NamedTuple):
    """What was told, which alerts Prometheus fired at any time, and what explains them."""

    told: Told
    fired: set[str]
    gone: str  # the Collector that is gone
    said: str  # by the program that misbehaves


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """Have one program misbehave and another one not, silence both, and kill the first."""
    folder = tmp_path_factory.mktemp("paging")
    bad, good = free_port(), free_port()
    with (
        alertmanager(folder) as (told, manager),
        collectors(folder) as three,
        scraping(folder, manager, three, bad=bad, quiet=good) as known,
        program(folder, "quiet", good, three.losing.http) as well,
        program(folder, "bad", bad, three.losing.http) as ill,
    ):
        known.until('up{job="otel-collector"} == 1', len(three))
        three.filling.kill()
        three.filling.start()
        little = Ledger(three.little.http)

        def state() -> object:
            return [known.query(each) for each in STATE]

        told.wait(AT_WORK, little.send, state)
        silence(ill, well)
        told.wait(IN_SILENCE, nothing, state)
        begin = len(told.notifications)
        ill.kill()
        three.little.kill()
        told.wait(AT_THE_END, nothing, state, begin)
        fired = known.query('count by (alertname) (max_over_time(ALERTS{alertstate="firing"}[5m]))')
        names = {each["metric"]["alertname"] for each in fired}
        gone = f"127.0.0.1:{three.little.ports['METRICS']}"
        yield Seen(told, names, gone, (folder / "bad.log").read_text())


def test_every_alert_has_its_proof() -> None:
    """Each alert that ships is told here, silenced here, or needs two tiers."""
    assert ALERTS.keys() == TOLD | SILENCED | ELSEWHERE


@pytest.mark.proves("alert", of="name")
@pytest.mark.parametrize("name", sorted(TOLD))
def test_somebody_is_told(name: str, seen: Seen) -> None:
    """The right one hears how grave it is and what was seen, and where to read on and to look."""
    for told in seen.told.of(name):
        assert told.receiver == RECEIVERS[name, told.labels["severity"]]
        assert set(told.annotations) == {"summary", "description", "runbook_url", "dashboard_url"}
        assert re.search(r"[{}]|no value", " ".join(told.annotations.values())) is None
        assert (ROOT / told.annotations["runbook_url"]).read_text().startswith(f"# {name}\n")
        assert told.annotations["dashboard_url"].removeprefix(f"{LIMITS.grafana}/d/") in BOARDS
        assert re.search(r"\d", told.annotations["description"]) or name in ("CollectorDown", "Watchdog")


@pytest.mark.parametrize("name", WORDS)
def test_it_says_what_was_seen(name: str, seen: Seen) -> None:
    """What is told has the numbers and the names of what happened."""
    assert {each.annotations["description"] for each in seen.told.of(name)} == {WORDS[name]}


@pytest.mark.proves("alert", of="name")
@pytest.mark.parametrize("name", sorted(SILENCED))
def test_what_a_narrower_alert_says_is_not_told(name: str, seen: Seen) -> None:
    """It fires, and Alertmanager keeps it to itself."""
    assert name in seen.fired
    assert seen.told.of(name) == []


@pytest.mark.proves("loss", promises.KILLED_PROGRAM)
def test_a_killed_program_is_missed(seen: Seen) -> None:
    """Of a program that was killed with a run in it, somebody is told that it is gone."""
    assert {each.labels["job"] for each in seen.told.of("RunsLostFromView")} == {"bad"}


@pytest.mark.proves("loss", promises.GONE)
def test_a_collector_that_is_gone_is_missed(seen: Seen) -> None:
    """Of a Collector that is gone, with all that waits there, somebody is told; at the start there was none at all."""
    assert {each.labels.get("instance") for each in seen.told.of("CollectorDown")} - {None} == {seen.gone}


@pytest.mark.proves("loss", promises.GIVEN_UP)
def test_what_is_given_up_is_said(seen: Seen) -> None:
    """What a Collector refuses for longer than the SDK tries is given up, and the program's log says so."""
    assert "Failed to export logs batch" in seen.said


def test_nobody_hears_of_who_does_well(seen: Seen) -> None:
    """No alert is about the program that does not misbehave, and none that should not fire was told."""
    assert [each for each in seen.told.notifications if each.labels.get("job") == "quiet"] == []
    assert {each.name for each in seen.told.notifications} == TOLD


def test_the_dead_mans_switch_is_held(seen: Seen) -> None:
    """The watchdog is told again and again, and to nobody else."""
    held: list[Notification] = seen.told.of("Watchdog")
    assert len(held) > 5
    assert {each.receiver for each in held} == {"dead-mans-switch"}
