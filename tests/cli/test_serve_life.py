"""A served Flex that others watch, that is started again, and that shares its database with another one."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from otel_agents.semconv.events import LIFECYCLE
from tests.cli.served import API, TASK, TIMEOUT_S, Served, served
from tests.postgres import postgres, postgres_url  # noqa: F401 - fixtures

# A plan that is made again, with one node that waits for a file.
REGISTRY = """
    import asyncio
    from pathlib import Path
    from otel_agents.runtime.flex.capabilities import Capability, Registry
    from otel_agents.runtime.flex.facets import Facet

    async def say(task):
        while not Path("go").exists():
            await asyncio.sleep(0.02)
        return {"speech": task.bundle.objective}

    def made():
        registry = Registry([Facet("speech", "Speech", {"type": "string"})])
        more = {"input": ("objective",), "output": ("speech",), "run": say}
        return registry.add(Capability(id="say", label="Say", kind="agent", **more))
"""
AGAIN = {"id": "again", "trigger": {"kind": "onStart"}, "action": {"type": "replan"}}
LOOK = {"id": "look", "trigger": {"kind": "onNodeComplete", "selector": {"capabilityId": "review_posts"}}}
ASKS = {**TASK, "policies": {"runtime": [{**LOOK, "action": {"type": "hitl", "prompt": "Good enough?"}}]}}
BEFORE_A_NODE = ["plan_requested", "plan_generated", "policy_triggered", "plan_requested", "plan_updated"]


@contextmanager
def _events(server: Served, last: str | None, **query: str) -> Iterator[Iterator[dict[str, Any]]]:
    """Listen to what happens in a server, from the event behind `last` on."""
    headers = {} if last is None else {"Last-Event-ID": last}
    url = f"{server.url}/events"
    with httpx.stream("GET", url, params=query, headers=headers, timeout=TIMEOUT_S) as stream:
        assert stream.status_code == httpx.codes.OK
        events = (json.loads(line[6:]) for line in stream.iter_lines() if line.startswith("data: "))
        yield (event for event in events if event["type"] != "gap")


def _next(events: Iterator[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    return [next(events) for _ in range(count)]


def test_the_lifecycle_is_streamed_and_replayed(tmp_path) -> None:
    """While a run goes on, its planner and policy events come live; who comes later gets them from the ring."""
    (tmp_path / "speaking.py").write_text(textwrap.dedent(REGISTRY))
    task = {**TASK, "policies": {"runtime": [AGAIN]}, "metadata": {"correlationId": "order-17"}}
    with served(tmp_path, "--registry", "speaking:made") as server:
        begun = httpx.stream("POST", f"{server.url}{API}/run.stream", json=task, timeout=TIMEOUT_S)
        with _events(server, None, lifecycle="1") as live, begun as run:
            seen = _next(live, len(BEFORE_A_NODE))
            with _events(server, seen[1]["id"], lifecycle="1") as late:
                replayed = _next(late, len(BEFORE_A_NODE) - 2)
            (tmp_path / "go").touch()
            frames = [json.loads(line[6:]) for line in run.iter_lines() if line.startswith("data: ")]
        with _events(server, "", lifecycle="1", correlationId="order-17") as all_of_it:
            afterwards = _next(all_of_it, len(BEFORE_A_NODE))

    assert [event["type"] for event in seen] == BEFORE_A_NODE
    assert seen[2:] == replayed
    assert seen == afterwards
    assert {event["type"] for event in seen} <= LIFECYCLE
    told = {frame["type"]: frame for frame in frames}
    updated = seen[-1]
    assert (updated["runId"], updated["correlationId"]) == (told["start"]["runId"], "order-17")
    assert (updated["planVersion"], updated["status"]) == (told["plan_updated"]["planVersion"], "ok")
    assert updated["durationMs"] >= 0
    assert updated["payload"] == {"previousVersion": 1, "version": 2, "trigger": "again"}


def _sample(server: Served, name: str) -> float | None:
    """Return a sample of the runtime flex on the page for Prometheus."""
    page = server.get("/metrics").text
    found = re.search(rf'^{name}\{{[^}}]*runtime="flex"[^}}]*\}} (\S+)$', page, re.MULTILINE)
    return None if found is None else float(found[1])


def _asked(frames: list[dict[str, Any]]) -> str:
    return str(next(frame for frame in frames if frame["type"] == "hitl_request")["payload"]["requestId"])


def test_a_question_waits_through_a_restart(tmp_path) -> None:
    """Started again, a server knows of the question that is open; answered, the wait is measured and the run linked."""
    with served(tmp_path) as server:
        frames = server.frames("POST", f"{API}/run.stream", json=ASKS)
        before = _sample(server, "flex_hitl_pending")
        server.stop()
    with served(tmp_path, OTEL_TRACES_EXPORTER="console", OTEL_BSP_SCHEDULE_DELAY="100") as server:
        waiting = _sample(server, "flex_hitl_pending")
        body = {"runId": frames[0]["runId"], "decision": "approved"}
        rest = server.frames("POST", f"{API}/run.resume", json=body)
        left, measured = _sample(server, "flex_hitl_pending"), _sample(server, "flex_hitl_wait_duration_seconds_count")
        spans = server.spans()

    assert rest[-1]["status"] == "completed"
    assert (before, waiting, left, measured) == (1, 1, 0, 1)
    [run] = [span for span in spans if span["name"] == "flex.run flex"]
    assert run["attributes"]["flex.run.id"] == frames[0]["runId"]
    assert len(run["links"]) == 1
    assert (tmp_path / "flex.db").stat().st_mode & 0o777 == 0o600


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_two_servers_are_one(tmp_path, kind, request) -> None:
    """A run begins at one, is answered at the other and read at both, the same to the frame; both count what waits."""
    url = f"sqlite:///{tmp_path}/flex.db" if kind == "sqlite" else request.getfixturevalue("postgres_url")
    with served(tmp_path, "--database", url) as one, served(tmp_path, "--database", url) as other:
        frames = one.frames("POST", f"{API}/run.stream", json=ASKS)
        waiting = [_sample(server, "flex_hitl_pending") for server in (one, other)]
        answer = {"requestId": _asked(frames), "decision": "approved"}
        answers = [
            httpx.post(f"{server.url}{API}/hitl/resolve", json=answer, timeout=TIMEOUT_S) for server in (other, one)
        ]
        path, headers = f"{API}/runs/{frames[0]['runId']}/stream", {"Last-Event-ID": frames[-1]["id"]}
        both = [server.frames("GET", path, headers=headers) for server in (one, other)]
        for server in (one, other):  # each looks once a second
            while _sample(server, "flex_hitl_pending") != 0:
                pass

    assert waiting == [1, 1]
    assert [each.status_code for each in answers] == [200, 409]
    assert both[0] == both[1]
    assert both[0][-1]["status"] == "completed"


def test_a_place_of_ones_own_for_questions_is_respected(tmp_path) -> None:
    """Where the user names another store, in the environment or in a file, nothing of it is put beside the runs."""
    (tmp_path / "settings.yaml").write_text("version: 1\npause_store: memory\n")
    for env in ({"OTEL_AGENTS_PAUSE_STORE": "memory"}, {"OTEL_AGENTS_CONFIG": "settings.yaml"}):
        (tmp_path / "flex.db").unlink(missing_ok=True)
        with served(tmp_path, **env) as server:
            server.stop()
        assert b"otel_agents_pauses" not in _bytes(tmp_path)


def _bytes(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.glob("flex.db*"))
