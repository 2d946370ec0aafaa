"""What the operator of a served Flex reads on stderr: the form of each line, what decides it, and what is not in it."""

from __future__ import annotations

import json
import re
import textwrap
from pathlib import Path
from typing import Any

import pytest

from tests.cli.served import API, Served, served

# Two capabilities: one does what the objective says, and logs as an application does.
REGISTRY = """
    import logging
    from otel_agents.runtime.flex.capabilities import Capability, Registry
    from otel_agents.runtime.flex.facets import Facet

    log = logging.getLogger("speaking")

    def say(task):
        log.info("not worth a line")
        if task.bundle.objective == "warn":
            log.warning("spoke of %s", "tea")
        if task.bundle.objective == "fail":
            raise LookupError("c4n4ry")
        return {"speech": task.bundle.objective}

    def made():
        registry = Registry([Facet("speech", "Speech", {"type": "string"})])
        more = {"input": ("objective",), "output": ("speech",), "run": say, "attempts": 2, "backoff_s": 0}
        return registry.add(Capability(id="say", label="Say", kind="agent", **more))
"""
FIELDS = {
    "level": str,
    "timestamp": str,
    "message": str,
    "module": str,
    "eventType": str,
    "runId": str,
    "correlationId": str,
    "workOrderId": None,
    "planVersion": int,
    "nodeId": str,
    "capabilityId": str,
    "facetProvenance": dict,
    "status": str,
    "durationMs": float,
    "traceId": str,
    "spanId": str,
    "payload": dict,
}
PROVENANCE = {
    "input": [{"facet": "objective", "title": "Objective", "direction": "input", "pointer": "/objective"}],
    "output": [{"facet": "speech", "title": "Speech", "direction": "output", "pointer": "/speech"}],
}
ERROR = {"attempt": 2, "errorType": "LookupError"}
# Of a run that fails: level, older log name, event type, status, whether there is a duration, and the payload.
FAILING: tuple[tuple[str, str, str, str | None, bool, dict[str, Any]], ...] = (
    ("INFO", "flex_start", "start", None, False, {"name": "flex"}),
    ("INFO", "flex_plan_requested", "plan_requested", None, False, {"phase": "initial", "attempt": 1}),
    (
        "INFO",
        "flex_plan_generated",
        "plan_generated",
        "ok",
        True,
        {"version": 1, "nodeCount": 1, "nodes": [{"id": "say", "capabilityId": "say", "label": "Say"}]},
    ),
    ("INFO", "flex_node_start", "node_start", None, False, {"kind": "agent", "label": "Say"}),
    ("ERROR", "flex_node_error", "node_error", None, False, {**ERROR, "attempt": 1}),
    ("WARNING", "flex_node_retry", "node_retry", None, False, {**ERROR, "attempt": 1}),
    ("ERROR", "flex_node_error", "node_error", "error", True, ERROR),
    ("INFO", "flex_node_complete", "node_complete", "error", True, {"kind": "agent", "attempts": 2}),
    (
        "ERROR",
        "flex_run_complete",
        "complete",
        "failed",
        True,
        {"status": "failed", "reason": "node_failed", "errorType": "LookupError"},
    ),
)


@pytest.fixture
def folder(tmp_path) -> Path:
    """Where a server finds the capabilities above."""
    (tmp_path / "speaking.py").write_text(textwrap.dedent(REGISTRY))
    return tmp_path


def _run(server: Served, objective: str) -> list[dict[str, Any]]:
    task = {"objective": objective, "metadata": {"correlationId": "order-17"}}
    return server.frames("POST", f"{API}/run.stream", json=task)


def _said(folder: Path, *objectives: str, options: tuple[str, ...] = (), **env: str) -> tuple[list[Any], list[str]]:
    """Return the frames of runs, and all lines of the server but the one that says where it listens."""
    with served(folder, "--registry", "speaking:made", *options, **env) as server:
        frames = [_run(server, objective) for objective in objectives]
        code, said = server.stop()
    assert code == 0
    return frames, said.splitlines()


