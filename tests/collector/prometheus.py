"""A real Prometheus 3 in a process of its own, with all of its ways in: scraped, written to, and sent to."""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.error
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.collector.collectors import ROOT, free_port, read
from tests.need import missing

START_S = 60


def binary() -> str:
    """Return the Prometheus that `make prometheus` builds, or another one that PROMETHEUS names."""
    path = Path(os.environ.get("PROMETHEUS", ROOT / ".cache" / "go" / "bin" / "prometheus"))
    return str(path) if path.exists() else missing("Prometheus 3", "make prometheus")


def checker() -> str:
    """Return the promtool that came with it."""
    return str(Path(binary()).with_name("promtool"))


class Prometheus:
    """Where it stands, and what it knows."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the series of an instant query."""
        answer = json.loads(read(f"{self.url}/api/v1/query?{urllib.parse.urlencode({'query': expression})}"))
        assert answer["status"] == "success", answer
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found

    def until(self, expression: str, series: int, timeout_s: float = 60) -> None:
        """Return when an expression has so many series."""
        end = time.monotonic() + timeout_s
        while len(found := self.query(expression)) != series:
            assert time.monotonic() < end, (expression, found)
            time.sleep(0.2)

    def _ready(self) -> bool:
        try:
            return "Ready" in read(f"{self.url}/-/ready")
        except (urllib.error.URLError, ConnectionError):
            return False


@contextmanager
def prometheus(folder: Path, port: int = 0, **config: Any) -> Iterator[Prometheus]:
    """Run one with this configuration until the block is left."""
    port = port or free_port()
    one = Prometheus(port)
    written = folder / "prometheus.yaml"
    written.write_text(yaml.safe_dump({"global": {"scrape_interval": "1s"}, **config}))
    command = [
        binary(),
        f"--config.file={written}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--web.enable-otlp-receiver",
        "--web.enable-remote-write-receiver",
        "--enable-feature=exemplar-storage",
        "--log.level=warn",
    ]
    log = folder / "prometheus.log"
    with log.open("w") as said, subprocess.Popen(command, stderr=said) as process:
        try:
            end = time.monotonic() + START_S
            while not one._ready():
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < end, log.read_text()
                time.sleep(0.05)
            yield one
        finally:
            process.terminate()
            process.wait(START_S)
