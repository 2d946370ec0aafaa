"""Behind gunicorn: each worker answers as without us, what each did arrives, and a graceful stop loses nothing."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.need import require_module
from tests.proof.programs import INSTRUMENT, ROOT, quiet, sending
from tests.receiver import Receiver, receiving
from tests.transparency.situations import HOSTS
from tests.transparency.telling import steady
from tests.transparency.test_same import NEEDS, TARGETS

pytestmark = pytest.mark.proof

for _needed in (("gunicorn",), ("uvloop",), *NEEDS.values()):
    require_module(*_needed)

PATIENCE_S = 60
TIMES = 2  # a host is asked, at once
SLOW = "targets/slow"
SERVERS = {
    "sync": ("tests.transparency.served:wsgi",),
    "asgi": ("tests.transparency.served:asgi", "--worker-class", "uvicorn.workers.UvicornWorker"),
}
NEVER_MS = "600000"
LATE = dict.fromkeys(
    ("OTEL_BSP_SCHEDULE_DELAY", "OTEL_BLRP_SCHEDULE_DELAY", "OTEL_METRIC_EXPORT_INTERVAL"), NEVER_MS
)  # so that a process sends once, when it ends
RUNS = {"gateway": 3}  # of one way; all others make one


@dataclass
class Served:
    """What a server answered, by path, and how it ended."""

    answers: dict[str, list[Any]]
    pids: set[int]
    code: int
    said: str


def _wait_for(path: Path) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not path.exists():
        assert time.monotonic() < deadline_s, f"{path} never came"
        time.sleep(0.02)


def _asked(socket: Path, path: str) -> dict[str, Any]:
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(socket)), timeout=PATIENCE_S) as client:
        found: dict[str, Any] = client.get(f"http://host/{path}").raise_for_status().json()
    return found


def serve(command: list[str], env: dict[str, str], folder: Path) -> Served:
    """Start a server, ask it for everything, and stop it while it answers."""
    folder.mkdir()
    socket, entered, log = folder / "socket", folder / "entered", folder / "log"
    options = "--workers", "2", "--bind", f"unix:{socket}", "--graceful-timeout", "30", "--worker-tmp-dir", str(folder)
    with log.open("w") as said, ThreadPoolExecutor(TIMES) as pool:
        started = subprocess.Popen(
            [*command, *options], env=env | {"ENTERED": str(entered)}, cwd=ROOT, stdout=said, stderr=said
        )
        try:
            _wait_for(socket)
            paths = [path for path in HOSTS for _ in range(TIMES)]
            answers = list(pool.map(lambda path: (path, _asked(socket, path)), paths))
            last = pool.submit(_asked, socket, SLOW)
            _wait_for(entered)
            started.send_signal(signal.SIGTERM)
            answers.append((SLOW, last.result()))
            code = started.wait(PATIENCE_S)
        finally:
            started.kill()
    found: dict[str, list[Any]] = {}
    for path, answer in answers:
        found.setdefault(path, []).append(json.loads(steady(json.dumps(answer["reports"]))))
    return Served(found, {answer["pid"] for _, answer in answers}, code, log.read_text())


def gunicorn(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "gunicorn", *arguments]


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Served]:
    """Serve without us, both ways side by side."""
    folder, env = tmp_path_factory.mktemp("gunicorn"), quiet(PYTHONPATH=str(ROOT))
    with ThreadPoolExecutor(len(SERVERS)) as pool:
        started = {
            name: pool.submit(serve, gunicorn(*arguments), env, folder / name) for name, arguments in SERVERS.items()
        }
    return {name: each.result() for name, each in started.items()}


@pytest.mark.timeout(240)
@pytest.mark.parametrize("preloads", [False, True], ids=["imports after the fork", "preloads"])
@pytest.mark.parametrize("server", SERVERS)
def test_workers_answer_the_same_and_lose_nothing(
    server: str, preloads: bool, bare: dict[str, Served], tmp_path: Path
) -> None:
    """Answers and exit code are the same; the runs of both workers have arrived whole, up to the one at the stop."""
    command = [INSTRUMENT, *gunicorn(*SERVERS[server], *(["--preload"] if preloads else []))]
    with receiving() as receiver:
        env = sending(receiver.endpoint, PYTHONPATH=str(ROOT), OTEL_AGENTS_CONFIG=str(TARGETS), **LATE)
        ours = serve(command, env, tmp_path / "ours")

    assert ours.answers == bare[server].answers
    assert (ours.code, bare[server].code) == (0, 0)
    assert len(ours.pids) == 2
    assert "Traceback" not in ours.said
    runs = sum(RUNS.get(path.partition("/")[0], 1) * len(answers) for path, answers in ours.answers.items())
    told = Counter(record.event_name for record in receiver.logs if record.event_name)
    spans = Counter(span.name.partition(" ")[0] for span in receiver.spans)
    assert (told["flex.start"], told["flex.complete"], spans["flex.run"]) == (runs, runs, runs)
    assert _ended(receiver) == runs


def _ended(receiver: Receiver) -> int:
    """Return how many runs have ended, as the metrics say of all processes."""
    found = [metric for metric in receiver.metrics if metric.name == "flex.run.status"]
    return sum(int(point.as_int) for metric in found for point in metric.sum.data_points)
