"""One command brings up Collector and Prometheus, runs the example, and shows what the boards show."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.collector.collectors import CONFIGS, PORTS, binary, free_port
from tests.collector.prometheus import binary as prometheus
from tests.need import require_module

pytestmark = pytest.mark.proof

require_module("langgraph_swarm", "demo")


def stack(folder: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    ports = {f"OTELCOL_{name}_PORT": str(free_port()) for name in PORTS}
    command = [sys.executable, str(CONFIGS / "stack.py"), "--port", str(free_port()), "--data", str(folder)]
    command += ["--collector", binary(), "--prometheus", prometheus()]
    return subprocess.run(
        command, env=os.environ | ports | environ, capture_output=True, text=True, check=False, timeout=100
    )


def test_the_boards_show_the_example(tmp_path: Path) -> None:
    """Every board is named, with the values of the one run that the example makes."""
    done = stack(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    boards = len(list((CONFIGS.parent / "dashboards" / "grafana").glob("*.json")))
    assert len(re.findall(r"^\w.*\n  ", done.stdout, re.MULTILINE)) == boards
    assert re.search(r"^  Runs ended +all = 2$", done.stdout, re.MULTILINE)
    assert re.search(r"^  Who hands to whom +.*triage->writer", done.stdout, re.MULTILINE)
    assert re.search(r"^  Spans in this time +all = 4\d$", done.stdout, re.MULTILINE)
    assert (tmp_path / "queue" / "traces.jsonl").stat().st_size > 0


def test_what_does_not_start_is_said(tmp_path: Path) -> None:
    """With a port in use it ends, and shows what the program said that did not start."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = stack(tmp_path, OTELCOL_HTTP_PORT=str(port))
    assert done.returncode == 1
    assert "nobody answers at" in done.stderr
    assert f"listen tcp 127.0.0.1:{port}: bind: address already in use" in done.stderr
