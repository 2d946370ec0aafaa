"""Two services whose log records go through our Collector to a real Loki, wired as the stack in containers is."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.collector.backends import Backend, backend
from tests.collector.collectors import CONFIGS, ROOT, Collector, collecting
from tests.dashboards.loki import Loki, loki
from tests.proof.programs import INSTRUMENT, TIMEOUT_S, instrumented, sending

EXAMPLES = ROOT / "examples"
PROGRAM = Path(__file__).parent / "program.py"
# A service in which all goes well, and the one of the docs, in which everything happens that is on a board.
WELL, ALL = "release-notes", "my-agents"
# Their hosts have their own lines sent, too, with the trace ids that OpenTelemetry adds to them.
# Not a record may be lost to a busy machine before it is sent: a flood is part of it.
HOST = {
    "OTEL_PYTHON_LOG_CORRELATION": "true", "OTEL_PYTHON_LOG_LEVEL": "info", "OTEL_BLRP_MAX_QUEUE_SIZE": "8192",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Told:
    """What each service sent, and the Loki that has it."""

    loki: Loki
    sent: dict[str, Backend]


@contextmanager
def telling(folder: Path) -> Iterator[Told]:
    """Have both run, and wait until all that they say has arrived."""
    with loki(folder) as known, collecting(folder / "data", "standalone.yaml", **_to(known)) as collector:
        sent = {WELL: _all_goes_well(collector, folder), ALL: _everything_happens(collector, folder)}
        known.wait(sum(len(of.logs) for of in sent.values()))
        yield Told(known, sent)


def _to(known: Loki) -> dict[str, str]:
    """Return what the stack tells its Collector about logs, with the address of this Loki."""
    told = yaml.safe_load((CONFIGS / "compose.yaml").read_text())["services"]["collector"]["environment"]
    url = told["OTELCOL_LOGS_URL"].replace("http://loki:3100", known.url)
    return {"OTELCOL_LOGS_TO": told["OTELCOL_LOGS_TO"], "OTELCOL_LOGS_URL": url}


def _all_goes_well(collector: Collector, folder: Path) -> Backend:
    with backend(collector.http) as between:
        env = sending(between.endpoint, OTEL_SERVICE_NAME=WELL, **HOST)
        for example, *more in (("langgraph_app", "--db", str(folder / "db.sqlite")), ("convergence",)):
            done = instrumented(str(EXAMPLES / example / "app.py"), "--pace", "0", *more, env=env)
            assert done.returncode == 0, done.stderr
    return between


def _everything_happens(collector: Collector, folder: Path) -> Backend:
    with backend(collector.http) as between:
        env = sending(between.endpoint, OTEL_SERVICE_NAME=ALL, **HOST)
        command = [INSTRUMENT, sys.executable, str(PROGRAM), str(folder)]
        done = subprocess.run(
            command, input="go\n", capture_output=True, text=True, check=False, env=env, timeout=TIMEOUT_S
        )
        assert (done.returncode, done.stdout) == (0, "ready\ndone\n"), done.stderr
        inhouse = EXAMPLES / "inhouse"
        done = instrumented("app.py", env={**env, "OTEL_AGENTS_CONFIG": "targets.yaml"}, cwd=inhouse)
        assert done.returncode == 0, done.stderr
    return between
