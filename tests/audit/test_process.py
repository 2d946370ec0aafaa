"""The audit of whole programs, by setting alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import otel_agents
from otel_agents.testing import capture
from tests.audit.making import read
from tests.audit.running import PATIENCE_S, environment

SESSION, SENDER = "session:ann@example.org", "ann@example.org"
RUNS = f"""
import logging, os, sys
logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
import otel_agents
with otel_agents.run("answer", session_id={SESSION!r}, channel="mail", runtime="gateway"):
    otel_agents.record.reaction_matched("greet", {SENDER!r}, "text matches {SENDER}")
    otel_agents.record.cancel_requested("user")
otel_agents.record.reaction_skipped("no_rule", 2)
"""


def _program(folder: Path, body: str, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", body, *arguments],
        cwd=folder,
        env=environment(OTEL_AGENTS_AUDIT_FILE="logs/audit.jsonl", **env),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def _files(folder: Path) -> list[Path]:
    return sorted((folder / "logs").glob("audit-*.jsonl"))


def test_a_setting_is_all_it_takes(tmp_path: Path) -> None:
    """No SDK, no subscriber, no call: what happened until the program's end is in its file."""
    done = _program(tmp_path, RUNS)
    [path] = _files(tmp_path)
    found = read(path)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert [(each["type"], each.get("state")) for each in found] == [
        ("run.state", "start"),
        ("reaction.match", None),
        ("run.state", "cancel_requested"),
        ("run.cancel", None),
        ("run.state", "complete"),
        ("reaction.skip", None),
    ]
    assert (found[3]["acknowledged"], found[3]["latency_ms"]) == (False, None)
    assert {each["channel"] for each in found[:5]} == {"mail"}


def test_sessions_and_senders_are_hashes_that_fit_across_processes(tmp_path: Path) -> None:
    """Neither value is anywhere in the folder; the next process gives the same hashes."""
    for _ in range(2):
        _program(tmp_path, RUNS)
    first, second = map(read, _files(tmp_path))

    said = [(each[0]["session_id"], each[1]["sender"], each[1]["filter_summary"]) for each in (first, second)]
    assert said[0] == said[1]
    assert [len(part or "") for part in said[0]] == [16, 16, 0]
    assert [path.name for path in tmp_path.rglob("*") if path.is_file() and "ann@" in path.read_text()] == []


def test_in_clear_only_the_audit_says_who(tmp_path: Path) -> None:
    """The event log, which everybody may read, does not."""
    done = _program(tmp_path, RUNS, OTEL_AGENTS_AUDIT_CLEAR="true", OTEL_AGENTS_EVENT_LOG="stderr")
    found = read(_files(tmp_path)[0])

    assert (found[0]["session_id"], found[1]["sender"], found[1]["filter_summary"]) == (SESSION, SENDER, None)
    assert "flex_reaction_matched" in done.stderr
    assert "ann@" not in done.stderr


def test_with_content_on_the_audit_still_hashes(tmp_path: Path) -> None:
    """Content capture is for the other signals; the filter's summary, which is content, is then written."""
    _program(tmp_path, RUNS, OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT="SPAN_AND_EVENT")
    found = read(_files(tmp_path)[0])

    assert len(found[0]["session_id"]) == len(found[1]["sender"]) == 16
    assert found[1]["filter_summary"] == f"text matches {SENDER}"


def test_the_audit_needs_no_feed(tmp_path: Path) -> None:
    """It is an opt-in of its own."""
    _program(tmp_path, RUNS, OTEL_AGENTS_SIGNALS="none")

    assert len(read(_files(tmp_path)[0])) == 6


def test_nobody_else_sees_what_is_withheld(tmp_path: Path) -> None:
    """An event that a listener gets has nothing withheld, while the audit is at work."""
    with capture(audit_file=str(tmp_path / "a.jsonl"), audit_key="0123456789abcdef") as telemetry:
        with otel_agents.run("answer", session_id=SESSION, runtime="gateway"):
            otel_agents.record.reaction_matched("greet", SENDER, "f")  # type: ignore[attr-defined,unused-ignore]
        telemetry.deliver()

    assert [each.type for each in telemetry.events] == ["start", "reaction_matched", "complete"]
    assert [dict(each.withheld) for each in telemetry.events] == [{}, {}, {}]
    assert len(read(tmp_path / f"a-{os.getpid()}.jsonl")) == 3


POOL = """
import multiprocessing, os, sys
import otel_agents

def work(number):
    with otel_agents.run("answer", run_id=f"run-{number}", runtime="gateway"):
        return os.getpid()

if __name__ == "__main__":
    with otel_agents.run("parent", run_id="parent"):
        pass
    processes = [multiprocessing.get_context("fork").Process(target=work, args=(number,)) for number in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
"""


def test_each_process_of_a_program_has_its_file(tmp_path: Path) -> None:
    """Children of multiprocessing write all that happened in them before they end."""
    done = _program(tmp_path, POOL)
    runs = [[each["run_id"] for each in read(path)] for path in _files(tmp_path)]

    assert done.returncode == 0, done.stderr
    assert sorted(runs) == [["parent"] * 2, ["run-0"] * 2, ["run-1"] * 2, ["run-2"] * 2]


def test_an_audit_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    """One message, and the program does what it does."""
    (tmp_path / "logs").write_text("a file where the folder should be")
    done = _program(tmp_path, f"{RUNS}\nprint(otel_agents.health()['status'])")

    assert (done.returncode, done.stdout) == (0, "degraded\n")
    assert done.stderr.count("OTEL_AGENTS_AUDIT_FILE: cannot write to 'logs/audit.jsonl'") == 1
    assert len(done.stderr.splitlines()) == 1


KILLED = """
import os, sys
import otel_agents
from otel_agents import pipeline
number = 0
while True:
    with otel_agents.run("answer", run_id=f"{sys.argv[1]}-{number}", runtime="gateway"):
        pass
    pipeline.active().flush()
    os.write(1, f"{number}\\n".encode())
    number += 1
"""


@pytest.mark.slow
def test_sigkill_loses_nothing_that_was_flushed(tmp_path: Path) -> None:
    """Programs are killed at their work: both records of every run that they had flushed are in the file, whole."""
    for attempt in range(20):
        with subprocess.Popen(
            [sys.executable, "-c", KILLED, str(attempt)],
            cwd=tmp_path,
            env=environment(OTEL_AGENTS_AUDIT_FILE="logs/audit.jsonl"),
            stdout=subprocess.PIPE,
        ) as program:
            assert program.stdout is not None
            told = [int(program.stdout.readline()) for _ in range(attempt * 7 + 1)]
            program.kill()
            told += [int(line) for line in program.stdout.read().splitlines()]
            path = tmp_path / "logs" / f"audit-{program.pid}.jsonl"
        *whole, rest = path.read_bytes().split(b"\n")
        states = [(each["run_id"], each["state"]) for each in map(json.loads, whole)]
        expected = [(f"{attempt}-{number}", state) for number in told for state in ("start", "complete")]
        assert states[: len(expected)] == expected
        assert len(states) <= len(expected) + 2 + 2
        assert rest == b"" or len(rest) < 300
