"""Declared methods of every sort and shape are watched, look as before, and are put back; what cannot be is said."""

from __future__ import annotations

import asyncio
import gc
import importlib
import sys
import unittest.mock
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from otel_agents import guard
from otel_agents.patching.apply import apply
from otel_agents.patching.table import PatchState
from otel_agents.patching.targets.adapting import of_rows
from tests.patching import acme
from tests.patching.declaring import force, load, written

Work = Callable[[acme.Team], Any]


def node(method: str, name: str = "arg.name", more: str = "") -> str:
    """Return a row."""
    return f"  - {{method: HOST:{method}, kind: node, name: '{name}'{more}}}\n"


async def drained(stream: Any) -> list[Any]:
    """Return all items of an async iterator."""
    return [item async for item in stream]


async def entered(manager: Any) -> Any:
    """Return what an async context manager hands out."""
    async with manager as value:
        return value


def within(manager: Any) -> Any:
    """Return what a context manager hands out."""
    with manager as value:
        return value


SHAPES: dict[str, tuple[str, str, Work, Any]] = {
    "function": ("function", "arg[0]", lambda team: acme.function("x"), "xk"),
    "method": ("Team.method", "arg.name", lambda team: team.method("x"), acme.Result()),
    "static": ("Team.static", "arg.name", lambda team: team.static("x"), "x"),
    "class": ("Team.of_class", "arg.name", lambda team: acme.Team.of_class("x"), "Teamx"),
    "nested": ("Team.Inner.deep", "arg.name", lambda team: team.Inner().deep("x"), "x"),
    "inherited": ("Team.inherited", "arg.name", lambda team: team.inherited("x"), "x"),
    "keyword": ("Team.method", "arg.name", lambda team: team.method(count=1, name="x"), acme.Result()),
    "coroutine": ("Team.coroutine", "arg.name", lambda team: asyncio.run(team.coroutine("x")), "x"),
    "generator": ("Team.generator", "x", lambda team: list(team.generator(2)), [0, 1]),
    "async generator": ("Team.async_generator", "x",
                        lambda team: asyncio.run(drained(team.async_generator(2))), [0, 1]),
    "awaitable": ("Team.awaitable", "arg.name", lambda team: asyncio.run(team.awaitable("x")), "x"),
    "iterator": ("Team.iterator", "x", lambda team: list(team.iterator(2)), [0, 1]),
    "context manager": ("Team.session", "arg.name", lambda team: within(team.session("x")), "x"),
    "async context manager": ("Team.async_session", "arg.name",
                              lambda team: asyncio.run(entered(team.async_session("x"))), "x"),
    "functools.wraps": ("Team.wrapped", "arg.name", lambda team: team.wrapped("x"), "x"),
    "wrapped coroutine": ("Team.wrapped_coroutine", "arg.name",
                          lambda team: asyncio.run(team.wrapped_coroutine("x")), "x"),
    "wrapt": ("Team.proxied", "arg.name", lambda team: team.proxied("x"), "x"),
    "lru_cache": ("Team.cached", "arg.name", lambda team: team.cached("x"), "x"),
    "metaclass and slots": ("Strict.work", "self.name", lambda team: acme.Strict("x").work(), "x"),
    "dataclass with slots": ("Record.work", "self.name", lambda team: acme.Record("x").work(), "x"),
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_every_sort_of_method_is_watched_and_put_back(tmp_path: Path, shape: str) -> None:
    """One operation a call, named after the arguments; the result is the host's, and so is the attribute afterwards."""
    method, name, work, result = SHAPES[shape]
    owner, _, last = method.rpartition(".")
    place = vars(acme)
    for each in filter(None, owner.split(".")):
        place = vars(place[each])
    before = place.get(last)
    with force(written(tmp_path, node(method, name))) as (telemetry, applied):
        assert work(acme.Team()) == result
        assert telemetry.tree() == ["node x (step): ok"]
        assert [(state.state, state.detail) for state in applied.states()] == [("applied", "")]

    assert place.get(last) is before


@pytest.mark.parametrize("method", ["session", "async_session", "generator", "iterator", "async_generator"])
def test_the_operation_lasts_as_long_as_what_was_given_out(tmp_path: Path, method: str) -> None:
    """What happens in a block, or between two items, is inside, or not: current only while the host's code runs."""
    rows = node(f"Team.{method}", "outer") + node("Team.run_a", "inner")
    with force(written(tmp_path, rows)) as (telemetry, _):
        team = acme.Team()
        if method == "session":
            with team.session("x"):
                team.run_a()
        elif method == "async_session":
            asyncio.run(_in_block(team))
        elif method == "async_generator":
            asyncio.run(_between(team))
        else:
            for _each in getattr(team, method)(1):
                team.run_a()
        is_block = "session" in method
        assert telemetry.tree() == ["node outer (step): ok", f"{'  ' if is_block else ''}node inner (step): ok"]


async def _in_block(team: acme.Team) -> None:
    async with team.async_session("x"):
        team.run_a()


async def _between(team: acme.Team) -> None:
    async for _each in team.async_generator(1):
        team.run_a()


def test_errors_leave_as_they_were_in_every_shape(tmp_path: Path) -> None:
    """An exception in a block comes out as the same object; a generator that is dropped is abandoned.

    A block that is never entered has not begun.
    """
    rows = node("Team.session", "block") + node("Team.iterator", "stream") + node("Team.raises", "call")
    with force(written(tmp_path, rows)) as (telemetry, _):
        team, error = acme.Team(), ValueError("x")
        with pytest.raises(ValueError, match="x") as caught, team.session("x"):
            raise error
        assert caught.value is error
        with pytest.raises(ValueError, match="x") as caught:
            team.raises(error)
        assert caught.value is error
        del caught, error
        stream = team.iterator(3)
        next(stream)
        stream.close()  # type: ignore[attr-defined]
        team.iterator(3)
        team.session("never entered")
        gc.collect()
        assert telemetry.tree() == [
            "node block (step): error",
            "node call (step): error",
            "node stream (step): abandoned",
            "node stream (step): abandoned",
        ]


def test_a_class_of_context_managers_is_declared_by_its_shape(tmp_path: Path) -> None:
    """Only what contextlib made is known by itself: a file or a lock is a result like any other."""
    with force(written(tmp_path, node("opened", "x"))) as (telemetry, _), acme.opened():
        assert telemetry.tree() == ["node x (step): ok"]
    with force(written(tmp_path, node("opened", "x", ", shape: context_manager"))) as (telemetry, _):
        manager = acme.opened()
        assert telemetry.tree() == []
        with manager as value:
            assert telemetry.tree() == ["node x (step): running"]
        assert (value, telemetry.tree(), isinstance(manager, acme.Opened)) == ("in", ["node x (step): ok"], True)


# Patterns


def test_a_pattern_takes_all_functions_of_that_name(tmp_path: Path) -> None:
    """Inherited ones, too; no private ones, no properties, none that another row names. The name is the method's."""
    rows = "  - {method: 'HOST:Team.*n*', kind: node}\n" + node("Team.run_a", "mine")
    rows += "  - {method: 'HOST:Team.run_*', kind: decision, agent: me}\n"
    with force(written(tmp_path, rows)) as (telemetry, applied):
        team = acme.Team()
        team.run_a(), team.run_b(), team._run_c(), team.value
        assert team.inherited("x") == "x"
        assert telemetry.tree() == [
            "node mine (step): ok",
            "decision run_b: ok",
            "  node run_b (step): ok",
            "node inherited (step): ok",
        ]
        assert applied.states()[2].detail == "run_b"
    assert "inherited" not in vars(acme.Team)


def test_a_pattern_in_a_module_takes_what_the_module_defines(tmp_path: Path) -> None:
    """Not what it imported."""
    with force(written(tmp_path, "  - {method: 'HOST:*', kind: node}\n")) as (_, applied):
        assert applied.states()[0].detail == "function, passes_through, observed, opened"


def test_a_pattern_that_nothing_matches_is_missing(tmp_path: Path) -> None:
    """With the reason."""
    with force(written(tmp_path, "  - {method: 'HOST:Team.zz_*', kind: node}\n")) as (_, applied):
        assert applied.states() == [
            PatchState("targets", "tests.patching.acme:Team.zz_*", "node", "missing",
                       "there is no Team.zz_* in tests.patching.acme", f"{tmp_path}/targets.yaml:3:5"),
        ]  # fmt: skip


# What cannot be watched


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("HOST:Team.value", "is a property; declare the method that it calls"),
        ("HOST:compiled", "is compiled (C) code, which other compiled code calls past us; declare the Python function"),
        ("builtins:list.append", "is compiled (C) code"),
        ("HOST:Team", "is a class; declare one of its methods"),
        ("HOST:called", "is a partial; declare the function inside it"),
        ("HOST:Team.half", "is a partial; declare the function inside it"),
        ("HOST:number", "is no function"),
        ("HOST:Counter.run_total", "is no function"),
        ("HOST:Counter.run_on", "is no function"),
        ("HOST:Team.names", "is no function"),
        ("HOST:Team.methd", "there is no Team.methd in tests.patching.acme"),
        ("HOST:Tem.method", "there is no Tem.method in tests.patching.acme"),
    ],
)
def test_what_cannot_be_watched_is_refused_with_reason_and_fix(tmp_path: Path, target: str, reason: str) -> None:
    """It is missing, nothing is changed, and nothing is counted as an error."""
    rows = f"  - {{method: '{target}', kind: node}}\n" + node("Team.run_a", "x")
    with force(written(tmp_path, rows)) as (telemetry, applied):
        state, other = applied.states()
        assert (state.state, other.state) == ("missing", "applied")
        assert state.detail.startswith(reason)
        assert acme.Team().run_a() == "a"
        assert telemetry.tree() == ["node x (step): ok"]


