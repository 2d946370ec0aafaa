"""A real Loki in a process of its own, with the configuration of the stack in containers, asked as Grafana asks."""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.collector.collectors import CONFIGS, ROOT, free_port
from tests.need import missing

CONFIG = CONFIGS / "compose" / "loki.yaml"
WAIT_S = 60
MOST = 5000  # lines of an answer; Loki gives no more
HOUR_NS = 3600 * 10**9
# Labels of the stream and structured metadata apart, which is what Grafana asks for.
APART = {"X-Loki-Response-Encoding-Flags": "categorize-labels"}


def binary() -> str:
    """Return the Loki that `make loki` builds, or another one that LOKI names."""
    path = Path(os.environ.get("LOKI", ROOT / ".cache" / "go" / "bin" / "loki"))
    return str(path) if path.exists() else missing("Loki 3", "make loki")


class Line(NamedTuple):
    """One line: the labels of its stream, its structured metadata, its moment in nanoseconds, and its text."""

    labels: dict[str, str]
    fields: dict[str, str]
    at: int
    text: str


class Loki:
    """Where it stands, and what it knows of the last hour."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def get(self, path: str, **asked: str | int) -> Any:
        """Return the data of an answer; an error fails the test with what Loki says."""
        request = urllib.request.Request(
            f"{self.url}/loki/api/v1/{path}?{urllib.parse.urlencode(asked)}", headers=APART
        )
        try:
            with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{asked}: {error.read().decode()}") from None

    def lines(self, expr: str, limit: int = MOST) -> list[Line]:
        """Return the lines of the last hour, the latest first."""
        now = time.time_ns()
        data = self.get("query_range", query=expr, start=now - HOUR_NS, end=now, limit=limit, direction="backward")
        found = [
            Line(each["stream"], more.get("structuredMetadata", {}), int(at), text)
            for each in data["result"]
            for at, text, more in each["values"]
        ]
        return sorted(found, key=lambda line: -line.at)

    def numbers(self, expr: str) -> dict[str, float]:
        """Return what an expression is now, by the values of its labels."""
        data = self.get("query", query=expr)
        return {",".join(each["metric"].values()): float(each["value"][1]) for each in data["result"]}

    def wait(self, lines: int) -> None:
        """Wait until so many lines have arrived."""
        end = time.monotonic() + WAIT_S
        while (found := self.numbers('sum(count_over_time({service_name=~".+"}[1h]))').get("", 0)) < lines:
            assert time.monotonic() < end, f"in {WAIT_S} s, {found} of {lines} lines arrived"
            time.sleep(0.2)

    def is_ready(self) -> bool:
        """Return whether it takes lines and answers."""
        try:
            urllib.request.urlopen(f"{self.url}/ready", timeout=WAIT_S).close()
        except OSError:
            return False
        return True


@contextmanager
def loki(folder: Path) -> Iterator[Loki]:
    """Run one until the block is left: what the stack ships, but for its place and for the time that a ring waits."""
    port = free_port()
    command = [
        binary(), f"-config.file={CONFIG}",
        "-server.http-listen-address=127.0.0.1", f"-server.http-listen-port={port}",
        "-server.grpc-listen-address=127.0.0.1", f"-server.grpc-listen-port={free_port()}",
        f"-common.path-prefix={folder}",
        f"-common.storage.filesystem.chunk-directory={folder / 'chunks'}",
        f"-common.storage.filesystem.rules-directory={folder / 'rules'}",
        f"-compactor.working-directory={folder / 'compactor'}", "-ingester.min-ready-duration=0s",
    ]  # fmt: skip
    log, one = folder / "loki.log", Loki(port)
    with log.open("w") as said, subprocess.Popen(command, stdout=said, stderr=said) as process:
        try:
            end = time.monotonic() + WAIT_S
            while not one.is_ready():
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < end, log.read_text()
                time.sleep(0.1)
            yield one
        finally:
            process.kill()  # nothing of it is kept, and to end in order it would flush
