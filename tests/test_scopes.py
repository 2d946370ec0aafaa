"""Scopes of the manual API: used again, around all shapes of calls, ended by name, and written in a wrong way."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any

import pytest

import otel_agents
from otel_agents import guard, record
from otel_agents.operation import current
from otel_agents.testing import capture


def test_a_scope_inside_itself() -> None:
    """Each block ends its own operation, and afterwards nothing is current."""
    scope = otel_agents.node("search")
    with capture() as telemetry, otel_agents.run("r"), scope as outer:
        with scope as inner:
            inner.set(attempt=2)
        outer.set(attempt=3)
        with scope:
            pass

    assert telemetry.tree() == [
        "run r: ok",
        "  node search (step): ok",
        "    node search (step): ok",
        "    node search (step): ok",
    ]
    assert [span.attributes.get("flex.node.attempt") for span in telemetry.spans if span.attributes] == [
        2,
        None,
        3,
        None,
    ]
    assert current() is None


def test_a_run_that_joins_itself() -> None:
    """The inner block is the outer one's run, which goes on after it."""
    scope = otel_agents.run("r")
    with capture() as telemetry, scope as outer:
        with scope as inner:
            assert inner.run_id == outer.run_id
        with otel_agents.node("late"):
            pass

    assert telemetry.tree() == ["run r: ok", "  node late (step): ok"]


def test_tasks_that_share_a_scope() -> None:
    """Blocks that end in another order than they began end their own operations, each with its own error."""
    scope = otel_agents.node("shared")

    async def work(name: str, mine: asyncio.Event, other: asyncio.Event) -> None:
        with otel_agents.run(name), scope:
            other.set()
            await mine.wait()
            with otel_agents.node(name):
                pass
            raise LookupError if name == "first" else KeyError

    async def both() -> list[object]:
        first, second = asyncio.Event(), asyncio.Event()
        tasks = asyncio.create_task(work("first", first, second)), asyncio.create_task(work("second", second, first))
        return [type(each) for each in await asyncio.gather(*tasks, return_exceptions=True)]

    with capture() as telemetry:
        assert asyncio.run(both()) == [LookupError, KeyError]

    assert telemetry.tree() == [
        *("run first: error", "  node shared (step): error", "    node first (step): ok"),
        *("run second: error", "  node shared (step): error", "    node second (step): ok"),
    ]
    errors = {event.run_id: event.payload["errorType"] for event in telemetry.events if event.type == "node_error"}
    assert errors == {"run-1": "LookupError", "run-2": "KeyError"}


def test_threads_that_share_a_scope() -> None:
    """The thread that entered first may leave first, and finds nothing current then."""
    scope, entered, left = otel_agents.node("shared"), threading.Event(), threading.Event()
    found: list[object] = []

    def early() -> None:
        with scope:
            assert entered.wait(10)
        found.append(current())
        left.set()

    with capture() as telemetry:
        thread = threading.Thread(target=early)
        thread.start()
        with scope:
            entered.set()
            assert left.wait(10)
        thread.join()

    assert found == [None]
    assert current() is None
    assert telemetry.tree() == ["node shared (step): ok"] * 2


def test_a_scope_that_went_on_begins_anew() -> None:
    """Only the run that was resumed says so, not the one that the same scope starts next."""
    scope = otel_agents.run("r", thread_id="t")
    with capture() as telemetry:
        with scope as run:
            run.ask("q")
        with scope as run:
            run.answer("q", "approved")
        with scope:
            pass

    started = [(event.run_id, event.payload.get("resumed")) for event in telemetry.events if event.type == "start"]
    assert started == [("run-1", None), ("run-1", True), ("run-2", None)]


def inside() -> None:
    with otel_agents.node("inside"):
        pass


async def later() -> str:
    await asyncio.sleep(0)
    inside()
    return "done"


@contextlib.contextmanager
def block() -> Iterator[str]:
    yield "done"


@contextlib.asynccontextmanager
async def ablock() -> AsyncIterator[str]:
    yield "done"


