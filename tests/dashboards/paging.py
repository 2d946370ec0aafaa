"""Rules and Alertmanager as shipped, but that time runs sixty times as fast; and who is told.

Minutes of windows, of `for` and of Alertmanager's waits become seconds. Thresholds stay, but those in seconds, which
`dashboards.build --limits` can set, too. Nothing else differs from what the repository keeps.
"""

from __future__ import annotations

import json
import re
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from dashboards import rulefiles
from dashboards.limits import Limits
from tests.collector.collectors import free_port
from tests.dashboards.reading import FOLDER
from tests.need import require_command

CONFIG = FOLDER / "alertmanager.yaml"
LIMITS = Limits(quiet_run_s=15, answer_s=10, prediction_s=30)
RECEIVERS = "http://127.0.0.1:9095"
SHORTER = {"s": (1000 / 60, "ms"), "m": (1, "s"), "h": (1, "m"), "d": (24, "m")}
DURATION = re.compile(r"(?<=\[)(\d+)([mhd])(?=\])|(?<=offset )(\d+)([mhd])\b")
WAIT_S = 100


def hastened(duration: str) -> str:
    """Return the sixtieth part of a duration."""
    factor, unit = SHORTER[duration[-1]]
    return f"{round(int(duration[:-1]) * factor)}{unit}"


def _rule(rule: dict[str, Any]) -> dict[str, Any]:
    expr = DURATION.sub(lambda found: hastened(found[0]), rule["expr"])
    return rule | {"expr": expr} | ({"for": hastened(rule["for"])} if "for" in rule else {})


def hasten_rules(folder: Path) -> str:
    """Write all rules, and return the pattern of their files."""
    for name, text in rulefiles.files(LIMITS).items():
        groups = yaml.safe_load(text)["groups"]
        for group in groups:
            group["rules"] = [_rule(rule) for rule in group["rules"]]
            group.pop("interval", None)
        (folder / f"rules-{name}.yaml").write_text(yaml.safe_dump({"groups": groups}))
    return str(folder / "rules-*.yaml")


def _hasten_config(told: str) -> str:
    """Return the shipped configuration of Alertmanager, whose receivers are somewhere else."""
    config = re.sub(
        r"(group_wait|group_interval|repeat_interval|resolve_timeout): (\d+[smh])",
        lambda found: f"{found[1]}: {hastened(found[2])}",
        CONFIG.read_text(),
    )
    assert config.count(RECEIVERS) == 4
    return config.replace(RECEIVERS, told)


class Notification(NamedTuple):
    """One alert of one message to a receiver."""

    receiver: str
    status: str
    labels: dict[str, str]
    annotations: dict[str, str]

    @property
    def name(self) -> str:
        return self.labels["alertname"]


class Told:
    """All that Alertmanager told anybody."""

    def __init__(self) -> None:
        self.notifications: list[Notification] = []
        self._changed = threading.Condition()

    def take(self, receiver: str, message: dict[str, Any]) -> None:
        with self._changed:
            self.notifications += [
                Notification(receiver, alert["status"], alert["labels"], alert["annotations"])
                for alert in message["alerts"]
            ]
            self._changed.notify_all()

    def of(self, name: str, begin: int = 0) -> list[Notification]:
        """Return what was told of an alert that fires."""
        return [each for each in self.notifications[begin:] if (each.name, each.status) == (name, "firing")]

    def wait(
        self, names: set[str], meanwhile: Callable[[], object], state: Callable[[], object], begin: int = 0
    ) -> None:
        """Return when somebody was told of all of these; in vain, the state tells why."""
        end = time.monotonic() + WAIT_S
        while missing := {name for name in names if not self.of(name, begin)}:
            assert time.monotonic() < end, (f"in {WAIT_S} s nobody was told of {sorted(missing)}", state())
            meanwhile()
            with self._changed:
                self._changed.wait(0.5)


@contextmanager
def receiving() -> Iterator[tuple[Told, str]]:
    """Listen as a pager, a tracker and a dead man's switch would."""
    told = Told()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told.take(self.path.strip("/"), json.loads(body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield told, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def alertmanager(folder: Path) -> Iterator[tuple[Told, str]]:
    """Run a real Alertmanager; yields what it tells, and its address."""
    program = require_command("prometheus-alertmanager", "apt-get install prometheus-alertmanager")
    address, config = f"127.0.0.1:{free_port()}", folder / "alertmanager.yaml"
    command = [program, f"--config.file={config}", f"--storage.path={folder / 'alertmanager'}"]
    command += [f"--web.listen-address={address}", "--cluster.listen-address="]
    with receiving() as (told, url), (folder / "alertmanager.log").open("w") as log:
        config.write_text(_hasten_config(url))
        with subprocess.Popen(command, stderr=log) as process:
            try:
                answers(f"http://{address}/-/ready", WAIT_S)
                yield told, address
            finally:
                process.terminate()
                process.wait(WAIT_S)


def answers(url: str, timeout_s: float) -> None:
    """Return when somebody answers there."""
    end = time.monotonic() + timeout_s
    while True:
        try:
            urllib.request.urlopen(url, timeout=timeout_s).close()
        except OSError:
            assert time.monotonic() < end, f"{url} does not answer"
            time.sleep(0.05)
        else:
            return
