from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from otel_agents.bus import pipe
from otel_agents.bus.event import Place
from otel_agents.bus.hub import Hub
from tests.bus.making import event, numbered

LONG_S = 5.0
ROOT = Path(__file__).parents[2]


@pytest.fixture
def ends() -> Iterator[tuple[int, int]]:
    """The two ends of a pipe."""
    reading, writing = os.pipe()
    yield reading, writing
    for fd in (reading, writing):
        try:
            os.close(fd)
        except OSError:
            pass


def _lines(fd: int) -> list[dict[str, Any]]:
    os.set_blocking(fd, False)
    data = b""
    try:
        while chunk := os.read(fd, 1 << 20):
            data += chunk
    except BlockingIOError:
        pass
    return [json.loads(one) for one in data.decode().splitlines()]


def test_a_line_is_the_event_and_its_place(hub: Hub, ends: tuple[int, int]) -> None:
    """The first line greets; an event's line is its JSON form, with the operation beside it."""
    reading, writing = ends
    pipe.attach(hub, writing)
    here = event(id="7", place=Place(3, 2, "node", "draft", (10, 20)), payload={"kind": "agent"})
    hub.publish(here)
    hub.publish(event(id="8", place=Place(1, 0, "run", "notes")))
    hub.publish(event(id="9"))
    assert hub.flush(LONG_S)

    hello, first, second, third = _lines(reading)

    assert hello == {"hello": os.getpid()}
    operation = {"id": 3, "kind": "node", "name": "draft", "parent": 2, "tokens": [10, 20]}
    assert first == {**here.as_dict(), "operation": operation}
    assert second["operation"] == {"id": 1, "kind": "run", "name": "notes"}
    assert "operation" not in third


def test_the_json_form_of_an_event_knows_no_place() -> None:
    """What other subscribers see stays the contract's envelope."""
    assert "operation" not in event(place=Place(1, 0, "run", "notes")).as_dict()


@pytest.mark.parametrize("fd", [-1, 2**40, 987])
def test_a_number_that_is_no_open_file_is_left_alone(hub: Hub, fd: int) -> None:
    """A process that did not inherit the pipe goes on without it."""
    assert pipe.attach(hub, fd) is None
    assert not hub.active


def test_a_process_that_did_not_inherit_the_pipe_finds_it_by_name(hub: Hub, tmp_path: Path) -> None:
    """The number means nothing there; what is no pipe, or has no reader, is left alone."""
    path, file = tmp_path / "live", tmp_path / "file"
    os.mkfifo(path)
    file.write_text("mine")
    for wrong in (path, file, tmp_path / "nowhere"):
        assert pipe.attach(hub, 987, str(wrong)) is None
    reading = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert pipe.attach(hub, 987, str(path)) is not None
        hub.publish(event(id="7"))
        assert hub.flush(LONG_S)
        assert [line.get("id") for line in _lines(reading)] == [None, "7"]
    finally:
        os.close(reading)

    assert file.read_text() == "mine"


def test_other_files_are_never_written_to(hub: Hub, ends: tuple[int, int], tmp_path: Any) -> None:
    """Neither a file nor the reading end of a pipe is mistaken for the pipe."""
    with (tmp_path / "file").open("w") as file:
        assert pipe.attach(hub, file.fileno()) is None
    assert pipe.attach(hub, ends[0]) is None
    assert (tmp_path / "file").read_text() == ""


def test_a_number_that_now_means_another_file_is_left_alone(hub: Hub, ends: tuple[int, int]) -> None:
    """When the host closed the pipe and the number was given out again, nothing is written there."""
    other_reading, other_writing = os.pipe()
    pipe.attach(hub, ends[1])
    os.dup2(other_writing, ends[1])
    hub.publish(numbered(1))
    assert hub.flush(LONG_S)

    assert _lines(other_reading) == []
    assert not hub.active
    os.close(other_reading)
    os.close(other_writing)


def test_a_closed_pipe_ends_the_subscription_without_a_word(hub: Hub, ends: tuple[int, int]) -> None:
    """The watcher is gone: we leave the hub, nobody is told of a failure."""
    pipe.attach(hub, ends[1])
    os.close(ends[0])
    hub.publish(numbered(1))
    assert hub.flush(LONG_S)

    assert not hub.active
    assert hub.failed == {}


