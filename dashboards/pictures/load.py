"""The parts that the boards are about: Prometheus, a Collector, and programs at work; must not know boards."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from dashboards.pictures.play import PLAYS
from tests.collector.collectors import ROOT, collecting, free_port
from tests.collector.prometheus import Prometheus, prometheus

INTERVAL_S: Final = 5
START_S: Final = 60
FLEX: Final = "post-writer"
BIN: Final = Path(sys.executable).parent
PLAYER: Final = Path(__file__).with_name("play.py")
# What each kind of work would be called in an operator's house, a process of it each.
SERVICES: Final[Mapping[str, str]] = {
    "team": "bugfix-team",
    "converge": "slugify",
    "gateway": "agent-gateway",
    "notes": "release-notes",
    "desk": "support-desk",
}


def _settings(service: str, endpoint: str) -> dict[str, str]:
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("OTEL_")},
        "OTEL_SERVICE_NAME": service,
        "OTEL_RESOURCE_ATTRIBUTES": f"service.instance.id={service}-0",
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_METRIC_EXPORT_INTERVAL": str(INTERVAL_S * 1000),
        "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "langchain",
    }


def _start(stack: ExitStack, folder: Path, service: str, command: list[str], settings: Mapping[str, str]) -> None:
    """Have a program run until the stack is left; what it says is in a file."""
    log = stack.enter_context((folder / f"{service}.log").open("w"))
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log, env=settings)
    stack.callback(_end, process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program, which must have been there to the end."""
    if process.poll() is not None:
        sys.exit(f"a program ended too early: {process.args!r}; see the logs beside the answers")
    process.terminate()
    process.wait(START_S)


def _play(stack: ExitStack, folder: Path, name: str, seconds: int, settings: Mapping[str, str]) -> None:
    service = SERVICES.get(name, name)
    watched = [str(BIN / "opentelemetry-instrument")] if name in SERVICES else []
    command = [*watched, sys.executable, str(PLAYER), name, str(seconds), str(folder)]
    _start(stack, folder, service, command, settings)


def _flex(stack: ExitStack, folder: Path, endpoint: str) -> str:
    """Start the server of flex; returns its address."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    command = [str(BIN / "otel-agents"), "serve", "--port", str(port), "--database", f"sqlite:///{folder / 'flex.db'}"]
    _start(stack, folder, FLEX, command, _settings(FLEX, endpoint))
    end = time.monotonic() + START_S
    while True:
        try:
            urllib.request.urlopen(address, timeout=START_S).close()
        except urllib.error.URLError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)
        else:
            return address


def _rules(folder: Path) -> str:
    """Copy the rules, without intervals: groups that are evaluated every 10 minutes would not be in time."""
    (folder / "rules").mkdir()
    for path in (ROOT / "dashboards" / "rules").glob("*.yaml"):
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = "".join(line for line in lines if not line.startswith("    interval: "))
        (folder / "rules" / path.name).write_text(kept, encoding="utf-8")
    return str(folder / "rules" / "*.yaml")


@contextmanager
def at_work(folder: Path, seconds: int) -> Iterator[tuple[Prometheus, Path]]:
    """Have everything run for so long; gives Prometheus and the file of log records, while all of it still lives."""
    port = free_port()
    job: dict[str, Any] = {"job_name": "otel-collector", "scrape_protocols": ["PrometheusText0.0.4"]}
    sends = {"OTELCOL_METRICS_TO": "[otlp_http/metrics]", "OTELCOL_METRICS_URL": f"http://127.0.0.1:{port}/api/v1/otlp"}
    with ExitStack() as stack:
        collector = stack.enter_context(collecting(folder / "collector", "standalone.yaml", **sends))
        job["static_configs"] = [
            {"targets": [f"127.0.0.1:{collector.ports['METRICS']}"], "labels": {"instance": "collector-0"}}
        ]
        known = stack.enter_context(
            prometheus(
                folder,
                port,
                **{"global": {"scrape_interval": f"{INTERVAL_S}s", "evaluation_interval": f"{INTERVAL_S}s"}},
                rule_files=[_rules(folder)],
                storage={"tsdb": {"out_of_order_time_window": "30m"}},
                scrape_configs=[job],
            )
        )
        flex = _flex(stack, folder, collector.http)
        for name in PLAYS:
            _play(stack, folder, name, seconds, {**_settings(SERVICES.get(name, name), collector.http), "FLEX": flex})
        time.sleep(seconds)
        yield known, folder / "collector" / "logs.jsonl"
