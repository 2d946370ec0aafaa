"""The example program of the OpenAI Agents SDK, in every way to run it."""

from __future__ import annotations

import asyncio
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from otel_agents.testing import Telemetry
from tests.adapters.assistants import RESUMES_IN_AGENT, approve, streamed
from tests.adapters.examples import EXAMPLES, play

NAME = "openai_agents_app"
MODES = ("run", "run_streamed")

PAUSED = """
run triage: paused
  node triage (agent): ok
    policy polite: ok
    node model (step): ok
    node look_up_order (tool): ok
      policy hide_cards: ok
    node model (step): ok
  handoff refunds: ok
  node refunds (agent): paused
    node model (step): ok
    node ask_lawyer (tool): ok
      node lawyer (agent): ok
        node model (step): ok
    node read_ledger (tool): error
    node model (step): ok
""".strip().splitlines()
DONE = ["run triage: ok", "  node refunds (agent): ok", "    node refund (tool): ok", "    node model (step): ok"]
if not RESUMES_IN_AGENT:
    DONE[1:3] = ["  node refund (tool): ok", DONE[1]]


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return the desk of the example, whose modules find each other by their plain names."""
    monkeypatch.syspath_prepend(str(EXAMPLES / NAME))
    for name in ("scripted", "desk"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    spec = importlib.util.spec_from_file_location("desk", EXAMPLES / NAME / "desk.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "desk", module)
    spec.loader.exec_module(module)
    return module


async def _run(start: Any, given: Any, mode: str) -> Any:
    from agents import Runner

    return await (streamed(start, given) if mode == "run_streamed" else Runner.run(start, given))


@pytest.mark.parametrize("mode", MODES)
def test_example_is_the_same_tree_in_every_mode(mode: str, desk: Any, seen: Telemetry) -> None:
    """A handoff, an agent as a tool, a failure, tries, guardrails and an approval, each once."""
    start = desk.build()
    waits = asyncio.run(_run(start, "I want my money back", mode))
    done = asyncio.run(_run(start, approve(waits), mode))

    assert done.final_output == desk.Receipt(order="A-17", euros=49, note="On its way.")
    assert seen.tree() == [*PAUSED, *DONE]
    types = [event.type for event in seen.events]
    once = ("handoff", "node_retry", "policy_triggered", "hitl_request", "hitl_resolved")
    assert {name: types.count(name) for name in once} == dict.fromkeys(once, 1)


@pytest.mark.parametrize("mode", MODES)
def test_the_program_is_the_same_watched_or_not(mode: str) -> None:
    """It prints what it prints, and what happened stands beside it."""
    arguments = ("--pace", "0", "--mode", mode, "--decision", "reject")
    bare, ours = play(NAME, *arguments), play(NAME, *arguments, watched=True)

    assert (ours.returncode, ours.stdout) == (bare.returncode, bare.stdout) == (0, bare.stdout)
    assert "We are sorry." in bare.stdout
    for line in ("support-desk / triage -> refunds", "human: rejected  refund", "attempt 2 after ConnectionError"):
        assert line in ours.stderr


def test_the_program_goes_on_in_another_process(tmp_path: Path) -> None:
    """The state of a run that waits is a file."""
    state = tmp_path / "state.json"
    waits = play(NAME, "--pace", "0", "--until-approval", "--state", str(state))
    done = play(NAME, "--pace", "0", "--resume", str(state))

    assert waits.stdout.startswith("Waiting for approval"), waits.stderr
    assert "On its way." in done.stdout, done.stderr


def test_the_program_does_not_know_of_us() -> None:
    """Neither the program nor what it imports names the package."""
    found = [path.name for path in (EXAMPLES / NAME).glob("*.py") if "otel" in path.read_text()]

    assert found == []
    assert subprocess.run([sys.executable, EXAMPLES / NAME / "app.py", "--help"], check=False).returncode == 0
