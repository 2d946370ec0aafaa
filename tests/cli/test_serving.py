from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from otel_agents.cli.optional import Command, filled
from otel_agents.cli.serving import with_server
from tests import need
from tests.cli.playing import COMMAND, call, environment, program

ROOT = Path(__file__).parents[2]
HERE = "127.0.0.1:9465"
FILE = "otel-agents-profile.html"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["--serve", "--", "python"], [f"--serve={HERE}", "--", "python"]),
        (["--serve", "8080", "python"], ["--serve=8080", "python"]),
        (["--serve", "[::1]:80", "python"], ["--serve=[::1]:80", "python"]),
        (["--serve", ":80", "python"], ["--serve=:80", "python"]),
        (["--serve", "python", "app.py"], [f"--serve={HERE}", "python", "app.py"]),
        (["--serve=a:1", "x"], ["--serve=a:1", "x"]),
        (["--profile", "--serve", "--json", "x"], [f"--profile={FILE}", f"--serve={HERE}", "--json", "x"]),
        (["--profile", "out.json", "x"], ["--profile=out.json", "x"]),
        (["--otlp", "--serve", "x"], ["--otlp", "--serve", "x"]),
        (["-o", "x.txt", "--serve", "x"], ["-o", "x.txt", f"--serve={HERE}", "x"]),
        (["--", "python", "--serve"], ["--", "python", "--serve"]),
        (["python", "--serve"], ["python", "--serve"]),
        (["--serve"], [f"--serve={HERE}"]),
        ([], []),
    ],
)  # fmt: skip
def test_a_value_may_be_left_out(given, expected) -> None:
    """The next word is the value when it looks like one; words of the program are never touched."""
    assert filled(given, Command.optional, {"--otlp", "--output", "-o"}) == expected


@contextmanager
def playing(*words: str, **env: str) -> Iterator[str]:
    """Run a command, and give the first line of its stderr."""
    with subprocess.Popen(
        [*COMMAND, *words], env=environment(**env), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    ) as running:
        assert running.stderr is not None
        try:
            yield running.stderr.readline()
        finally:
            running.kill()
            running.communicate()


def ask(url: str, path: str) -> httpx.Response:
    """Ask a server that is about to start."""
    for _ in range(600):
        try:
            return httpx.get(f"{url}{path}", timeout=20)
        except httpx.ConnectError:
            time.sleep(0.05)
    raise AssertionError(f"nobody serves at {url}")


def events(url: str) -> Iterator[dict[str, Any]]:
    """Yield the events of a program from its start to the first end of a run."""
    with httpx.stream("GET", f"{url}/events", headers={"Last-Event-ID": ""}, timeout=30) as response:
        for line in response.iter_lines():
            if line.startswith("data: "):
                event = json.loads(line.removeprefix("data: "))
                yield event
                if event["type"] == "complete":
                    return


def test_a_langgraph_program_is_served_while_it_runs() -> None:
    """From inside the observed process: its events from the start, its metrics and its health."""
    for module in ("langgraph", "langchain", "langgraph.checkpoint.sqlite", "langgraph_swarm"):
        need.require_module(module, "demo")
    app = (sys.executable, "examples/langgraph_app/app.py", "--pace", "0.15", "--db", ":memory:")
    page, health, seen = "", {}, []
    with playing("run", "--serve", "127.0.0.1:0", "--", *app) as said:
        assert said.startswith("otel-agents: live at http://127.0.0.1:")
        url = said.split()[3].rstrip(":")
        assert ask(url, "/health/live").status_code == 200
        for event in events(url):
            seen.append(event)
            if event["type"] == "handoff" and not page:
                page, health = ask(url, "/metrics").text, ask(url, "/health").json()

    types = [event["type"] for event in seen]
    assert types[0] == "start"
    assert {"node_start", "node_complete", "plan_requested", "plan_generated", "handoff", "node_retry"} <= set(types)
    assert {event["runtime"] for event in seen} == {"langgraph"}
    ids = [event["id"] for event in seen]
    assert ids == sorted(set(ids))
    assert "flex_planner_requests_total{" in page
    assert "yolo_handoffs_total{" in page
    assert health["status"] in {"healthy", "degraded"}
    assert health["patch_points"]["langgraph"]["applied"] > 0


def test_the_programs_output_and_exit_code_stay() -> None:
    """A served program ends as it does without, with nothing on its standard output but its own."""
    done = call("run", "--serve", "127.0.0.1:0", "--", *program("print('mine'); raise SystemExit(3)"))

    assert (done.returncode, done.stdout) == (3, "mine\n")


def test_a_taken_port_is_said_and_the_program_runs() -> None:
    """Like with every shortcut, what cannot be used is one line."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = call("run", "--serve", str(port), "--", *program("print('mine')"))

    assert (done.returncode, done.stdout) == (0, "mine\n")
    said = f"otel-agents: --serve 127.0.0.1:{port}: Address already in use; nothing is served. Give another port."
    assert done.stderr.splitlines()[0] == said


def test_nothing_is_called_live_where_the_extra_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The program itself says what is missing; a line before that said the opposite."""
    assert with_server({}, "127.0.0.1:0").note.startswith("live at http://127.0.0.1:")

    monkeypatch.setitem(sys.modules, "starlette", None)
    assert with_server({}, "127.0.0.1:0").note == ""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--serve=0.0.0.0:9465",), "other machines can reach it, so it needs a token: set OTEL_AGENTS_TOKEN"),
        (("--serve=a b",), "is no address; give HOST:PORT or a port"),
        (("--profile=/nowhere/p.html",), "No such file or directory"),
    ],
)
def test_wrong_options_are_said(words, message) -> None:
    """What a person set up wrongly ends with 2 before the program starts."""
    done = call("run", *words, "--", *program("print('mine')"))

    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


@pytest.mark.parametrize("name", ["p.html", "p.json"])
def test_a_profile_of_the_whole_program(tmp_path, name) -> None:
    """At the end there is a report, in the format of its suffix, that shows where the program was; an old one goes."""
    body = """
        import time
        def a_function_that_takes_its_time():
            end = time.monotonic() + 0.5
            while time.monotonic() < end:
                pass
        a_function_that_takes_its_time()
        """
    file = tmp_path / name
    file.write_text("old")
    done = call("run", f"--profile={file}", "--", *program(body))

    text = file.read_text(encoding="utf-8")
    assert done.returncode == 0
    assert done.stderr.splitlines()[-1] == f"otel-agents: the profile is in {file}"
    assert "a_function_that_takes_its_time" in text
    assert (name == "p.json") == text.startswith("{")


def test_a_program_that_starts_programs_has_a_profile_each(tmp_path) -> None:
    """The first process has the file; every other one has its own beside it."""
    body = "import subprocess, sys, time; time.sleep(0.1); subprocess.run([sys.executable, '-c', 'import time'])"
    done = call("run", f"--profile={tmp_path / 'p.json'}", "--", *program(body))

    assert done.returncode == 0
    names = sorted(file.name for file in tmp_path.iterdir())
    assert len(names) == 2
    assert names[1] == "p.json"
    assert names[0].startswith("p-")


def test_a_program_that_leaves_no_profile_is_said(tmp_path) -> None:
    """A program that we cannot see has none."""
    done = call("run", f"--profile={tmp_path / 'p.json'}", "--", "sh", "-c", "exit 0")

    assert f"there is no profile in {tmp_path / 'p.json'}" in done.stderr
