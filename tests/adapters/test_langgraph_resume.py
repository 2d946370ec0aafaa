"""A pause in one process and its answer in another: one run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.graphs import EXAMPLE
from tests.need import require_module

require_module("sqlalchemy")
require_module("langgraph.checkpoint.sqlite", "demo")

PROGRAM = """
import asyncio, json, sys
sys.path.insert(0, {example!r})
from crew import build
from scripted import ScriptedModel
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.types import Command
from otel_agents.adapters.langgraph import ADAPTER
from otel_agents.patching.apply import apply
from otel_agents.recorder import RECORDER
from otel_agents.testing import capture

given = Command(resume="reject") if sys.argv[1] == "resume" else {{"messages": [("user", "go")]}}
config = {{"configurable": {{"thread_id": "t"}}}}
models = lambda role: ScriptedModel(role=role)

async def play():
    async with AsyncSqliteSaver.from_conn_string({checkpoints!r}) as saver:
        await build(models, saver).ainvoke(given, config)

with capture(pause_store={pauses!r}) as telemetry:
    wall_ns, RECORDER.new_id = RECORDER.wall_ns, lambda: sys.argv[2]
    RECORDER.wall_ns = lambda: wall_ns() + int(sys.argv[3]) * 10**9
    apply(ADAPTER)
    if {is_async!r}:
        asyncio.run(play())
    else:
        with SqliteSaver.from_conn_string({checkpoints!r}) as saver:
            build(models, saver).invoke(given, config)
    run = telemetry.span("flex.run release-notes")
    print(json.dumps({{
        "runs": sorted({{event.run_id for event in telemetry.events}}),
        "types": [event.type for event in telemetry.events][-6:],
        "answers": [dict(event.payload) for event in telemetry.events if event.type == "hitl_resolved"],
        "span": run.context.trace_id,
        "links": [link.context.trace_id for link in run.links],
        "run": {{name: value for name, value in run.attributes.items() if name.startswith("flex.")}},
        "pending": telemetry.metrics().get("flex.hitl.pending{{runtime=langgraph}}", 0),
    }}))
"""


def _play(folder: Path, *arguments: str, is_async: bool) -> dict[str, Any]:
    program = PROGRAM.format(
        example=str(EXAMPLE),
        checkpoints=str(folder / "checkpoints.sqlite"),
        pauses=f"sqlite:///{folder / 'pauses.sqlite'}",
        is_async=is_async,
    )
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_a_run_goes_on_in_another_process(is_async: bool, tmp_path: Path) -> None:
    """The second process answers the first one's question: the same run, a link, the wait, nothing pending."""
    paused = _play(tmp_path, "start", "run-a", "0", is_async=is_async)
    resumed = _play(tmp_path, "resume", "run-b", "3600", is_async=is_async)

    assert paused["types"][-2:] == ["hitl_request", "complete"]
    assert paused["run"]["flex.run.status"] == "awaiting_hitl"
    assert paused["pending"] == 1
    assert resumed["types"] == ["start", "hitl_resolved", "node_start", "node_complete", "complete"]
    assert paused["runs"] == resumed["runs"] == ["run-a"]
    assert resumed["links"] == [paused["span"]]
    assert resumed["answers"][0]["decision"] == "rejected"
    assert resumed["answers"][0]["waitMs"] == pytest.approx(3_600_000, abs=1000)
    assert resumed["run"]["flex.run.resumed"] is True
    assert resumed["run"]["flex.plan.version"] == 2
    assert resumed["run"]["flex.run.status"] == "completed"
    assert resumed["pending"] == 0
