"""What a crew of roles costs that hand their work on, by the manual API, when each step is real work."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final

import otel_agents
from otel_agents.config import Config
from otel_agents.pipeline import Pipeline
from otel_agents.recorder import RECORDER
from tests.benchmarks.measuring import Case, Row, compare, in_turn, micros
from tests.benchmarks.providers import Sdk

ROLES: Final = ("analyst", "architect", "developer", "reviewer", "tester")
CLOCKS: Final = {"CPU": time.process_time, "wall": time.perf_counter}
STEPS: Final = ((20, 1, 1.02), (2, 10, None))  # milliseconds of work, crews in a round, goal


def work(seconds: float) -> None:
    """Compute for as long; measured in this thread's own time, so that what others do is not taken for work."""
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def bare(seconds: float) -> None:
    """Let every role do its step."""
    for _ in ROLES:
        work(seconds)


def watched(seconds: float) -> None:
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


def measure(rounds: int) -> Iterator[Row]:
    """Measure crews."""
    sdk = Sdk()
    Pipeline(
        Config.load({}, strict=True),
        tracer_provider=sdk.tracer_provider,
        meter_provider=sdk.meter_provider,
        logger_provider=sdk.logger_provider,
    ).install()
    for millis, crews, goal in STEPS:
        for clock, read in CLOCKS.items():
            cases = [Case(each.__name__, _round(each, millis / 1e3, crews, sdk)) for each in (watched, bare)]
            spent = in_turn(cases, rounds, read)
            note = f"{micros(spent['watched'], crews)} / {micros(spent['bare'], crews)}"
            name = f"{len(ROLES)} roles with {millis} ms of work each, {clock} time, to the same without telemetry"
            yield compare("handoffs", name, spent["watched"], spent["bare"], goal=goal, note=note)
    RECORDER.install(())
    sdk.shutdown()


def _round(crew: Callable[[float], None], seconds: float, crews: int, sdk: Sdk) -> Callable[[], None]:
    def play() -> None:
        for _ in range(crews):
            crew(seconds)
        sdk.flush()

    return play
