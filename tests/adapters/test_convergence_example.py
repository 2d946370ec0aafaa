"""The example of a converging run: its tree and story, and what `otel-agents run` shows of it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import pytest

from otel_agents.adapters.convergence import ADAPTER
from otel_agents.runtime.convergence import Answer, Task
from otel_agents.testing import Telemetry
from tests.adapters.examples import load, play
from tests.adapters.watching import watched

EXAMPLE = load("convergence")
ROUND = """\
  iteration: ok
    phase build: ok
    phase snapshot: ok
    phase verify: ok
      gate tests: ok
      gate docs: ok
      gate approval: ok
    phase feedback: ok
"""
TREE = f"""\
run slugify: paused
{ROUND}{ROUND}  iteration: paused
    phase build: ok
    phase snapshot: ok
    phase verify: paused
      gate tests: ok
      gate docs: ok
      gate approval: paused
run slugify: ok
  iteration: ok
    phase verify: ok
      gate approval: ok
  delivery: ok
""".splitlines()

METRICS = {
    "flex.run.status{runtime=convergence,status=awaiting_hitl}": 1,
    "flex.run.status{runtime=convergence,status=completed}": 1,
    "flex.run.duration_count{runtime=convergence,status=awaiting_hitl}": 1,
    "flex.run.duration_count{runtime=convergence,status=completed}": 1,
    "flex.run.transitions{runtime=convergence,state=start}": 1,
    "flex.run.transitions{runtime=convergence,state=paused}": 1,
    "flex.run.transitions{runtime=convergence,state=resumed}": 1,
    "flex.run.transitions{runtime=convergence,state=complete}": 1,
    "flex.iteration.duration_count{outcome=ok,runtime=convergence}": 3,
    "flex.iteration.duration_count{outcome=paused,runtime=convergence}": 1,
    "flex.phase.duration_count{outcome=ok,phase=build,runtime=convergence}": 3,
    "flex.phase.duration_count{outcome=ok,phase=snapshot,runtime=convergence}": 3,
    "flex.phase.duration_count{outcome=ok,phase=verify,runtime=convergence}": 3,
    "flex.phase.duration_count{outcome=paused,phase=verify,runtime=convergence}": 1,
    "flex.phase.duration_count{outcome=ok,phase=feedback,runtime=convergence}": 2,
    "flex.gate.checks{gate=tests,passed=false,runtime=convergence}": 2,
    "flex.gate.checks{gate=tests,passed=true,runtime=convergence}": 1,
    "flex.gate.checks{gate=docs,passed=false,runtime=convergence}": 2,
    "flex.gate.checks{gate=docs,passed=true,runtime=convergence}": 1,
    "flex.gate.checks{gate=approval,passed=false,runtime=convergence}": 2,
    "flex.gate.checks{gate=approval,passed=true,runtime=convergence}": 1,
    "flex.delivery.duration_count{outcome=ok,runtime=convergence}": 1,
    "flex.hitl.requests{runtime=convergence}": 1,
    "flex.hitl.resolved{decision=approved,runtime=convergence}": 1,
    "flex.hitl.wait.duration_count{decision=approved,runtime=convergence}": 1,
}

SAID = """\
May this go out? approved
iteration 1: tests failed, docs failed, approval failed
iteration 2: tests failed, docs failed, approval failed
iteration 3: tests passed, docs passed, approval passed
succeeded: converged
"""


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    """Watch the example."""
    with watched(ADAPTER) as recorded:
        yield recorded


def _play(**changes: Any) -> str:
    run = EXAMPLE.build(0.0).start(Task(**{"goal": EXAMPLE.GOAL, "max_iterations": 4, **changes}))
    return str(asyncio.run(EXAMPLE.play(run, Answer())).status)


def test_the_example_is_a_tree_and_numbers(telemetry: Telemetry) -> None:
    """Three rounds, a question in the third, the answer, the delivery; every metric has exactly their counts."""
    assert _play() == "succeeded"

    assert telemetry.tree() == TREE
    of_process = ("yolo_cpu_usage_percent", "yolo_memory_usage_mb")
    found = {n: v for n, v in telemetry.metrics().items() if "_sum{" not in n and n not in of_process}
    assert found == METRICS


def test_the_program_says_the_same_watched_and_the_tree_goes_to_stderr() -> None:
    """`otel-agents run` changes nothing of it, and shows iterations, phases, gates, the question and the delivery."""
    bare, shown = play("convergence"), play("convergence", watched=True)
    assert (bare.returncode, bare.stdout, bare.stderr) == (0, SAID, "")
    assert (shown.returncode, shown.stdout) == (0, SAID)
    lines = [re.sub(r"  +", "  ", line) for line in shown.stderr.splitlines()]
    for expected in (
        "├─ ! iteration 1  of 4, not passed",
        "│  ├─ ! phase verify  not passed",
        "│  │  ├─ ! gate tests  not passed",
        "├─ ‖ iteration 3  of 4, paused",
        "├─ ✓ iteration 3  of 4",
        "└─ ✓ delivery  file:///",
    ):
        assert [line for line in lines if line.replace("│ ", "│  ").startswith(expected) or line.startswith(expected)]
    assert lines[-1].startswith("otel-agents: 1 run (1 completed, 1 pause), 0 nodes, 1 question to a human")


@pytest.mark.parametrize(
    ("arguments", "last"),
    [
        (("--decision", "rejected"), "failed: max_iterations"),
        (("--strategy", "fixed"), "succeeded: converged"),
        (("--pace", "30", "--cancel-after", "0.05"), "cancelled: cancelled by operator"),
    ],
)
def test_the_program_can_end_otherwise(arguments: tuple[str, ...], last: str) -> None:
    """As its own help says."""
    done = play("convergence", *arguments)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, last)