def test_a_reader_that_stands_still_costs_lines_that_are_counted(
    hub: Hub, ends: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What does not fit is lost as whole lines, and their number is told before the next line that fits."""
    monkeypatch.setattr(pipe, "PATIENCE_S", 0.01)
    reading, writing = ends
    pipe.attach(hub, writing)
    for number in range(90):
        hub.publish(event(payload={"number": number, "text": "x" * 1500}))
    assert hub.flush(LONG_S)
    before = _lines(reading)
    hub.publish(numbered(90))
    assert hub.flush(LONG_S)
    after = _lines(reading)

    shown = [one["payload"]["number"] for one in (*before, *after) if "payload" in one]
    assert shown == [*range(len(shown) - 1), 90]
    assert len(shown) < 91
    assert [one["lost"] for one in after if "lost" in one] == [91 - len(shown)]


def test_a_line_that_is_too_long_loses_its_lists_and_long_texts(
    hub: Hub, ends: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fact itself is told however much it holds."""
    monkeypatch.setattr(pipe, "LINE_BYTES", 1500)
    pipe.attach(hub, ends[1])
    hub.publish(event("plan_generated", payload={"version": 1, "nodes": ["n" * 10] * 200, "reason": "r" * 2000}))
    assert hub.flush(LONG_S)

    _, told = _lines(ends[0])
    assert told["type"] == "plan_generated"
    assert told["payload"] == {"version": 1, "reason": "r" * pipe.TEXT}


def _child(writing: int, body: str) -> subprocess.CompletedProcess[str]:
    code = f"""
        import os, sys
        from otel_agents.bus import pipe
        from otel_agents.bus.hub import Hub
        from tests.bus.making import event, numbered
        hub = Hub()
        pipe.attach(hub, {writing})
    """
    command = [sys.executable, "-c", textwrap.dedent(code) + textwrap.dedent(body)]
    return subprocess.run(
        command, pass_fds=[writing], capture_output=True, text=True, timeout=30, check=False, cwd=ROOT
    )


def test_the_tail_is_written_at_exit(ends: tuple[int, int]) -> None:
    """What was published last before the interpreter ends arrives."""
    done = _child(ends[1], "for number in range(200): hub.publish(numbered(number))")

    assert (done.returncode, done.stderr) == (0, "")
    numbers = [one["payload"]["number"] for one in _lines(ends[0]) if "payload" in one]
    assert numbers == [*range(200)]


def test_a_reader_that_stands_still_delays_the_exit_by_seconds_at_most(ends: tuple[int, int]) -> None:
    """The host ends although nobody reads."""
    began_s = time.monotonic()
    done = _child(ends[1], "for number in range(2000): hub.publish(event(payload={'text': 'x' * 1000}))")

    assert (done.returncode, done.stderr) == (0, "")
    assert time.monotonic() - began_s < pipe.FLUSH_S + pipe.PATIENCE_S + 5


def test_forked_processes_share_the_pipe_line_by_line(ends: tuple[int, int]) -> None:
    """Parent and child write at once, and every line arrives whole."""
    body = """
        child = os.fork()
        for number in range(30):
            hub.publish(event(id=f"{os.getpid()}-{number}", payload={"list": ["x"] * 3000, "number": number}))
        hub.flush(5.0)
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
    """
    done = _child(ends[1], body)

    assert (done.returncode, done.stderr) == (0, "")
    told = [one for one in _lines(ends[0]) if "payload" in one]
    by_process: dict[str, list[int]] = {}
    for one in told:
        by_process.setdefault(one["id"].split("-")[0], []).append(one["payload"]["number"])
    assert sorted(by_process.values()) == [[*range(30)], [*range(30)]]


def test_what_the_hub_dropped_for_us_is_told_as_lost(ends: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that publishes faster than the pipe takes loses the oldest events, and the reader hears how many."""
    monkeypatch.setattr(pipe, "QUEUE_SIZE", 5)
    small = Hub()
    pipe.attach(small, ends[1])
    gate = threading.Event()
    small.subscribe(lambda one: gate.wait(LONG_S), name="gate", queue_size=1000)
    for number in range(100):
        small.publish(numbered(number))
    gate.set()
    assert small.flush(LONG_S)
    small.publish(numbered(100))
    assert small.flush(LONG_S)

    told = _lines(ends[0])
    shown = [one["payload"]["number"] for one in told if "payload" in one]
    assert sum(one["lost"] for one in told if "lost" in one) == 101 - len(shown) > 0
    assert shown[-1] == 100
    small.close(LONG_S)