def test_a_pattern_leaves_what_is_no_function_as_it_is(tmp_path: Path) -> None:
    """A value that a descriptor makes goes on being a value, whatever it is called."""
    rows = "  - {method: 'HOST:Counter.run_*', kind: node}\n"
    before = {name: vars(acme.Counter)[name] for name in ("run_total", "run_on")}
    with force(written(tmp_path, rows)) as (telemetry, applied):
        assert (acme.Counter().run_twice(), acme.Counter().run_on(1)) == (14, "anything")
        assert {name: vars(acme.Counter)[name] for name in before} == before
        assert [(state.state, state.detail) for state in applied.states()] == [("applied", "run_twice")]
        assert telemetry.tree() == ["node run_twice (step): ok"]


# When modules come and go

SOURCE = "class Team:\n    def run(self):\n        return 1\n\ndef run():\n    return 2\n"
ROWS = "  - {method: '%s:Team.run', kind: node, name: a}\n  - {method: '%s:run', kind: node, name: b}\n"


def test_a_class_that_is_imported_later_is_watched(tmp_path: Path, importable: Callable[..., str]) -> None:
    """Until then the row waits; patterns wait, too, until the module has all of its names."""
    name = importable("acme_later", SOURCE)
    rows = ROWS % (name, name) + f"  - {{method: '{name}:Team.r*', kind: decision, agent: me}}\n"
    with force(written(tmp_path, rows)) as (telemetry, applied):
        assert [state.state for state in applied.states()] == ["waiting"] * 3
        module = importlib.import_module(name)
        assert (module.Team().run(), module.run()) == (1, 2)
        assert telemetry.tree() == ["node a (step): ok", "node b (step): ok"]