def test_json_lines_have_one_schema(folder) -> None:
    """Each line is one JSON object with all fields in one order; unknown ones are null, and no value is in it."""
    [frames], said = _said(folder, "fail", JSON_LOGS="1")
    lines = [json.loads(line) for line in said]

    for line in lines:
        assert list(line) == list(FIELDS)
        for name, kind in FIELDS.items():
            assert line[name] is None or (kind is not None and isinstance(line[name], kind)), name
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["timestamp"])
        assert re.fullmatch(r"[0-9a-f]{32} [0-9a-f]{16}", f"{line['traceId']} {line['spanId']}")
    names = ("level", "message", "eventType", "status")
    told = [(*(line[n] for n in names), line["durationMs"] is not None, line["payload"]) for line in lines]
    assert told == list(FAILING)
    assert {(line["module"], line["runId"], line["correlationId"]) for line in lines} == {
        ("flex", frames[0]["runId"], "order-17")
    }
    of_node = [line for line in lines if line["nodeId"] is not None]
    assert {line["eventType"] for line in of_node} == {"node_start", "node_error", "node_retry", "node_complete"}
    assert all(line["facetProvenance"] == PROVENANCE for line in of_node)
    assert [line["planVersion"] for line in lines] == [None, None, *[1] * 7]
    assert "c4n4ry" not in "".join(said)


def test_readable_lines_have_one_form(folder) -> None:
    """Otherwise a line is a moment, a level, the older name, and what is known as words."""
    [frames], said = _said(folder, "warn")
    run = frames[0]["runId"]
    shown = [re.sub(r"^\S+Z |(?<=durationMs=)[\d.]+", "", line) for line in said]
    who = f"runtime=flex runId={run} correlationId=order-17"
    node = f"nodeId=say capabilityId=say facetProvenance={json.dumps(PROVENANCE, separators=(',', ':'))}"
    nodes = '[{"id":"say","capabilityId":"say","label":"Say"}]'

    assert shown == [
        f"INFO    flex_start {who} name=flex",
        f"INFO    flex_plan_requested {who} phase=initial attempt=1",
        f"INFO    flex_plan_generated {who} planVersion=1 status=ok durationMs= version=1 nodeCount=1 nodes={nodes}",
        f"INFO    flex_node_start {who} planVersion=1 {node} kind=agent label=Say",
        "WARNING spoke of tea",
        f"INFO    flex_node_complete {who} planVersion=1 {node} status=ok durationMs= kind=agent attempts=1",
        f"INFO    flex_run_complete {who} planVersion=1 status=completed durationMs=",
    ]


def test_lines_of_the_application_have_the_same_form(folder) -> None:
    """What capabilities log are JSON lines too, and say in which run; so is the line that says where it listens."""
    [frames], said = _said(folder, "warn", JSON_LOGS="1", OTEL_AGENTS_EVENT_LOG="off")

    [line] = [json.loads(each) for each in said]
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "level": "WARNING",
        "message": "spoke of tea",
        "module": "speaking",
        "runId": frames[0]["runId"],
        "correlationId": "order-17",
    }


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("warning", ["node_error", "node_retry", "node_error", "complete"]),
        ("ERROR", ["node_error", "node_error", "complete"]),
        ("critical", []),
    ],
)
def test_the_threshold_is_honoured(folder, level, expected) -> None:
    """LOG_LEVEL leaves out what is below it, of events and of the application, and nothing else."""
    _, said = _said(folder, "fail", "warn", JSON_LOGS="yes", LOG_LEVEL=level)
    lines = [json.loads(line) for line in said]

    assert [line["eventType"] for line in lines if "eventType" in line] == expected
    assert [line["message"] for line in lines if "eventType" not in line] == ["spoke of tea"] * (level == "warning")


OFF: dict[str, tuple[tuple[str, ...], dict[str, str]]] = {
    "option": (("--no-telemetry",), {}),
    "kill switch": ((), {"OTEL_AGENTS_ENABLED": "false"}),
    "no lines": ((), {"OTEL_AGENTS_EVENT_LOG": "off"}),
}


@pytest.mark.slow
@pytest.mark.parametrize("as_json", ["0", "1"])
def test_switched_off_the_server_does_and_says_the_same(folder, as_json) -> None:
    """Without telemetry, frames and lines are to the byte what they are with it; but for ids, moments, durations."""
    seen = {}
    for name, (options, env) in OFF.items():
        if as_json == "1" and name == "no lines":
            continue  # observed, a line of the application says in which run it is
        (folder / "flex.db").unlink(missing_ok=True)
        frames, said = _said(folder, "warn", "fail", "quiet", options=options, JSON_LOGS=as_json, **env)
        seen[name] = _plain(json.dumps(frames)), _plain("\n".join(said))

    assert len(seen) > 1
    assert len(set(seen.values())) == 1
    [(streams, lines), *_] = seen.values()
    assert streams.count('"complete"') == 3
    assert lines.count("spoke of tea") == lines.count("\n") + 1 == 1


def _plain(text: str) -> str:
    """Return a text without ids, moments and durations."""
    text = re.sub(r"[0-9a-f]{32}", "ID", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "MOMENT", text)
    return re.sub(r'"durationMs": [\d.]+', "DURATION", text)
