"""A real Prometheus has the same names and values, whichever way the metrics of a program come to it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.collector.collectors import Collector, collecting, free_port
from tests.collector.prometheus import Prometheus, prometheus
from tests.need import require_module
from tests.proof.programs import INSTRUMENT, quiet, write
from tests.proof.test_prometheus_page import ALWAYS, LOADED, PROGRAM, USED, Program

pytestmark = pytest.mark.proof

require_module("langgraph_swarm", "demo")

WAYS = ("scraped from the program", "scraped from the Collector", "remote write", "OTLP")
OURS = '{__name__=~"(flex|yolo|otel_agents)_.+"}'
# What differs from one look to the next.
RESTLESS = {"yolo_cpu_usage_percent", "yolo_memory_usage_mb"}
# That a series ended is seen at once where the program is scraped, and after five minutes on the other ways.
ENDED = {("otel_agents_patch_points", "adapter=langgraph", "state=waiting")}
OF_THE_WAY = ("way", "job", "instance", "otel_scope_name", "otel_scope_version", "otel_scope_schema_url")
PARTS = ("bucket", "count", "sum")
TWO_WAYS = """
exporters:
  prometheus_remote_write:
    external_labels: {way: remote write}
"""


@contextmanager
def program(endpoint: str, port: int, every_ms: int, *command: str) -> Iterator[Program]:
    """Run a program that has a page of metrics and sends them, too, with its spans."""
    sends = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}
    environ = quiet(OTEL_EXPORTER_PROMETHEUS_PORT=str(port), OTEL_METRIC_EXPORT_INTERVAL=str(every_ms), **sends)
    environ |= {"OTEL_METRICS_EXPORTER": "prometheus,otlp", "OTEL_TRACES_EXPORTER": "otlp"}
    watched = [INSTRUMENT, sys.executable, *command]
    with subprocess.Popen(watched, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield Program(process, port)
        process.stdin.close()


@contextmanager
def all_ways(folder: Path, *command: str, every_ms: int = 500) -> Iterator[tuple[Prometheus, Program]]:
    """Have a program come to one Prometheus on each way, told apart by the label `way`."""
    page, port = free_port(), free_port()
    collector = Collector(folder / "collector")  # for its ports only
    jobs: dict[str, dict[str, Any]] = {
        WAYS[0]: {"static_configs": [{"targets": [f"127.0.0.1:{page}"], "labels": {"way": WAYS[0]}}]},
        WAYS[1]: {
            "honor_labels": True,
            "static_configs": [{"targets": [f"127.0.0.1:{collector.ports['PROMETHEUS']}"], "labels": {"way": WAYS[1]}}],
        },
    }
    overlay = folder / "ways.yaml"
    overlay.write_text(TWO_WAYS)
    sends = {
        "OTELCOL_METRICS_TO": "[prometheus, prometheus_remote_write, otlp_http/metrics]",
        "OTELCOL_REMOTE_WRITE_URL": f"http://127.0.0.1:{port}/api/v1/write",
        "OTELCOL_METRICS_URL": f"http://127.0.0.1:{port}/api/v1/otlp",
        "OTELCOL_PROMETHEUS_PORT": str(collector.ports["PROMETHEUS"]),
    }
    scrapes: list[dict[str, Any]] = [{"job_name": name, **job} for name, job in jobs.items()]
    with (
        prometheus(folder, port, scrape_configs=scrapes) as known,
        collecting(folder / "data", "standalone.yaml", str(overlay), **sends) as one,
        program(one.http, page, every_ms, *(command or (write(folder, PROGRAM),))) as running,
    ):
        yield known, running


def series(known: Prometheus, way: str) -> dict[tuple[str, ...], float]:
    """Return the values of our series that came this way, by name and labels."""
    found: dict[tuple[str, ...], float] = {}
    for one in known.query(OURS):
        labels = one["metric"]
        if labels.get("way", "OTLP") == way:
            name = labels.pop("__name__")
            if "le" in labels:
                labels["le"] = str(float(labels["le"]))  # remote write says 5 where the others say 5.0
            rest = sorted(f"{label}={value}" for label, value in labels.items() if label not in OF_THE_WAY)
            key = (name, *rest)
            assert key not in found
            found[key] = float(one["value"][1])
    return found


def test_names_and_values_are_the_same_on_all_ways(tmp_path: Path) -> None:
    """Scraped, through the Collector's page, by remote write and by OTLP: the same series with the same values."""
    with all_ways(tmp_path) as (known, running):
        running.do("load")
        running.do(f"run --pace 0 --db {tmp_path / 'db.sqlite'}")
        known.until('flex_run_status_total{status="completed"} == 1', len(WAYS))
        known.until("flex_run_active == 0", len(WAYS))
        seen = {way: series(known, way) for way in WAYS}
    families = ALWAYS | LOADED | USED
    expected = {name for name, kind in families.items() if kind != "histogram"}
    expected |= {f"{name}_{part}" for name, kind in families.items() if kind == "histogram" for part in PARTS}
    assert {name for name, *_ in seen[WAYS[0]]} == expected
    for way in WAYS[1:]:
        assert seen[way].keys() - seen[WAYS[0]].keys() == ENDED, way
        assert seen[WAYS[0]].keys() - seen[way].keys() == set(), way
        calm = {key: value for key, value in seen[way].items() if key[0] not in RESTLESS and key not in ENDED}
        # Sums of seconds: each reader of the SDK adds the same numbers, but in groups of its own.
        assert calm == pytest.approx({key: seen[WAYS[0]][key] for key in calm}, rel=1e-9), way
