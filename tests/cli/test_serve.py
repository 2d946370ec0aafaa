from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import textwrap
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from otel_agents.runtime.flex.settings import settings_table
from tests.cli.playing import call
from tests.cli.served import API, TASK, TIMEOUT_S, Served, served
from tests.docs.pages import ROOT, blocks
from tests.need import require_command

# A capability that waits for a file, so that a test decides when it ends.
REGISTRY = """
    import asyncio
    from pathlib import Path
    from otel_agents.runtime.flex.capabilities import Capability, Registry
    from otel_agents.runtime.flex.facets import Facet

    async def say(task):
        Path("begun").touch()
        while not Path("go").exists():
            await asyncio.sleep(0.02)
        with Path("said").open("a") as file:
            file.write("x")
        return {"speech": task.bundle.objective}

    def made():
        registry = Registry([Facet("speech", "Speech", {"type": "string"})])
        return registry.add(
            Capability(id="say", label="Say", kind="agent", input=("objective",), output=("speech",), run=say)
        )
"""


def _until(path: Path, server: Served) -> None:
    while not path.exists():
        assert server.process.poll() is None
        server.get("/health/live")


def test_frames_lines_and_metrics_agree(tmp_path) -> None:
    """A run is streamed, and the same facts are spans, lines on stderr, events and metrics; SIGTERM ends with 0."""
    with served(tmp_path, JSON_LOGS="true", OTEL_TRACES_EXPORTER="console") as server:
        frames = server.frames("POST", f"{API}/run.stream", json=TASK)
        metrics = server.get("/metrics").text
        health = server.get("/health").json()
        with httpx.stream("GET", f"{server.url}/events", headers={"Last-Event-ID": "0"}, timeout=TIMEOUT_S) as stream:
            events = _taken(stream, len(frames))
        spans = Counter(span["name"].split()[0] for span in server.spans())

    counts = Counter(frame["type"] for frame in frames)
    lines = [json.loads(line) for line in server.rest.splitlines()]
    assert server.process.returncode == 0
    assert spans["flex.run"] == counts["start"] == counts["complete"] == 1
    assert spans["flex.plan"] == counts["plan_requested"] == 1
    assert spans["flex.node"] == counts["node_complete"]
    assert counts["node_start"] == counts["node_complete"] == 6
    assert frames[-1]["payload"]["status"] == "completed"
    assert Counter(line["eventType"] for line in lines) == counts
    assert Counter(event["type"] for event in events) == counts
    assert {line["runId"] for line in lines} == {frames[0]["runId"]}
    assert re.search(r'^flex_run_status_total\{[^}]*runtime="flex",status="completed"\} 1\.0$', metrics, re.MULTILINE)
    assert health["patch_points"]["flex"].keys() == {"applied"}


def _taken(stream: httpx.Response, count: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for line in stream.iter_lines():
        if line.startswith("data: ") and '"type":"gap"' not in line:
            found.append(json.loads(line[6:]))
        if len(found) == count:
            break
    return found


def test_the_curl_of_the_readme_works(tmp_path) -> None:
    """What the README says to type streams a run from start to end."""
    require_command("curl", "apt-get install curl")
    [command] = [block.text for block in blocks(ROOT / "README.md") if "$ curl" in block.text]
    with served(tmp_path) as server:
        typed = command.removeprefix("$ ").replace("http://127.0.0.1:8080", server.url)
        done = subprocess.run(["sh", "-c", typed], capture_output=True, text=True, check=True, timeout=TIMEOUT_S)

    events = re.findall(r"^event: (\w+)$", done.stdout, re.MULTILINE)
    assert (events[0], events[-1], events.count("complete")) == ("start", "complete", 1)


@pytest.mark.slow
def test_a_run_goes_on_after_a_restart(tmp_path) -> None:
    """SIGTERM gives a running run back: its stream ends, and after a restart it does, with no node executed twice."""
    (tmp_path / "speaking.py").write_text(textwrap.dedent(REGISTRY))
    options = ("--registry", "speaking:made")
    with served(tmp_path, *options, FLEX_GRACE_S="0.1") as server:
        with httpx.stream("POST", f"{server.url}{API}/run.stream", json=TASK, timeout=TIMEOUT_S) as stream:
            run = stream.headers["Flex-Run-Id"]
            _until(tmp_path / "begun", server)
            server.process.send_signal(signal.SIGTERM)
            told = "".join(stream.iter_text())
        code, said = server.stop()
    (tmp_path / "go").touch()
    with served(tmp_path, *options) as server:
        seen = re.findall(r"^id: (.+)$", told, re.MULTILINE)
        rest = server.frames("GET", f"{API}/runs/{run}/stream", headers={"Last-Event-ID": seen[-1]})

    assert (code, "without completing" in said) == (0, False)
    assert "event: complete" not in told
    assert (rest[-1]["type"], rest[-1]["payload"]["status"]) == ("complete", "completed")
    assert (tmp_path / "said").read_text() == "x"


@pytest.mark.slow
def test_an_open_stream_of_events_does_not_hold_the_server(tmp_path) -> None:
    """A client that listens for ever is cut at SIGINT, and the exit code is 0."""
    with served(tmp_path) as server, httpx.stream("GET", f"{server.url}/events", timeout=TIMEOUT_S) as stream:
        assert stream.status_code == 200
        code, said = server.stop(signal.SIGINT)

    assert (code, said) == (0, "")


@pytest.mark.slow
def test_without_telemetry_it_only_serves(tmp_path) -> None:
    """Switched off, nothing is written and the live endpoints are not there; runs are as ever."""
    with served(tmp_path, "--no-telemetry") as server:
        frames = server.frames("POST", f"{API}/run.stream", json=TASK)
        metrics = server.get("/metrics")
        code, said = server.stop()

    assert frames[-1]["payload"]["status"] == "completed"
    assert metrics.status_code == 404
    assert (code, said) == (0, "")


@pytest.mark.slow
def test_a_token_keeps_others_out(tmp_path) -> None:
    """With a token nothing is answered without it but whether the server lives; a browser is sent to log in."""
    with served(tmp_path, OTEL_AGENTS_TOKEN="sesame") as server:
        refused = server.get(f"{API}/runs")
        known = server.get(f"{API}/runs", Authorization="Bearer sesame")
        live = server.get("/health/live")
        page = server.get("/", Accept="text/html")

    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "unauthorized")
    assert known.json() == {"runs": []}
    assert live.status_code == 200
    assert (page.status_code, page.headers["location"].partition("?")[0]) == (303, "/login")


