"""A Collector that goes away and comes back, and clients that do not read: every record is in the books, or counted."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.need import require_module
from tests.receiver import REQUESTS

for _name in ("uvicorn", "starlette", "psutil"):
    require_module(_name, "serve")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[1]
ROUNDS = 16_000
MEGABYTE = 1_000_000
NEVER_READ = 5
REQUEST = b"GET /events HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAccept: text/event-stream\r\n\r\n"


class Collector:
    """Counts what arrives, on a port that it keeps; a Collector that is down has nobody at the port."""

    def __init__(self) -> None:
        self.arrived: Counter[str] = Counter()
        self.runs = 0
        self.port = 0
        self._server: ThreadingHTTPServer | None = None

    def take(self, path: str, body: bytes) -> None:
        request = REQUESTS[path]()
        request.ParseFromString(body)
        if path == "/v1/traces":
            self.arrived["spans"] += sum(len(s.spans) for r in request.resource_spans for s in r.scope_spans)
        elif path == "/v1/logs":
            self.arrived["logs"] += sum(len(s.log_records) for r in request.resource_logs for s in r.scope_logs)
        else:
            found = [m for r in request.resource_metrics for s in r.scope_metrics for m in s.metrics]
            points = [p for m in found if m.name == "flex.run.status" for p in m.sum.data_points]
            self.runs = max(self.runs, sum(int(point.as_int) for point in points))

    def up(self) -> None:
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                collector.take(self.path, self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_port
        Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}).start()

    def down(self) -> None:
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()


class Program:
    """The program, which tells what has to happen next."""

    def __init__(self, port: int) -> None:
        command = [sys.executable, "-X", "faulthandler", "-W", "error", "-m", "tests.outage", str(ROUNDS)]
        self._process = subprocess.Popen(
            [*command, f"http://127.0.0.1:{port}"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def says(self, what: str) -> dict[str, Any]:
        assert self._process.stdout is not None
        found: dict[str, Any] = json.loads(self._process.stdout.readline())
        assert found["next"] == what
        return found

    def go_on(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


def connected(port: int) -> socket.socket:
    """Ask for all events, and read nothing."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # or the kernel would do the reading
    client.connect(("127.0.0.1", port))
    client.sendall(REQUEST % port)
    return client


def woken(client: socket.socket) -> Any:
    """Return the lines of the answer, once it has begun."""
    lines = client.makefile("rb")
    while not lines.readline().startswith(b"retry:"):
        pass
    return lines


def read_on(lines: Any, until: int) -> tuple[int, int]:
    """Read as a client that wakes up; returns how many events came, and how many it is told that it missed."""
    events = missed = 0
    for line in lines:
        events += line.startswith(b"id:")
        if line.startswith(b"data:") and b'"slow_client"' in line:
            missed += json.loads(line[5:])["dropped"]
        if events + missed >= until:
            break
    return events, missed


@contextmanager
def played() -> Iterator[dict[str, Any]]:
    collector = Collector()
    collector.up()
    program = Program(collector.port)
    try:
        yield _books(collector, program)
    finally:
        program.end()
        collector.down()


def _books(collector: Collector, program: Program) -> dict[str, Any]:
    port = program.says("clients")["port"]
    silent = [connected(port) for _ in range(NEVER_READ)]
    program.go_on()
    first = program.says("down") | {"arrived": dict(collector.arrived)}
    collector.down()
    program.go_on()
    down = program.says("up") | {"arrived": dict(collector.arrived)}
    collector.up()
    with connected(port) as late, woken(late) as lines:
        program.go_on()
        back = program.says("read")
        seen = read_on(lines, back["published"] - down["published"])
        program.go_on()
        end = program.says("end")
    for client in silent:
        client.close()
    program.go_on()
    arrived = {"arrived": dict(collector.arrived), "runs": collector.runs, "seen": seen}
    return {"first": first, "down": down, "back": back, "end": end} | arrived


@pytest.fixture(scope="module")
def books() -> Iterator[dict[str, Any]]:
    """Play it once."""
    with played() as found:
        yield found


def test_while_the_collector_is_there_everything_arrives(books: dict[str, Any]) -> None:
    """Two spans and four events for each round, none refused."""
    made = {"spans": 2 * ROUNDS, "logs": 4 * ROUNDS}
    assert books["first"]["arrived"] == made
    assert books["first"]["books"] == {name: {"made": count, "SUCCESS": count} for name, count in made.items()}


def test_while_it_is_away_nothing_arrives_and_the_program_works_on(books: dict[str, Any]) -> None:
    """What was made meanwhile was refused, or is beyond what a queue holds; nothing of ours failed over it."""
    assert books["down"]["arrived"] == books["first"]["arrived"]
    for name, book in books["down"]["books"].items():
        assert book["made"] == 3 * books["first"]["books"][name]["made"]
        assert book["SUCCESS"] == books["first"]["books"][name]["SUCCESS"]
        assert 0 < book["FAILURE"] <= book["made"] - book["SUCCESS"]
    assert books["back"]["errors"] == {}


def test_when_it_is_back_everything_arrives_again(books: dict[str, Any]) -> None:
    """What was made since has arrived whole; what arrived in all is what was acknowledged; the loss is known."""
    waited = {name: book["SUCCESS"] for name, book in books["back"]["back"].items()}
    for name, each in (("spans", 2), ("logs", 4)):
        book = books["back"]["books"][name]
        assert book["SUCCESS"] - waited[name] == each * ROUNDS // 4
        assert book["SUCCESS"] == books["arrived"][name]
        beyond = book["made"] - book["SUCCESS"] - book["FAILURE"]  # what the SDK's queues did not hold
        assert beyond == books["down"]["books"][name]["made"] - waited[name] - book["FAILURE"] >= 0


def test_metrics_miss_nothing(books: dict[str, Any]) -> None:
    """Sums go on while nobody takes them: afterwards they tell of every run."""
    assert books["runs"] == 3 * ROUNDS + ROUNDS // 4


def test_memory_does_not_grow_while_nobody_takes_anything(books: dict[str, Any]) -> None:
    """Queues are full after the first round of the outage; the rounds after it add nothing."""
    memory = books["back"]["memory"]
    assert memory[-1] - memory[1] < 8 * MEGABYTE, memory


def test_a_client_that_wakes_up_is_told_exactly_what_it_missed(books: dict[str, Any]) -> None:
    """The events that it gets and the events that it is told of as dropped are all that there were."""
    events, missed = books["seen"]
    assert events + missed == books["back"]["published"] - books["down"]["published"] == ROUNDS
    assert missed > 0


def test_clients_that_never_read_are_counted_and_let_go(books: dict[str, Any]) -> None:
    """What they missed stands in the metrics' sum; they hold neither a descriptor nor a thread when we stop."""
    assert books["back"]["lost"]["events"] > NEVER_READ * ROUNDS
    end = books["end"]
    assert end["left"]["descriptors"] == end["before"]["descriptors"]
    assert end["left"]["threads"] == end["before"]["threads"] == ["MainThread"]
    count, held = end["left"]["locks"]
    assert (count > 0, held) == (True, [])
