"""The example of a gateway: its tree and numbers, and what `otel-agents run` shows of it."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from otel_agents.adapters.gateway import ADAPTER
from otel_agents.testing import Telemetry
from tests.adapters.examples import load, play
from tests.adapters.watching import watched

EXAMPLE = load("gateway")

TREE = """\
run front-desk: ok
  node clerk (agent): ok
run front-desk: ok
  node analyst (agent): ok
run front-desk: cancelled
  node analyst (agent): cancelled
run front-desk: ok
  node clerk (agent): ok
run front-desk: error
  node printer (agent): error
""".splitlines()

SAID = """\
bob by mail: replied Noted (0 before): I want a refund
bob by mail: skipped cooldown
ada by chat: replied The report on please is ready.
bob by chat: skipped filter_mismatch
cho by pager: skipped disabled
dee by fax: skipped no_rule
ada by chat: stopped Stopping 1.
ada by chat: cancelled
call: completed Noted (0 before): make three copies
call: failed ConnectionError
"""

METRICS = {
    "flex.run.transitions{runtime=gateway,state=start}": 5,
    "flex.run.transitions{runtime=gateway,state=complete}": 3,
    "flex.run.transitions{runtime=gateway,state=error}": 1,
    "flex.run.transitions{runtime=gateway,state=cancel_requested}": 1,
    "flex.run.transitions{runtime=gateway,state=cancelled}": 1,
    "flex.run.cancel.latency_count{runtime=gateway,source=stop_command}": 1,
    "flex.reaction.matches{channel=mail,rule=refund,runtime=gateway}": 1,
    "flex.reaction.matches{channel=chat,rule=report,runtime=gateway}": 2,
    "flex.reaction.skips{channel=mail,reason=cooldown,runtime=gateway}": 1,
    "flex.reaction.skips{channel=chat,reason=filter_mismatch,runtime=gateway}": 1,
    "flex.reaction.skips{channel=pager,reason=disabled,runtime=gateway}": 1,
    "flex.reaction.skips{channel=fax,reason=no_rule,runtime=gateway}": 1,
}


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    """Watch the example."""
    with watched(ADAPTER) as recorded:
        yield recorded


def test_the_example_is_a_tree_and_numbers(telemetry: Telemetry) -> None:
    """A short day: every kind of message once."""
    asyncio.run(EXAMPLE.day(EXAMPLE.build(0.0)))

    assert telemetry.tree() == TREE
    families = ("flex.run.transitions", "flex.run.cancel.latency_count", "flex.reaction")
    assert {name: n for name, n in telemetry.metrics().items() if name.startswith(families)} == METRICS


@pytest.mark.parametrize("window", ["channel", "gateway"])
def test_a_window_is_told_as_the_program_counts_it(window: str, telemetry: Telemetry) -> None:
    """Every message is a run or a skip, every call a run; a run that is cancelled was asked to and has obeyed."""
    plays: Any = {"channel": EXAMPLE.channel_window, "gateway": EXAMPLE.gateway_window}[window]
    found = asyncio.run(plays(EXAMPLE.build(0.0), 60, random.Random(3)))
    types = Counter(telemetry.event_types())
    statuses = Counter(event.status for event in telemetry.events if event.type == "complete")

    assert types["start"] + types["reaction_skipped"] == sum(found.values()) == 60
    assert (types["start"], types["reaction_skipped"]) == (sum(statuses.values()), found["skipped"])
    assert statuses["completed"] == found["completed"] + found["replied"]
    assert (statuses["cancelled"], statuses["failed"]) == (found["cancelled"], found["failed"])
    assert types["cancel_requested"] >= types["cancel_acknowledged"] == found["cancelled"]
    assert (found["cancelled"] > 0) == (window == "gateway")


def test_the_same_seed_sends_the_same_messages() -> None:
    """So that a window can be made again; another seed makes another."""
    first, again, other = (
        asyncio.run(EXAMPLE.channel_window(EXAMPLE.build(0.0), 60, random.Random(seed))) for seed in (3, 3, 4)
    )
    assert first == again != other


def test_the_program_says_the_same_watched_and_the_tree_goes_to_stderr() -> None:
    """`otel-agents run` changes nothing of it, and shows runs, rules, skips and the stop."""
    bare, shown = play("gateway"), play("gateway", watched=True)
    assert (bare.returncode, bare.stdout, bare.stderr) == (0, SAID, "")
    assert (shown.returncode, shown.stdout) == (0, SAID)
    for expected in (
        "├─ · rule refund matched",
        "· no rule matched: filter_mismatch  2 candidates",
        "├─ ⊘ cancel requested by stop_command",
        "└─ ✗ printer  agent, failed: ConnectionError",
    ):
        assert [line for line in shown.stderr.splitlines() if line.startswith(expected)]
    assert shown.stderr.splitlines()[-1] == (
        "otel-agents: 5 runs (1 cancelled, 3 completed, 1 failed), 5 nodes (1 failed)"
    )
