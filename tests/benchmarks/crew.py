"""What a crew of roles costs that hand their work on: watched without its knowledge, told by hand, hand-written."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator
from itertools import pairwise
from typing import Any, Final, NamedTuple

import otel_agents
from otel_agents import pipeline
from otel_agents.adapters.yolo import ADAPTER
from otel_agents.config import Config
from otel_agents.patching.apply import Applied, apply
from otel_agents.runtime.yolo import Agent, Handoff, Orchestrator, Turn
from tests.benchmarks.crewfloor import CrewFloor
from tests.benchmarks.measuring import Case, Row, compare, in_turn, interval, micros
from tests.benchmarks.providers import Sdk

ROLES: Final = ("analyst", "architect", "developer", "reviewer", "tester")
FOLLOWING: Final = dict(pairwise(ROLES))
CLOCKS: Final = {"CPU": time.process_time, "wall": time.perf_counter}
PIECE: Final = 2000
WATCHED, FLOOR, BARE = "watched", "floor", "bare"


class Load(NamedTuple):
    """How much a role works at each step, how many crews work in a round, how often, and the goal."""

    millis: float
    crews: int
    more_rounds: int
    goal: float | None


LOADS: Final = (Load(20, 3, 3, 1.02), Load(2, 20, 3, None), Load(0, 100, 2, None))


def work(seconds: float) -> None:
    """Compute for as long; measured in this thread's own time, so that what others do is not taken for work."""
    until = time.thread_time() + seconds if seconds else 0
    while seconds and time.thread_time() < until:
        sum(range(PIECE))  # between two looks at a clock that may cost a system call


# A team, which does not know whether it is watched


def team(seconds: float) -> Orchestrator:
    """Return a crew in which each role works and hands on to the next."""

    async def step(turn: Turn) -> Handoff | None:
        work(seconds)
        to_agent = FOLLOWING.get(turn.agent)
        return Handoff(to_agent) if to_agent is not None else None

    return Orchestrator([Agent(role, step) for role in ROLES])


# The same team, with telemetry written into it


def told_team(seconds: float, floor: CrewFloor) -> Callable[[], Coroutine[Any, Any, None]]:
    """Return a function that runs the same crew, in which each role tells what it does in the leanest way."""

    async def step(turn: Turn) -> Handoff | None:
        told = floor.turn(turn.agent)
        work(seconds)
        floor.over(told)
        to_agent = FOLLOWING.get(turn.agent)
        if to_agent is None:
            return None
        floor.hand_on(turn.agent, to_agent)
        return Handoff(to_agent)

    crew = Orchestrator([Agent(role, step) for role in ROLES])

    async def run() -> None:
        begun = floor.begin()
        await crew.run("crew", steps=ROLES[:1])
        floor.finish(begun)

    return run


class Watching:
    """Puts the adapter into force before a round, or takes it out."""

    def __init__(self) -> None:
        self._applied: Applied | None = None

    def on(self) -> None:
        """Watch."""
        self._applied = apply(ADAPTER)

    def off(self) -> None:
        """Leave the team as it is shipped."""
        if self._applied is not None:
            self._applied.undo()


def _teams(load: Load, sdk: Sdk) -> tuple[list[Case], Watching]:
    crew, watching = team(load.millis / 1e3), Watching()

    async def run() -> None:
        await crew.run("crew", steps=ROLES[:1])

    play = _play(run, load, sdk)
    by_hand = _play(told_team(load.millis / 1e3, CrewFloor(sdk)), load, sdk)
    cases = [Case(WATCHED, play, watching.on), Case(FLOOR, by_hand, watching.off), Case(BARE, play, watching.off)]
    return cases, watching


def _play(run: Callable[[], Coroutine[Any, Any, None]], load: Load, sdk: Sdk) -> Callable[[], None]:
    async def crews() -> None:
        for _ in range(load.crews):
            await run()

    def play() -> None:
        asyncio.run(crews())
        sdk.flush()

    return play


# The same by the manual API


def bare(seconds: float) -> None:
    """Let every role do its step."""
    for _ in ROLES:
        work(seconds)


def told(seconds: float) -> None:
    """Do the same with a run, a node for every role, and a handoff between two."""
    with otel_agents.run("crew"):
        before = ""
        for role in ROLES:
            if before:
                with otel_agents.handoff(before, role):
                    pass
            with otel_agents.node(role, kind="agent"):
                work(seconds)
            before = role


def _by_hand(load: Load, sdk: Sdk) -> tuple[list[Case], Watching]:
    cases = [Case(WATCHED, _round(told, load, sdk)), Case(BARE, _round(bare, load, sdk))]
    return cases, Watching()


def _round(crew: Callable[[float], None], load: Load, sdk: Sdk) -> Callable[[], None]:
    def play() -> None:
        for _ in range(load.crews):
            crew(load.millis / 1e3)
        sdk.flush()

    return play


WAYS: Final = (
    ("handoffs", "a team of", {WATCHED: "watched with zero code", FLOOR: "with hand-written telemetry"}, _teams, LOADS),
    ("handoffs by hand", "", {WATCHED: "told by the manual API"}, _by_hand, LOADS[:2]),
)


def measure(rounds: int) -> Iterator[Row]:
    """Measure crews."""
    sdk = Sdk()
    pipeline.start(  # as the active one: the manual API would start another, which nobody listens to
        Config.load({}, strict=True),
        tracer_provider=sdk.tracer_provider,
        meter_provider=sdk.meter_provider,
        logger_provider=sdk.logger_provider,
    )
    for group, what, compared, prepared, loads in WAYS:
        for load in loads:
            cases, watching = prepared(load, sdk)
            for clock, read in CLOCKS.items():
                spent = in_turn(cases, rounds * load.more_rounds, read)
                for case, how in compared.items():
                    did = f"{what} {len(ROLES)} roles, {load.millis:g} ms of work each, {how}".strip()
                    goal = load.goal if case == WATCHED else None
                    yield _row(
                        group, f"{did}, {clock} time, to unwatched", load.crews, goal, (spent[case], spent[BARE])
                    )
            watching.off()
    pipeline.stop()
    sdk.shutdown()


def _row(group: str, name: str, crews: int, goal: float | None, spent: tuple[list[float], list[float]]) -> Row:
    watched, unwatched = spent
    low, high = interval([a / b for a, b in zip(watched, unwatched, strict=True)])
    times = f"{micros(watched, crews)} / {micros(unwatched, crews)}"
    note = f"{times}; {len(watched)} rounds, median between {low:.4f} and {high:.4f} with 95% confidence"
    return compare(group, name, watched, unwatched, goal=goal, note=note)
