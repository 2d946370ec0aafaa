"""A process that ends itself by a signal, as uvicorn does once it has shut down: what it did is sent before."""

from __future__ import annotations

import pickle
import signal
from pathlib import Path

import pytest

from otel_agents.patching.apply import apply
from otel_agents.pipeline.leaving import ENDING, LEAVING
from tests.proof.programs import instrumented, run, sending, write
from tests.receiver import Receiver, receiving

WORK = """
import signal, sys
import otel_agents

with otel_agents.run("done"):
    pass
scope = otel_agents.run("open")
scope.__enter__()
"""
LATE = {"OTEL_BSP_SCHEDULE_DELAY": "600000", "OTEL_BLRP_SCHEDULE_DELAY": "600000"}


def sent(tmp_path: Path, program: str) -> tuple[int, str, Receiver]:
    """Run a program whose telemetry leaves at its end only, and compare how it ends with how it ends without us."""
    path = write(tmp_path, WORK + program)
    bare = run(path)
    with receiving() as receiver:
        done = instrumented(path, env=sending(receiver.endpoint, **LATE))
    assert (done.returncode, done.stdout, done.stderr) == (bare.returncode, bare.stdout, bare.stderr)
    return done.returncode, done.stdout, receiver


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGQUIT"])
def test_what_was_done_is_sent_and_what_is_open_is_ended(name: str, tmp_path: Path) -> None:
    """The signal is the end, as it is without us, and everything has arrived."""
    code, _, receiver = sent(tmp_path, f"signal.raise_signal(signal.{name})\n")

    assert code == -getattr(signal, name)
    assert sorted(span.name for span in receiver.spans) == ["flex.run done", "flex.run open"]
    assert [each.event_name for each in receiver.logs] == ["flex.start", "flex.complete"] * 2
    assert {metric.name for metric in receiver.metrics} > {"flex.run.status"}


def test_a_signal_that_somebody_handles_is_no_end(tmp_path: Path) -> None:
    """Nothing is sent or ended before the program goes on; it ends as ever."""
    program = """
signal.signal(signal.SIGTERM, lambda *_: print("handled"))
signal.raise_signal(signal.SIGTERM)
scope.__exit__(None, None, None)
print("ends")
"""
    code, said, receiver = sent(tmp_path, program)

    assert (code, said) == (0, "handled\nends\n")
    assert [each.event_name for each in receiver.logs] == ["flex.start", "flex.complete"] * 2


def test_wrong_arguments_raise_what_they_raise() -> None:
    """The function is still itself: it takes no keyword, no text and no number that is no signal, and is put back."""
    before = signal.raise_signal
    applied = apply(LEAVING)
    try:
        assert signal.raise_signal is not before
        assert pickle.loads(pickle.dumps(signal.raise_signal)) is signal.raise_signal
        for wrong, kind in (((), TypeError), (("x",), TypeError), ((9999,), (ValueError, OSError))):
            with pytest.raises(kind):
                signal.raise_signal(*wrong)
    finally:
        applied.undo()

    assert signal.raise_signal is before
    assert signal.SIGTERM in ENDING


def test_no_choice_of_frameworks_costs_what_is_not_sent_yet(tmp_path: Path) -> None:
    """With none of them watched, what the program told itself is sent before the signal ends it."""
    path = write(tmp_path, f"{WORK}signal.raise_signal(signal.SIGTERM)\n")
    with receiving() as receiver:
        done = instrumented(path, env=sending(receiver.endpoint, **LATE, OTEL_AGENTS_ADAPTERS="none"))

    assert (done.returncode, done.stderr) == (-signal.SIGTERM, "")
    assert sorted(span.name for span in receiver.spans) == ["flex.run done", "flex.run open"]
