"""Start Collector and Prometheus, run the example program, and print what the boards show of it.

python collector/stack.py           # start, run, print, stop; `make stack` builds what it needs
python collector/stack.py --keep    # go on until Ctrl-C, so that one can look, and run a program of one's own
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
CACHE = ROOT / ".cache"
BOARDS = ROOT / "dashboards" / "grafana"
EXAMPLE = ROOT / "examples" / "langgraph_app" / "app.py"
START_S, SEEN_S, EVALUATED_S = 60, 60, 2
SETTLED = 'sum(flex_run_status_total{status="completed"})'
VARIABLES = {
    "$__rate_interval": "5m",
    "$__range": "1h",
    "$job": ".+",
    "$instance": ".+",
    "$runtime": ".+",
    "$collector_job": ".+",
    "$collector_instance": ".+",
    "$service": ".+",
}
SERIES_SHOWN = 3


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    option = parser.add_argument
    option("--keep", action="store_true", help="go on until Ctrl-C")
    option("--collector", default=str(CACHE / "collector" / "otelcol-agents"), help="the Collector to start")
    option("--prometheus", default=str(CACHE / "go" / "bin" / "prometheus"), help="the Prometheus 3 to start")
    option("--data", type=Path, default=CACHE / "stack", help="where everything is kept")
    option("--port", type=int, default=9090, help="where Prometheus stands; the Collector's are set by OTELCOL_*_PORT")
    return parser.parse_args()


def _config(own_metrics: str) -> dict[str, Any]:
    """Return what `compose/prometheus.yaml` says, for processes of this machine instead of containers."""
    targets = {"static_configs": [{"targets": [own_metrics]}]}
    job = {"job_name": "otel-collector", "scrape_protocols": ["PrometheusText0.0.4"], **targets}
    return {
        "global": {"scrape_interval": "1s", "evaluation_interval": f"{EVALUATED_S}s"},
        "rule_files": [str(ROOT / "dashboards" / "rules" / "*.yaml")],
        "storage": {"tsdb": {"out_of_order_time_window": "30m"}},
        "scrape_configs": [job],
    }


def _read(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return str(answer.read().decode())


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return when an address answers; end the program when the process behind it has ended."""
    end = time.monotonic() + START_S
    while time.monotonic() < end and process.poll() is None:
        try:
            _read(url)
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
        else:
            return
    sys.exit(f"nobody answers at {url}:\n{log.read_text()[-2000:]}")


def _start(stack: ExitStack, log: Path, command: list[str], url: str, **environ: str) -> None:
    said = stack.enter_context(log.open("w"))
    process = subprocess.Popen(command, stdout=said, stderr=said, env=os.environ | environ)
    stack.callback(process.wait, START_S)
    stack.callback(process.terminate)
    _wait(url, process, log)


def _port(name: str, default: int) -> str:
    return os.environ.get(f"OTELCOL_{name}_PORT", str(default))


def _run_example(data: Path) -> None:
    sends = {
        "OTEL_SERVICE_NAME": "release-notes",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{_port('HTTP', 4318)}",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_METRIC_EXPORT_INTERVAL": "1000",
    }
    instrument = str(Path(sys.executable).parent / "opentelemetry-instrument")
    command = [instrument, sys.executable, str(EXAMPLE), "--pace", "0.3", "--db", str(data / "threads.sqlite")]
    subprocess.run(command, check=True, env=os.environ | sends, stdout=subprocess.DEVNULL)


def _query(prometheus: str, expression: str) -> list[dict[str, Any]]:
    answer = json.loads(_read(f"{prometheus}/api/v1/query?{urllib.parse.urlencode({'query': expression})}"))
    found: list[dict[str, Any]] = answer["data"]["result"]
    return found


def _settle(prometheus: str, data: Path) -> None:
    """Return when Prometheus has seen the run end, and the rules have been evaluated over it."""
    end = time.monotonic() + SEEN_S
    while not _query(prometheus, f"{SETTLED} > 0"):
        if time.monotonic() > end:
            sys.exit(f"no run arrived; see the logs in {data}")
        time.sleep(0.5)
    time.sleep(2 * EVALUATED_S)


def _panels(panels: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for panel in panels:
        yield panel
        yield from _panels(panel.get("panels", []))


def _queries(board: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield title and expression of what a board asks Prometheus, its variables set to everything."""
    for panel in _panels(board["panels"]):
        for target in panel.get("targets", []):
            if target["datasource"]["type"] == "prometheus":
                expression = target["expr"]
                for name, value in VARIABLES.items():
                    expression = expression.replace(name, value)
                yield panel["title"], expression


def _shown(found: list[dict[str, Any]]) -> str:
    """Return a few series in one line."""
    texts = []
    for one in found[:SERIES_SHOWN]:
        labels = ",".join(
            value for name, value in sorted(one["metric"].items()) if name not in ("__name__", "instance")
        )
        texts.append(f"{labels or 'all'} = {float(one['value'][1]):g}")
    more = f"  (+{len(found) - SERIES_SHOWN})" if len(found) > SERIES_SHOWN else ""
    return "; ".join(texts) + more


def _print_boards(prometheus: str) -> None:
    asked = answered = 0
    for path in sorted(BOARDS.glob("*.json")):
        board = json.loads(path.read_text())
        print(f"\n{board['title']}")
        for title, expression in _queries(board):
            found = _query(prometheus, expression)
            asked, answered = asked + 1, answered + bool(found)
            print(f"  {title:36.36} {_shown(found) or '-'}")
    print(f"\n{answered} of {asked} queries have data; the others ask for what this program does not do.")


def main() -> None:
    """Do all of it, and stop what was started."""
    arguments = _arguments()
    data = arguments.data
    (data / "queue").mkdir(parents=True, exist_ok=True)
    prometheus, own_metrics = f"http://127.0.0.1:{arguments.port}", f"127.0.0.1:{_port('METRICS', 8888)}"
    config = data / "prometheus.yaml"
    config.write_text(json.dumps(_config(own_metrics)))  # JSON is YAML
    with ExitStack() as stack:
        address = ["--web.listen-address", f"127.0.0.1:{arguments.port}", "--web.enable-otlp-receiver"]
        files = ["--config.file", str(config), "--storage.tsdb.path", str(data / "tsdb")]
        _start(stack, data / "prometheus.log", [arguments.prometheus, *files, *address], f"{prometheus}/-/ready")
        _start(
            stack,
            data / "collector.log",
            [arguments.collector, f"--config={ROOT / 'collector' / 'standalone.yaml'}"],
            f"http://127.0.0.1:{_port('HEALTH', 13133)}/",
            OTELCOL_DATA=str(data / "queue"),
            OTELCOL_METRICS_TO="[otlp_http/metrics]",
            OTELCOL_METRICS_URL=f"{prometheus}/api/v1/otlp",
        )
        print(f"Collector   OTLP at http://127.0.0.1:{_port('HTTP', 4318)}, traces and logs in {data / 'queue'}")
        print(f"Prometheus  {prometheus}")
        _run_example(data)
        _settle(prometheus, data)
        _print_boards(prometheus)
        if arguments.keep:
            print("\nGoing on until Ctrl-C.")
            with suppress(KeyboardInterrupt):
                threading.Event().wait()


if __name__ == "__main__":
    main()