def test_after_a_reload_the_row_is_lost(tmp_path: Path, importable: Callable[..., str]) -> None:
    """Functions and classes are new: said as missing, with what to do; undoing it touches nothing that is new."""
    name = importable("acme_reloaded", SOURCE)
    with force(written(tmp_path, ROWS % (name, name))) as (telemetry, applied):
        module = importlib.import_module(name)
        assert [state.state for state in applied.states()] == ["applied", "applied"]
        importlib.reload(module)
        lost = f"lost: {name} was loaded anew; instrument again after that"
        assert [(state.state, state.detail) for state in applied.states()] == [("missing", lost)] * 2
        assert (module.Team().run(), module.run(), telemetry.tree()) == (1, 2, [])
        new = vars(module.Team)["run"], module.run
        applied.undo()
        assert (vars(module.Team)["run"], module.run) == new
        again = apply(of_rows(load(tmp_path / "targets.yaml")[0]))
        assert [state.state for state in again.states()] == ["applied", "applied"]
        again.undo()


def test_a_module_that_is_imported_anew_is_lost_as_well(tmp_path: Path, importable: Callable[..., str]) -> None:
    """As test suites do it."""
    name = importable("acme_anew", SOURCE)
    with force(written(tmp_path, ROWS % (name, name))) as (_, applied):
        importlib.import_module(name)
        del sys.modules[name]
        importlib.import_module(name)
        assert [state.state for state in applied.states()] == ["missing", "missing"]


