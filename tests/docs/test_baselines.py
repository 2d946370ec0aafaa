"""The baselines in the docs are what the gateway's example comes to, and the script that keeps baselines works."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from otel_agents.bus.event import rfc3339
from tests.audit.making import Record, cancel, ended, write
from tests.docs.pages import ROOT, blocks
from tests.need import require_module

KEPT = ROOT / "docs" / "baselines"
BIN = Path(sys.executable).parent
TIMEOUT_S = 110


def _run(*command: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        command, env={**os.environ, "PATH": path, **env}, capture_output=True, text=True, check=False, timeout=TIMEOUT_S
    )


def _told(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def _counts(value: Any) -> Any:
    """Return a summary without what differs from run to run: times and latencies."""
    if isinstance(value, dict):
        return {name: _counts(each) for name, each in value.items() if name not in ("window", "latency_ms")}
    return [_counts(each) for each in value] if isinstance(value, list) else value


# Kept baselines


def test_the_kept_windows_are_of_both_kinds() -> None:
    """One of channels with reactions, and one of the gateway's own calls with cancels."""
    channel, gateway = (_told(KEPT / f"{name}.json") for name in ("channel", "gateway"))

    assert [each["channel"] for each in channel["channels"]] == ["chat", "fax", "mail", "pager"]
    assert (channel["total"]["reactions"]["matched"], channel["total"]["reactions"]["skipped"]) == (60, 240)
    assert [each["channel"] for each in gateway["channels"]] == ["gateway"]
    cancels = gateway["total"]["cancels"]
    assert cancels["acknowledged"] == cancels["latency_ms"]["count"] == gateway["total"]["runs"]["cancelled"] == 65
    assert 0 < cancels["latency_ms"]["p50"] <= cancels["latency_ms"]["p95"]


@pytest.mark.slow
def test_the_kept_windows_are_made_by_one_command(tmp_path: Path) -> None:
    """It plays the example again, alone and watched, and comes to the same counts."""
    require_module("typer", "cli")
    done = _run("sh", KEPT / "refresh.sh", tmp_path)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    for name in ("channel", "gateway"):
        assert _counts(_told(tmp_path / f"{name}.json")) == _counts(_told(KEPT / f"{name}.json"))


# The script of every night


@pytest.fixture
def script(tmp_path: Path) -> Path:
    [text] = [block.text for block in blocks(ROOT / "docs" / "howto" / "baseline.md") if block.language == "sh"]
    path = tmp_path / "refresh-baselines"
    path.write_text(text)
    path.chmod(0o755)
    return path


def _records(**states: int) -> list[Record]:
    """Return records of today."""
    now = rfc3339(time.time_ns() - 3600 * 10**9)
    records = [*(record for channel in ("mail", "gateway") for record in ended(states, channel=channel, ts=now))]
    return [*records, *(cancel(float(number), ts=now) for number in range(40))]


@pytest.mark.slow
def test_the_script_gates_on_drift(script: Path, tmp_path: Path) -> None:
    """The first night makes the baselines; then 0 while all is as it was, and 1 when it is not, with a report."""
    require_module("typer", "cli")
    logs, kept = tmp_path / "logs", tmp_path / "kept"
    logs.mkdir()
    places = {"LOGS": str(logs), "KEPT": str(kept)}

    write(logs / "a-1.jsonl", _records(complete=95, error=5))
    first = _run("sh", script, **places)
    assert (first.returncode, first.stdout, first.stderr) == (0, "", "")
    names = {f"{name}{suffix}" for name in ("all", "channels", "gateway", "cancels") for suffix in (".json", ".new.md")}
    assert names <= {each.name for each in kept.iterdir()}
    before = (kept / "channels.json").read_bytes()

    write(logs / "a-2.jsonl", _records(complete=5, error=95))
    second = _run("sh", script, **places)
    assert (second.returncode, second.stdout, second.stderr) == (1, "", "")
    assert (kept / "channels.json").read_bytes() == before
    reports = [each.read_text() for each in (kept / "channels").glob("drift-*.md")]
    assert ["measures changed" in each for each in reports][-1:] == [True]

    shutil.copy(kept / "channels.new.json", kept / "channels.json")
    for name in ("all", "gateway", "cancels"):
        shutil.copy(kept / f"{name}.new.json", kept / f"{name}.json")
    assert _run("sh", script, **places).returncode == 0


def test_the_script_tells_what_it_cannot_judge(script: Path, tmp_path: Path) -> None:
    """An empty log is 2, and not a night without drift; the reason is on stderr."""
    require_module("typer", "cli")
    logs = tmp_path / "logs"
    logs.mkdir()
    write(logs / "a.jsonl", [])
    done = _run("sh", script, LOGS=str(logs), KEPT=str(tmp_path / "kept"))

    assert done.returncode == 2
    assert done.stderr.splitlines() == ["otel-agents: there is nothing in 1 file"] * 3 + [
        "otel-agents: there is no cancel in these files"
    ]
