from __future__ import annotations

import asyncio
import math
import random
from typing import Any

from otel_agents.adapters.yolo import ADAPTER
from otel_agents.patching.apply import apply
from otel_agents.testing import Telemetry, capture
from tests.benchmarks.crew import ROLES, team, told, told_team
from tests.benchmarks.crewfloor import CrewFloor
from tests.benchmarks.measuring import interval

BEYOND = {"gen_ai.operation.name", "gen_ai.agent.name"}  # the floor is leaner by these
LOOKED_UP = ("yolo_agent", "yolo_context", "yolo_cpu", "yolo_memory", "otel_agents", "flex.hitl", "flex.run.oldest")


def test_the_team_that_is_measured_does_what_is_said():
    """Each role takes its turn and hands on to the next, whether it is watched or tells by hand."""
    with capture() as telemetry:
        applied = apply(ADAPTER)
        asyncio.run(team(0).run("crew", steps=ROLES[:1]))
        applied.undo()
        zero_code = telemetry.tree()
        telemetry.reset()
        told(0)

    turns = [f"  node {role} (agent): ok" for role in ROLES]
    handoffs = [f"  handoff {role}: ok" for role in ROLES[1:]]
    assert zero_code == telemetry.tree() == [
        "run crew: ok", turns[0], *(line for pair in zip(handoffs, turns[1:], strict=True) for line in pair)
    ]  # fmt: skip


def shapes(telemetry: Telemetry) -> tuple[list[Any], list[Any], list[Any]]:
    """Return what was recorded, without the values that differ from run to run; gauges and counted time left out."""
    spans = [(span.name, sorted(set(span.attributes or {}) - BEYOND)) for span in telemetry.spans]
    logs = [(log.log_record.event_name, sorted(log.log_record.attributes or {})) for log in telemetry.logs]
    measured = [(name, value) for name, value in telemetry.metrics().items() if not name.startswith(LOOKED_UP)]
    counts = [(name, value) for name, value in measured if "_sum" not in name]
    return sorted(spans), sorted(logs), sorted(counts)


def test_the_hand_written_floor_makes_the_same_records():
    """The same spans and log records with the same attributes, and the same measurements, as of a watched team."""
    with capture() as telemetry:
        applied = apply(ADAPTER)
        crew = team(0)
        asyncio.run(crew.run("crew", steps=ROLES[:1]))
        telemetry.reset()  # the first time the team and its agents introduce themselves, too
        asyncio.run(crew.run("crew", steps=ROLES[:1]))
        applied.undo()
        watched = shapes(telemetry)
    telemetry = Telemetry()
    asyncio.run(told_team(0, CrewFloor(telemetry))())

    assert shapes(telemetry) == watched
    assert [len(records) for records in watched[:2]] == [10, 17]


def test_the_interval_of_a_median_is_by_ranks():
    """Of 60 values it lies between the 22nd and the 39th; of few values it is all of them."""
    assert interval([float(value) for value in range(60, 0, -1)]) == (22, 39)
    assert interval([3.0, 1.0, 2.0]) == (1, 3)


def test_the_interval_holds_the_median_as_often_as_it_says():
    """Of many samples of a skewed distribution, no less than 95% have the true median in it, and not all."""
    chance = random.Random(1)
    held = 0
    for _ in range(2000):
        low, high = interval([chance.expovariate(1) for _ in range(31)])
        held += low <= math.log(2) <= high

    assert 0.95 <= held / 2000 < 0.98
