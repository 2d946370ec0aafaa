"""What a declared method gives out and is used later: context managers and awaitables, made by whomever."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from otel_agents.testing import Telemetry
from tests.patching.declaring import force, written

SOURCE = """
import asyncio, contextlib

class Lock:
    def __enter__(self):
        return self
    def __exit__(self, *error):
        return False

ONE = Lock()

def one():
    return ONE

@contextlib.contextmanager
def block(name):
    yield name

@contextlib.asynccontextmanager
async def ablock(name):
    yield name

class Answer:
    def __init__(self, what):
        self.what = what
    def __await__(self):
        yield from asyncio.sleep(0).__await__()
        inside()
        if isinstance(self.what, Exception):
            raise self.what
        return self.what

def ask(what):
    return Answer(what)

def inside():
    pass
"""
ROW = "  - {method: '%s:%s', kind: %s%s}\n"


@pytest.fixture
def host(importable: Callable[..., str]) -> ModuleType:
    """A module with functions that give something out."""
    return import_module(importable("acme_given", SOURCE))


def rows(host: ModuleType, *given: tuple[str, str, str]) -> str:
    """Return rows of function, kind and more."""
    return "".join(ROW % (host.__name__, *each) for each in given)


def test_one_manager_that_is_given_out_for_ever_stays_as_it_is(tmp_path: Path, host: ModuleType) -> None:
    """Its class becomes another one once; each use is one operation, also one that was asked for twice."""
    with force(written(tmp_path, rows(host, ("one", "node", ", shape: context_manager")))) as (telemetry, _):
        for _each in range(1500):
            with host.one():
                pass
        assert len(type(host.ONE).__mro__) == 3
        assert len(telemetry.tree()) == 1500
        host.one()
        with host.one():
            pass
        assert telemetry.tree()[1500:] == ["node one (step): ok"]


@pytest.mark.parametrize("name", ["block", "ablock"])
def test_a_manager_of_two_rows_is_two_operations_around_each_other(tmp_path: Path, host: ModuleType, name: str) -> None:
    """As in every other shape; both end with the block, and with its exception."""
    given = rows(host, (name, "node", ""), (name, "decision", ", agent: me"))
    with force(written(tmp_path, given)) as (telemetry, _):
        assert use(host, name, "x") == "x"
        with pytest.raises(KeyError):
            use(host, name, KeyError("x"))
        assert telemetry.tree() == [
            f"decision {name}: ok",
            f"  node {name} (step): ok",
            f"decision {name}: error",
            f"  node {name} (step): error",
        ]


def use(host: ModuleType, name: str, what: Any) -> Any:
    """Enter a block, and raise in it or return its value."""

    def act(value: Any) -> Any:
        if isinstance(value, Exception):
            raise value
        return value

    async def run() -> Any:
        async with host.ablock(what) as value:
            return act(value)

    if name == "ablock":
        return asyncio.run(run())
    with host.block(what) as value:
        return act(value)


@pytest.mark.parametrize("name", ["block", "ablock"])
def test_a_manager_that_decorates_is_an_operation_for_each_call(tmp_path: Path, host: ModuleType, name: str) -> None:
    """It is made when its module is imported, and again for each call: what is not running is not open."""
    with force(written(tmp_path, rows(host, (name, "run", "")))) as (telemetry, _):
        decorated = host.ablock("x")(answer) if name == "ablock" else host.block("x")(lambda: 3)
        assert telemetry.tree() == []
        for _each in range(2):
            assert (asyncio.run(decorated()) if name == "ablock" else decorated()) == 3
        assert telemetry.tree() == [f"run {name}: ok"] * 2


async def answer() -> int:
    """Answer."""
    return 3


def test_an_awaitable_of_a_class_of_its_own_is_declared_by_its_shape(tmp_path: Path, host: ModuleType) -> None:
    """The operation ends when it is awaited to its end, as the object that it is; one that is dropped is abandoned."""
    given = rows(host, ("ask", "node", ", shape: returns_awaitable"), ("inside", "phase", ""))
    with force(written(tmp_path, given)) as (telemetry, _):
        asked = host.ask("x")
        assert (telemetry.tree(), isinstance(asked, host.Answer)) == (["node ask (step): running"], True)
        assert asyncio.run(wait(asked)) == "x"
        error = ValueError("x")
        with pytest.raises(ValueError, match="x") as caught:
            asyncio.run(wait(host.ask(error)))
        assert caught.value is error
        del error, caught
        host.ask("y")
        gc.collect()
        assert shown(telemetry) == ["ask: ok", "inside: ok", "ask: error", "inside: ok", "ask: abandoned"]


async def wait(awaitable: Any) -> Any:
    """Wait for it."""
    return await awaitable


def shown(telemetry: Telemetry) -> list[str]:
    """Return the operations without their kinds."""
    return [line.replace("node ", "").replace("phase ", "").replace(" (step)", "").strip() for line in telemetry.tree()]