def generate() -> Iterator[str]:
    inside()
    yield "done"


async def awaited(made: Coroutine[Any, Any, str]) -> str:
    return await made


async def ablocked(made: contextlib.AbstractAsyncContextManager[str]) -> str:
    async with made as value:
        inside()
    return value


def blocked(made: contextlib.AbstractContextManager[str]) -> str:
    with made as value:
        inside()
    return value


SHAPES: list[tuple[Callable[[], Any], Callable[[Any], str]]] = [
    (lambda: later(), lambda made: asyncio.run(awaited(made))),  # noqa: PLW0108  # no coroutine function
    (functools.partial(later), lambda made: asyncio.run(awaited(made))),
    (lambda: generate(), lambda made: next(iter(list(made)))),  # noqa: PLW0108  # no generator function
    (block, blocked),
    (ablock, lambda made: asyncio.run(ablocked(made))),
]


@pytest.mark.parametrize(
    ("function", "use"), SHAPES, ids=["coroutine", "partial", "generator", "context manager", "async context manager"]
)
def test_what_a_decorated_function_returns_is_part_of_it(function: Any, use: Callable[[Any], str]) -> None:
    """The operation lasts until what a plain function gave out is over, and what happens in that happens inside it."""
    with capture() as telemetry:
        assert use(otel_agents.node("outer")(function)()) == "done"

    assert telemetry.tree() == ["node outer (step): ok", "  node inside (step): ok"]


def test_a_plain_result_ends_a_decorated_function() -> None:
    """A context manager of the program's own, such as an open file, is a result like any other."""
    with capture() as telemetry:
        lock = otel_agents.node("make")(threading.Lock)()
        with lock:
            inside()

    assert telemetry.tree() == ["node make (step): ok", "node inside (step): ok"]


@pytest.mark.parametrize(
    ("named", "outcome", "status"),
    [
        ("error", "error", "failed"),
        ("failed", "error", "failed"),
        ("completed", "ok", "completed"),
        ("cancelled", "cancelled", "cancelled"),
        ("awaiting_hitl", "paused", "awaiting_hitl"),
    ],
)
def test_an_outcome_is_named_by_the_run_status_too(named: str, outcome: str, status: str) -> None:
    """Both words of the table of outcomes end a run, an operation in it, and a run that is told afterwards."""
    with capture() as telemetry:
        with otel_agents.run("r") as run:
            with otel_agents.node("n") as node:
                node.outcome = named
            run.outcome = named
        record.complete(duration_s=1, outcome=named)
        record.complete(status=status, duration_s=1)

    assert telemetry.tree() == [f"run r: {outcome}", f"  node n (step): {outcome}", *[f"run: {outcome}"] * 2]
    assert telemetry.metrics()[f"flex.run.status{{runtime=manual,status={status}}}"] == 3
    assert "flex.run.active{runtime=manual}" not in telemetry.metrics()


@pytest.mark.parametrize("named", ["oops", object(), ["error"]])
def test_an_outcome_that_there_is_not(named: Any) -> None:
    """The run ends all the same, as the block tells, and the mistake is counted."""
    guard.reset()
    with capture(strict=False) as telemetry, otel_agents.run("r") as run:
        run.outcome = named

    assert telemetry.tree() == ["run r: ok"]
    assert guard.errors() == {"api.outcome": 1}


def test_a_decorator_without_its_parentheses() -> None:
    """The first call says what is wrong, instead of giving back something that is not the result."""
    bare: Any = otel_agents.node

    @bare
    def double(x: int) -> int:
        return x * 2

    for arguments in ((1,), ()):
        with pytest.raises(TypeError, match=r"@otel_agents\.node with its parentheses"):
            double(*arguments)


def test_a_decorator_above_a_property() -> None:
    """It is refused where it is written: a property that is called is no longer one."""
    wrong: Any = property(lambda self: 1)
    with pytest.raises(TypeError, match="below @property"):
        otel_agents.node("x")(wrong)