def test_a_wrapper_that_comes_later_keeps_the_row_in_force(tmp_path: Path) -> None:
    """Somebody wraps what we wrapped, as Sentry does when it is started late: no reload, and said as it is."""
    with force(written(tmp_path, node("Team.run_a", "x"))) as (telemetry, applied):
        before = acme.Team.run_a
        acme.Team.run_a = acme.passes_through(acme.Team.run_a)  # type: ignore[method-assign]
        try:
            assert acme.Team().run_a() == "a"
            [state] = applied.states()
            assert (state.state, state.detail) == ("applied", "somebody else's wrapper stands in front")
        finally:
            acme.Team.run_a = before  # type: ignore[method-assign]
        assert telemetry.tree() == ["node x (step): ok"]


def test_a_stand_in_of_a_test_is_no_end_of_it(tmp_path: Path) -> None:
    """A class that is patched for a moment is lost for that moment."""
    with force(written(tmp_path, node("Team.run_a", "x"))) as (_, applied):
        with unittest.mock.patch.object(acme, "Team", type("Team", (), {"run_a": lambda self: "s"})):
            assert applied.states()[0].state == "missing"
        assert applied.states()[0].state == "applied"


def test_values_that_fail_cost_only_themselves(tmp_path: Path) -> None:
    """A path that leads nowhere, raises or gives the wrong type is counted under the row; the others are there."""
    more = (", attributes: {flex.node.id: arg.nothing, acme.count: arg.count, flex.node.kind: arg.name}, "
            "result: {acme.loud: result.loud, acme.exits: result.exits, acme.huge: result.huge, "
            "acme.version: result.version, flex.node.attempt: result.ok}")  # fmt: skip
    with force(written(tmp_path, node("Team.method", "arg.name", more)), strict=False) as (telemetry, _):
        assert acme.Team().method("x") == acme.Result()
        span = telemetry.span("flex.node x")
        values = {name: value for name, value in (span.attributes or {}).items() if name.startswith("acme.")}
        assert values == {"acme.count": 2, "acme.version": 3, "acme.huge": "x" * 255 + "…"}
        assert (span.attributes or {})["flex.node.id"] == "x"
        assert guard.errors() == {f"target {tmp_path}/targets.yaml:3:5": 5}


def test_a_path_that_is_read_sees_the_defaults_of_the_method(tmp_path: Path) -> None:
    """What the caller left out is what the method gets."""
    with force(written(tmp_path, node("function", "arg.key"))) as (telemetry, _):
        acme.function()
        acme.function(key="mine")
        assert telemetry.tree() == ["node k (step): ok", "node mine (step): ok"]
