"""What a program has for itself: in no signal, page, line, pipe or store, unless content is asked for there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.need import require_module
from tests.proof.programs import INSTRUMENT, ROOT, sending
from tests.receiver import Receiver, receiving

pytestmark = pytest.mark.proof

require_module("langgraph_swarm", "demo")

CANARY, SECRET = "canary-7f3a", "hunter2-99c1"
OF_THE_HOST = "Retrying task flaky"  # LangGraph's own log line, which quotes the exception
SPANS = {
    "flex.node boom": 1,
    "flex.node fails": 1,
    "flex.node groups": 1,
    "flex.iteration": 1,
    "flex.node by hand": 1,
    "flex.run by hand": 1,
}
EVENTS = {
    "flex.start": 1,
    "flex.complete": 3,
    "flex.plan_generated": 1,
    "flex.node_error": 5,
    "flex.iteration_started": 1,
    "flex.reaction_matched": 1,
}
MODES = [
    ("NO_CONTENT", {}, {}),
    ("SPAN_ONLY", SPANS, {}),
    ("EVENT_ONLY", {}, EVENTS),
    ("SPAN_AND_EVENT", {**SPANS, "flex.plan": 1}, EVENTS),
]


class Seen:
    """All that left the program."""

    def __init__(self, folder: Path, mode: str) -> None:
        self.store = folder / "pauses.sqlite"
        self.receiver = Receiver()
        self.live: list[str] = []
        reading, writing = os.pipe()
        with receiving() as self.receiver, os.fdopen(reading) as pipe:
            reader = threading.Thread(target=lambda: self.live.extend(pipe))
            reader.start()
            environ = sending(
                self.receiver.endpoint,
                OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=mode,
                OTEL_AGENTS_EVENT_LOG="stderr",
                OTEL_AGENTS_PAUSE_STORE=f"sqlite:///{self.store}",
                OTEL_AGENTS_LIVE_FD=str(writing),
                MY_TOKEN=CANARY,
                PYTHONPATH=str(ROOT),
            )
            program = [INSTRUMENT, sys.executable, str(Path(__file__).with_name("canary.py"))]
            with subprocess.Popen(
                program, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, pass_fds=[writing]
            ) as process:
                os.close(writing)
                self.output, stderr = process.communicate(timeout=100)
            reader.join()
        self.stderr = stderr.splitlines()
        assert process.returncode == 0, stderr

    def lines(self) -> list[str]:
        """Return what stands on stderr; the lines that LangGraph itself logs there are left out."""
        return [line for line in self.stderr if not line.startswith("ConnectionError:") and OF_THE_HOST not in line]

    def records(self) -> list[Any]:
        """Return the log records but for those of the host's own lines."""
        return [each for each in self.receiver.logs if not each.body.string_value.startswith(OF_THE_HOST)]


def quoting(word: str, items: list[Any]) -> list[Any]:
    return [each for each in items if word in str(each)]


@pytest.mark.parametrize(("mode", "spans", "events"), MODES, ids=[mode[0].lower() for mode in MODES])
def test_a_canary_is_seen_only_where_content_is_asked_for(
    tmp_path: Path, mode: str, spans: dict[str, int], events: dict[str, int]
) -> None:
    """Inputs, outputs, messages, arguments, metadata and environment stand nowhere but where the mode says."""
    seen = Seen(tmp_path, mode)
    assert seen.output.split() == ["ValueError", "Noted", "ExceptionGroup", "ValueError"]
    assert Counter(span.name for span in quoting(CANARY, seen.receiver.spans)) == spans
    assert Counter(record.event_name for record in quoting(CANARY, seen.records())) == events
    assert quoting(CANARY, seen.receiver.metrics) == []
    assert len(quoting(CANARY, seen.lines())) == sum(events.values())
    # Beside these, the events of the run that has a session carry it.
    assert len(quoting(CANARY, seen.live)) == (sum(events.values()) + 4 if events else 0)
    assert CANARY.encode() not in seen.store.read_bytes()


@pytest.mark.parametrize("mode", ["NO_CONTENT", "SPAN_AND_EVENT"])
def test_a_secret_is_seen_nowhere(tmp_path: Path, mode: str) -> None:
    """A password in what may be recorded is redacted, also where content is asked for."""
    seen = Seen(tmp_path, mode)
    everything = (seen.receiver.spans, seen.records(), seen.receiver.metrics, seen.live, seen.lines())
    assert [quoting(SECRET, items) for items in everything] == [[]] * 5
    assert SECRET.encode() not in seen.store.read_bytes()
    assert any(re.search(r"password=\[redacted\]", line) for line in seen.live) == (mode != "NO_CONTENT")


def test_our_own_complaints_quote_nothing(tmp_path: Path) -> None:
    """What the guard says of our own failures is where they happened, and never what was said."""
    seen = Seen(tmp_path, "NO_CONTENT")
    complaints = [line for line in seen.stderr if "otel-agents swallowed" in line]
    assert any("builtins.RuntimeError at proof.guard" in line for line in complaints)
    assert quoting(CANARY, complaints) == []