@pytest.mark.slow
def test_readiness_waits_for_the_database(tmp_path) -> None:
    """While the database is away the server lives and is not ready, and refuses runs with a time to come again."""
    with served(tmp_path, "--database", f"sqlite:///{tmp_path}/later/flex.db") as server:
        live, ready = server.get("/health/live"), server.get("/health/ready")
        refused = httpx.post(f"{server.url}{API}/run.stream", json=TASK, timeout=TIMEOUT_S)
        (tmp_path / "later").mkdir()
        while server.get("/health/ready").status_code != 200:
            pass
        frames = server.frames("POST", f"{API}/run.stream", json=TASK)

    assert (live.status_code, ready.status_code) == (200, 503)
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "store_unavailable")
    assert frames[-1]["payload"]["status"] == "completed"


def test_a_port_in_use_is_one_message(tmp_path) -> None:
    """Where somebody listens already, the command says so and what to do, and exits with 1."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = call("serve", "--port", str(port), cwd=tmp_path)

    message = (
        f"otel-agents: cannot listen on 127.0.0.1:{port}: Address already in use. Give another --port or --host.\n"
    )
    assert (done.returncode, done.stdout, done.stderr) == (1, "", message)


WRONG = {
    "an address without a token": (("--host", "0.0.0.0"), {}, "0.0.0.0 is not loopback, so clients need a token"),
    "a name with a port": (("--allow-host", "agents.example:443"), {}, "--allow-host: 'agents.example:443' is no host"),
    "a token with a space": ((), {"OTEL_AGENTS_TOKEN": "a b"}, "OTEL_AGENTS_TOKEN cannot be used"),
    "a setting": ((), {"FLEX_MAX_RUNS": "many"}, "FLEX_MAX_RUNS: 'many' cannot be used"),
    "a database": (("--database", "sqlite://"), {}, "names no database that outlives the process"),
    "a file that is not there": (("--capabilities", "none.yaml"), {}, "none.yaml: cannot be read"),
    "a registry that is not there": (("--registry", "nowhere:made"), {}, "--registry nowhere:made cannot be loaded"),
    "a registry that is none": (("--registry", "json:JSONDecoder"), {}, "is no Registry and makes none"),
}


@pytest.mark.parametrize(("options", "env", "said"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_used_is_said(tmp_path, options, env, said) -> None:
    """A wrong option or setting is named, without a traceback, and exits with 2 before anything listens."""
    done = call("serve", "--port", "0", *options, cwd=tmp_path, **env)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("otel-agents: ")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_the_help_tells_all(tmp_path) -> None:
    """Every option and every variable, with its default."""
    said = call("serve", "--help", cwd=tmp_path).stdout

    assert {f"{name} = {default}" for name, default, _ in settings_table()} <= set(
        re.findall(r"FLEX_\w+ = [^\s]+(?=:)", said)
    )
    assert "--registry" in said


def test_without_the_flex_extra_one_line_says_what_to_install(tmp_path) -> None:
    """The command is there with the cli extra alone, and names the extra that it needs."""
    code = (
        "import sys; sys.modules['alembic'] = None; sys.argv = ['', 'serve']; from otel_agents.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("otel-agents: ")
    assert "pip install 'otel-agents[flex]'" in done.stderr
