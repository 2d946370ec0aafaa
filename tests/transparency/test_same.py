"""Watched or not, a program is the same program: each adapter's host in every situation, in this process."""

from __future__ import annotations

import asyncio
import gc
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from otel_agents import adapters
from otel_agents.config import Config, Selection
from otel_agents.patching.table import Adapter
from otel_agents.patching.targets.adapting import adapter as declared
from otel_agents.testing import Telemetry
from tests.adapters.watching import watched
from tests.need import require_module
from tests.transparency.hosts.inhouse import Engine
from tests.transparency.situations import HOSTS, SITUATIONS, Host, at_tick, played
from tests.transparency.step import AWAITS, Here
from tests.transparency.telling import described, frames, hooks, log_lines

TARGETS = Path(__file__).parent / "hosts" / "targets.yaml"
SLOW = {"langgraph", "openai_agents", "flex"}
MANY_RUNS = {"exceptions", "cancellations", "ticks", "loops", "uvloops"}
NEEDS = {"langgraph": ("langgraph", "langgraph"), "openai_agents": ("agents", "openai-agents")}


def loaded(name: str) -> Iterator[Adapter]:
    """Return the adapters of a host; threads are watched with any of them, as they are in production."""
    yield from adapters.load(Selection(only=frozenset({"threads", name})))
    if name == "targets":
        made, problems = declared(Config.load({"config": str(TARGETS)}, environ={}).targets)
        assert problems == []
        yield made


@contextmanager
def watching(name: str) -> Iterator[Telemetry]:
    """Have the host watched, every target of its in force."""
    with watched(*loaded(name)) as telemetry:
        yield telemetry


@lru_cache
def host(name: str) -> Host:
    """Return a host that has been played once."""
    if name in NEEDS:
        require_module(*NEEDS[name])
    HOSTS[name].warm_up()
    return HOSTS[name]


def rows() -> Iterator[Any]:
    """Put every host into every situation."""
    for name, situation in itertools.product(HOSTS, SITUATIONS):
        is_slow = name in SLOW and situation in MANY_RUNS
        yield pytest.param(name, situation, marks=[pytest.mark.slow] if is_slow else [], id=f"{name}-{situation}")


@pytest.mark.parametrize(("name", "situation"), list(rows()))
def test_nothing_that_can_be_seen_is_different(name: str, situation: str) -> None:
    """Results and types, exceptions with their frames, warnings, log lines, the program's own story: all the same."""
    program = host(name)
    bare = played(program, situation)
    with watching(name) as telemetry:
        ours = played(program, situation)
        assert bool(telemetry.tree()) == bool(bare)
        telemetry.reset()
    if program.forgets:
        with hooks(), log_lines():  # what it left behind goes here, and not in the middle of another test
            gc.collect()

    assert ours == bare


# What is different, and why


def both(program: Callable[[], Any]) -> tuple[Any, Any]:
    """Return what a program returns without us and with us."""
    bare = program()
    with watching("targets"):
        return bare, program()


def test_a_coroutine_that_is_cancelled_before_it_begins_has_our_frame_for_its_own() -> None:
    """Python shows where a coroutine is defined that never began, and that is what we stand for."""
    bare, ours = both(lambda: asyncio.run(at_tick(Here(), host("targets").later["arun"], 0)))

    assert described(ours[1]) | {"frames": []} == described(bare[1]) | {"frames": []}
    assert [frame.rpartition(" ")[2] for frame in frames(bare[1])] == ["at_tick", "arun"]
    assert [frame.rpartition(" ")[2] for frame in frames(ours[1])] == ["at_tick"]


def test_an_exit_of_a_generator_that_a_task_raises_closes_one_coroutine_more() -> None:
    """Python closes what is awaited instead of throwing GeneratorExit on, so cleaning up may not wait behind us."""

    async def raises() -> None:
        raise GeneratorExit

    async def program() -> Any:
        here = Here(wait=lambda _: asyncio.ensure_future(raises()), at=1)
        task = asyncio.ensure_future(Engine(here).arun("job"))
        await asyncio.wait([task])
        return repr(task.exception()), here.told[-1]

    bare, ours = both(lambda: asyncio.run(program()))

    assert bare == ("GeneratorExit()", "leaves")
    assert ours == ("RuntimeError('coroutine ignored GeneratorExit')", "one cleans up")


def test_a_task_that_waits_says_so_in_our_file() -> None:
    """The representation of a task names the place of its outermost coroutine, which is one of ours."""

    async def program() -> str:
        task = asyncio.ensure_future(Engine(Here(wait=AWAITS["sleep"], at=1)).awork("step"))
        await asyncio.sleep(0)
        try:
            return repr(task)
        finally:
            task.cancel()

    bare, ours = both(lambda: asyncio.run(program()))

    assert "coro=<Engine.awork() running at" in bare
    assert "coro=<Engine.awork() running at" in ours
    assert ("inhouse.py" in bare, "inhouse.py" in ours) == (True, False)


def test_a_context_manager_is_of_a_subclass() -> None:
    """What a watched method returns is the same object, an instance of its class, and of one that tells."""
    bare, ours = both(lambda: Engine(Here()).room("room"))

    assert isinstance(ours, type(bare))
    assert type(ours).__qualname__ == type(bare).__qualname__
    assert type(ours) is not type(bare)


FAILS = {"too many turns": "agents.exceptions.MaxTurnsExceeded"}


@pytest.mark.parametrize("name", HOSTS)
def test_the_hosts_do_what_they_are_for(name: str) -> None:
    """Each way ends with a result, but the one that is there for its error, and goes through steps."""
    reports = played(host(name), "results")

    assert {way: report["error"]["type"] for way, report in reports.items() if "error" in report} == {
        way: error for way, error in FAILS.items() if way in reports
    }
    assert {way for way, report in reports.items() if not report["told"]} <= {"forgotten", "warned"}
