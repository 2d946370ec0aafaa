"""Whole programs, bare and under opentelemetry-instrument: output, exit code and children are the same."""

from __future__ import annotations

import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.need import require_module
from tests.proof.programs import ROOT, Done, instrumented, quiet, run, sending
from tests.receiver import Receiver, receiving
from tests.transparency.situations import HOSTS
from tests.transparency.telling import steady, stripped
from tests.transparency.test_same import NEEDS, TARGETS

pytestmark = [
    pytest.mark.proof,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork, which this system does not have"),
]

CODES = {"nothing": 0, "error": 1, "leave": 7, "interrupt": -2, "left_open": 0, "processes": 0}
CATCHES = {"flex", "convergence", "gateway"}  # runtimes that make an answer of what a step raises
SETTINGS = {"OTEL_AGENTS_CONFIG": str(TARGETS), "PYTHONPATH": str(ROOT)}


def pair(name: str, ending: str) -> tuple[Done, Done, Receiver]:
    """Run a program twice, side by side: as it is, and watched with all that it tells received."""
    arguments = "-m", "tests.transparency", name, ending
    with receiving() as receiver, ThreadPoolExecutor(2) as pool:
        bare = pool.submit(run, *arguments, env=quiet(PYTHONPATH=str(ROOT)), cwd=ROOT)
        ours = pool.submit(instrumented, *arguments, env=sending(receiver.endpoint, **SETTINGS), cwd=ROOT)
        return bare.result(), ours.result(), receiver


def lines(text: str) -> list[str]:
    """Return the lines of an output without frames of ours, what chance puts there, and what an exporter logs."""
    return [line for line in steady(stripped(text)).splitlines() if " urllib3." not in line]


def events(receiver: Receiver) -> Counter[str]:
    return Counter(record.event_name for record in receiver.logs if record.event_name)


@pytest.mark.parametrize("ending", CODES)
@pytest.mark.parametrize("name", HOSTS)
def test_a_program_ends_as_it_would(name: str, ending: str) -> None:
    """Exit code, stdout and stderr are the same; whatever run began has ended in what arrives, too."""
    if name in NEEDS:
        require_module(*NEEDS[name])
    bare, ours, receiver = pair(name, ending)

    assert ours.returncode == bare.returncode
    assert bare.returncode == CODES[ending] or name in CATCHES
    assert lines(ours.stdout) == lines(bare.stdout)
    if not (HOSTS[name].forgets and ending == "leave"):
        assert lines(ours.stderr) == lines(bare.stderr)
    told = events(receiver)
    assert told["flex.start"] == told["flex.complete"] > 0
    assert {span.name.partition(" ")[0] for span in receiver.spans} >= {"flex.run"}
