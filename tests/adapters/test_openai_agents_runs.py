"""Runs of the OpenAI Agents SDK: what they are called, how they nest, and every way in which they end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from otel_agents.adapters.openai_agents import ADAPTER
from otel_agents.testing import Telemetry
from tests.adapters.assistants import WAYS, approve, support
from tests.adapters.watching import watched

EVERY_WAY = pytest.mark.parametrize("way", WAYS)


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    """Watch the SDK."""
    with watched(ADAPTER) as recorded:
        yield recorded


TREE = """
run triage: paused
  node triage (agent): ok
    node model (step): ok
    node ping (tool): ok
    node ask (tool): ok
      node helper (agent): ok
        node model (step): ok
        node ping (tool): ok
        node model (step): ok
    node model (step): ok
  handoff billing: ok
  node billing (agent): paused
    node model (step): ok
run triage: ok
  node billing (agent): ok
    node refund (tool): ok
    node model (step): ok
    node boom (tool): error
    node model (step): ok
"""


@EVERY_WAY
def test_a_run_is_its_agents_turns_tools_and_handoffs(way: str, telemetry: Telemetry) -> None:
    """However it is run, the tree of a run that pauses and goes on is the same."""
    team = support()
    waits = WAYS[way](team)
    done = WAYS[way](team, approve(waits))

    assert done.final_output == "done"
    assert "\n".join(telemetry.tree()) == TREE.strip()
