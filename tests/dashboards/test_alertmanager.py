"""The example for Alertmanager: read by amtool, every alert is routed, and nothing is told twice."""

from __future__ import annotations

import json
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dashboards.alerting import alerts
from dashboards.model import Alert
from tests.dashboards.paging import answers
from tests.dashboards.reading import FOLDER, LIMITS
from tests.need import require_command

CONFIG = FOLDER / "alertmanager.yaml"
OF_TELEMETRY = {
    "CollectorGatewayFailing", "CollectorGatewayLost", "CollectorQueueFilling", "CollectorRefused",
    "CollectorRestarted", "CollectorSamplerOverflow", "EventsDropped", "InstrumentationErrors", "LabelOverflow",
    "PatchPointsMissing",
}  # fmt: skip
OF_TEAM = {"job": "team", "instance": "a:9464", "runtime": "flex", "agent": "coder"}
OF_COLLECTOR = {"job": "otel-collector", "instance": "c:8888"}
WAIT_S = 60


def _amtool(*arguments: str) -> str:
    amtool = require_command("amtool", "apt-get install prometheus-alertmanager")
    done = subprocess.run([amtool, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def receiver_of(rule: Alert) -> str:
    """Return who is to be told of an alert."""
    if rule.name == "Watchdog":
        return "dead-mans-switch"
    return "pager" if rule.severity == "critical" else "telemetry" if rule.name in OF_TELEMETRY else "tickets"


def test_alertmanager_reads_the_example() -> None:
    """All routes, inhibitions and receivers are understood."""
    said = _amtool("check-config", str(CONFIG))

    assert " - 5 inhibit rules\n - 4 receivers\n" in said


@pytest.mark.parametrize("rule", {(each.name, each.severity): each for each in alerts(LIMITS)}.values(), ids=str)
def test_every_alert_reaches_somebody(rule: Alert) -> None:
    """Critical alerts page, warnings make tickets or go to those who run the telemetry, the watchdog to its switch."""
    labels = (f"alertname={rule.name}", f"severity={rule.severity}", "job=team")
    command = ("config", "routes", "test", f"--config.file={CONFIG}", f"--verify.receivers={receiver_of(rule)}")

    assert _amtool(*command, *labels).strip() == receiver_of(rule)


def test_an_alert_of_others_reaches_somebody() -> None:
    """An unknown severity makes a ticket."""
    command = ("config", "routes", "test", f"--config.file={CONFIG}")

    assert _amtool(*command, "alertname=DiskFull", "severity=disaster").strip() == "tickets"


@pytest.fixture
def alertmanager(tmp_path: Path) -> Iterator[str]:
    """Start a real Alertmanager with the example and return its address."""
    program = require_command("prometheus-alertmanager", "apt-get install prometheus-alertmanager")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [program, f"--config.file={CONFIG}", f"--storage.path={tmp_path}", f"--web.listen-address={address}"]
    with subprocess.Popen([*command, "--cluster.listen-address="], stderr=subprocess.DEVNULL) as process:
        try:
            answers(f"http://{address}/-/ready", WAIT_S)
            yield f"http://{address}/api/v2/alerts"
        finally:
            process.terminate()


def _silenced(url: str, alerts: list[dict[str, str]]) -> set[tuple[str, str]]:
    """Tell of alerts, and return name and severity of those that another one silences."""
    body = json.dumps([{"labels": labels} for labels in alerts]).encode()
    asked = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    urllib.request.urlopen(asked, timeout=WAIT_S).close()
    end = time.monotonic() + WAIT_S
    while True:
        with urllib.request.urlopen(url, timeout=WAIT_S) as answer:
            found: list[dict[str, Any]] = json.load(answer)
        if len(found) == len(alerts) and all(each["status"]["state"] != "unprocessed" for each in found):
            break
        assert time.monotonic() < end, found
        time.sleep(0.05)
    return {
        (each["labels"]["alertname"], each["labels"]["severity"]) for each in found if each["status"]["inhibitedBy"]
    }


@pytest.mark.proof
def test_what_is_told_once(alertmanager: str) -> None:
    """With everything firing at once, what a graver alert explains is silenced, and nothing else."""
    rows = {(each.name, each.severity) for each in alerts(LIMITS)}
    firing = [
        {"alertname": name, "severity": severity, **(OF_COLLECTOR if name.startswith("Collector") else OF_TEAM)}
        for name, severity in sorted(rows)
    ]

    assert _silenced(alertmanager, firing) == {
        ("CollectorQueueFilling", "warning"),
        ("CollectorRefused", "warning"),
        ("ContextOverflowPredicted", "warning"),
        ("HighErrorRateAllAgents", "warning"),
        ("HitlAnswerBudgetBurn", "warning"),
        ("NoTelemetryWhileRunsActive", "critical"),
        ("PlanRejectionBudgetBurn", "warning"),
        ("RunSuccessBudgetBurn", "warning"),
    }


@pytest.mark.proof
def test_what_happens_elsewhere_silences_nothing(alertmanager: str) -> None:
    """A graver alert of another job, agent or instance leaves an alert as it is."""
    here, there = OF_TEAM, {**OF_TEAM, "job": "other", "instance": "b:9464", "agent": "reviewer", "runtime": "yolo"}
    firing = [
        {"alertname": name, "severity": severity, **labels}
        for name, severity, labels in (
            ("RunSuccessBudgetBurn", "critical", there),
            ("RunSuccessBudgetBurn", "warning", here),
            ("ContextOverflow", "warning", there),
            ("ContextOverflowPredicted", "warning", here),
            ("HighErrorRate", "warning", there),
            ("HighErrorRateAllAgents", "warning", here),
            ("CollectorEnqueueFailed", "critical", OF_COLLECTOR),
            ("CollectorRefused", "warning", {**OF_COLLECTOR, "instance": "d:8888"}),
        )
    ]

    assert _silenced(alertmanager, firing) == set()
