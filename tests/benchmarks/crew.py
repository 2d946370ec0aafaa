"""What a crew of roles costs that hand their work on: a team watched without its knowledge, and the manual API."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import otel_agents
from otel_agents import pipeline
from otel_agents.adapters.yolo import ADAPTER
from otel_agents.config import Config
from otel_agents.patching.apply import Applied, apply
from otel_agents.runtime.yolo import Agent, Handoff, Orchestrator, Turn
from tests.benchmarks.measuring import Case, Row, compare, in_turn, interval, micros
from tests.benchmarks.providers import Sdk

ROLES: Final = ("analyst", "architect", "developer", "reviewer", "tester")
CLOCKS: Final = {"CPU": time.process_time, "wall": time.perf_counter}


PIECE: Final = 2000


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
    following = dict(pairwise(ROLES))

    async def step(turn: Turn) -> Handoff | None:
        work(seconds)
        to_agent = following.get(turn.agent)
        return Handoff(to_agent) if to_agent is not None else None

    return Orchestrator([Agent(role, step) for role in ROLES])


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

    async def crews() -> None:
        for _ in range(load.crews):
            await crew.run("crew", steps=ROLES[:1])

    def play() -> None:
        asyncio.run(crews())
        sdk.flush()

    return [Case("watched", play, watching.on), Case("bare", play, watching.off)], watching


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
    cases = [Case("watched", _round(told, load, sdk)), Case("bare", _round(bare, load, sdk))]
    return cases, Watching()


def _round(crew: Callable[[float], None], load: Load, sdk: Sdk) -> Callable[[], None]:
    def play() -> None:
        for _ in range(load.crews):
            crew(load.millis / 1e3)
        sdk.flush()

    return play


WAYS: Final = (
    ("handoffs", "a team of", "watched with zero code", _teams, LOADS),
    ("handoffs by hand", "", "told by the manual API", _by_hand, LOADS[:2]),
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
    for group, what, how, prepared, loads in WAYS:
        for load in loads:
            cases, watching = prepared(load, sdk)
            for clock, read in CLOCKS.items():
                spent = in_turn(cases, rounds * load.more_rounds, read)
                name = f"{what} {len(ROLES)} roles, {load.millis:g} ms of work each, {how}, {clock} time, to unwatched"
                yield _row(group, name.strip(), load, spent["watched"], spent["bare"])
            watching.off()
    pipeline.stop()
    sdk.shutdown()


def _row(group: str, name: str, load: Load, watched: Sequence[float], unwatched: Sequence[float]) -> Row:
    low, high = interval([a / b for a, b in zip(watched, unwatched, strict=True)])
    times = f"{micros(watched, load.crews)} / {micros(unwatched, load.crews)}"
    note = f"{times}; {len(watched)} rounds, median between {low:.4f} and {high:.4f} with 95% confidence"
    return compare(group, name, watched, unwatched, goal=load.goal, note=note)
