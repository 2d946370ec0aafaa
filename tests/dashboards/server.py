"""A real Prometheus that scrapes one target, with our rules."""

from __future__ import annotations

import json
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.dashboards.reading import RULES
from tests.need import require_command

WAIT_S = 100
JOB = "examples"


class Series(NamedTuple):
    """One series of an answer, at one moment."""

    labels: dict[str, str]
    value: float


def free_port() -> int:
    """Return a port that nobody uses."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


class Prometheus:
    """A running Prometheus. ``at`` is the moment that is asked about, "" is now."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.at = ""

    def get(self, path: str, **asked: str) -> Any:
        """Return the data of an answer; an error fails the test with what Prometheus says."""
        url = f"{self.url}{path}?{urllib.parse.urlencode(asked)}"
        try:
            with urllib.request.urlopen(url, timeout=WAIT_S) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{asked}: {error.read().decode()}") from None

    def query(self, expr: str) -> list[Series]:
        """Return what an expression is now."""
        data = self.get("/api/v1/query", query=expr, **({"time": self.at} if self.at else {}))
        return [Series(each["metric"], float(each["value"][1])) for each in data["result"]]

    def wait(self, expr: str) -> None:
        """Wait until an expression has a result."""
        end = time.monotonic() + WAIT_S
        while not self.query(expr):
            assert time.monotonic() < end, f"in {WAIT_S} s nothing came of {expr}"
            time.sleep(0.2)

    def hold(self, *exprs: str) -> None:
        """Keep to a moment at which all of these have a result: on a busy machine a scrape may come too late."""
        end = time.monotonic() + WAIT_S
        while True:
            self.at = str(time.time())
            if all(self.query(expr) for expr in exprs):
                return
            assert time.monotonic() < end, f"in {WAIT_S} s there was no moment of {exprs}"
            time.sleep(0.2)


@contextmanager
def prometheus(folder: Path, target: int) -> Iterator[Prometheus]:
    """Run a Prometheus that scrapes a port of this machine every 2 seconds and evaluates all rules as often."""
    program = require_command("prometheus", "apt-get install prometheus")
    rules = folder / "rules"
    rules.mkdir()
    for path in RULES:  # groups that are evaluated every 10 minutes would not be in time
        lines = path.read_text().splitlines(keepends=True)
        (rules / path.name).write_text("".join(line for line in lines if not line.startswith("    interval: ")))
    config = {
        "global": {"scrape_interval": "2s", "scrape_timeout": "2s", "evaluation_interval": "2s"},
        "rule_files": [str(rules / "*.yaml")],
        "scrape_configs": [{"job_name": JOB, "static_configs": [{"targets": [f"127.0.0.1:{target}"]}]}],
    }
    (folder / "prometheus.yml").write_text(json.dumps(config))
    port = free_port()
    command = [
        program, f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}", "--enable-feature=exemplar-storage",
    ]  # fmt: skip
    with (folder / "prometheus.log").open("w") as log, subprocess.Popen(command, stderr=log) as process:
        try:
            yield _ready(Prometheus(port))
        finally:
            process.terminate()


def _ready(server: Prometheus) -> Prometheus:
    end = time.monotonic() + WAIT_S
    while True:
        try:
            urllib.request.urlopen(f"{server.url}/-/ready", timeout=WAIT_S).close()
        except OSError:
            assert time.monotonic() < end, "Prometheus does not start"
            time.sleep(0.1)
        else:
            return server
