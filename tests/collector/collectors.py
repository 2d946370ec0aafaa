"""A Collector with one of the shipped configurations, in a process of its own, on ports and a disk of its own."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.need import missing

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "collector"
READY = "Everything is ready"
START_S = 60
STOP_S = 60
SAMPLE = re.compile(r"^(\w+?)(?:\{.*\})? (\S+)$", re.MULTILINE)
PORTS = ("GRPC", "HTTP", "HEALTH", "METRICS", "PROMETHEUS")


def binary() -> str:
    """Return the Collector that `make collector` builds, or another one that OTELCOL names."""
    path = Path(os.environ.get("OTELCOL", ROOT / ".cache" / "collector" / "otelcol-agents"))
    return str(path) if path.exists() else missing("the Collector", "make collector")


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def command(*configs: str) -> list[str]:
    """Return the command that starts the Collector with these files; names are those of shipped ones."""
    return [binary(), *(f"--config={CONFIGS / path}" for path in configs)]


class Collector:
    """Knows how to start, kill and stop it, any number of times on the same disk."""

    def __init__(self, folder: Path, *configs: str, **environ: str) -> None:
        self.data = folder
        self.ports = {name: free_port() for name in PORTS}
        self.log: list[str] = []
        self.command = command(*configs)
        own = {f"OTELCOL_{name}_PORT": str(port) for name, port in self.ports.items()}
        kept = {name: value for name, value in os.environ.items() if not name.startswith("OTELCOL_")}
        self.environ = {**kept, "OTELCOL_HOST": "127.0.0.1", "OTELCOL_DATA": str(folder), **own, **environ}
        self._process: subprocess.Popen[str] | None = None

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.ports['HTTP']}"

    @property
    def grpc(self) -> str:
        return f"http://127.0.0.1:{self.ports['GRPC']}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> Collector:
        """Return when it takes data."""
        self.data.mkdir(exist_ok=True)
        self._process = subprocess.Popen(self.command, env=self.environ, stderr=subprocess.PIPE, text=True)
        ready = threading.Event()
        self._reader = threading.Thread(target=self._read, args=(self._process, ready))
        self._reader.start()
        assert ready.wait(START_S), "\n".join(self.log)
        assert self._process.poll() is None, "\n".join(self.log)
        return self

    def _read(self, process: subprocess.Popen[str], ready: threading.Event) -> None:
        assert process.stderr is not None
        with process.stderr:
            for line in process.stderr:
                self.log.append(line.rstrip())
                if READY in line:
                    ready.set()
        ready.set()

    def kill(self) -> None:
        """End it as the kernel would: nothing is written, nothing is said."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it in order; it must obey."""
        if self._process is not None and self._process.poll() is None:
            assert self._end(signal.SIGTERM) == 0, "\n".join(self.log)

    def end(self) -> None:
        """End it, however it is."""
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def said(self, words: str, before: int, timeout_s: float = START_S) -> None:
        """Return when it has said this more often than before."""
        end = time.monotonic() + timeout_s
        while sum(words in line for line in self.log) <= before:
            assert time.monotonic() < end, "\n".join(self.log)
            time.sleep(0.05)

    def _end(self, how: signal.Signals) -> int:
        assert self._process is not None
        self._process.send_signal(how)
        code = self._process.wait(STOP_S)
        self._reader.join()
        return code

    def metrics(self) -> dict[str, float]:
        """Return its own metrics, summed over their labels."""
        found: dict[str, float] = {}
        page = read(f"http://{self.environ['OTELCOL_HOST']}:{self.ports['METRICS']}/metrics")
        for name, value in SAMPLE.findall(page):
            found[name] = found.get(name, 0.0) + float(value)
        return found

    def until(self, name: str, value: float, timeout_s: float = 60, *, exactly: bool = False) -> None:
        """Return when one of its own metrics is so high, and no higher if that is asked for."""
        end = time.monotonic() + timeout_s
        while (found := self.metrics().get(name, 0.0)) < value or (exactly and found != value):
            assert time.monotonic() < end, (name, found)
            time.sleep(0.05)


def refusal(collector: Collector) -> str:
    """Return what a Collector says that does not start."""
    done = subprocess.run(
        collector.command, env=collector.environ, capture_output=True, text=True, check=False, timeout=START_S
    )
    assert done.returncode == 1, done.stderr
    return done.stderr


def read(url: str) -> str:
    """Return what an address answers."""
    with urllib.request.urlopen(url, timeout=20) as answer:
        return str(answer.read().decode())


@contextmanager
def collecting(folder: Path, *configs: str, **environ: str) -> Iterator[Collector]:
    """Run a Collector until the block is left."""
    collector = Collector(folder, *configs, **environ)
    try:
        yield collector.start()
        collector.stop()
    finally:
        collector.end()
