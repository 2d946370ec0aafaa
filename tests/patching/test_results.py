from __future__ import annotations

import asyncio
import contextlib
import gc
import inspect
from concurrent.futures import Future
from types import ModuleType
from typing import Any, ClassVar

import pytest

from otel_agents.operation import current
from tests.patching.conftest import MATERIAL, Rows, Told

ENDINGS = [(ValueError("wrong"), "error"), (asyncio.CancelledError(), "cancelled"), ("Pause", "paused")]


def ending(host: ModuleType, named: Any) -> BaseException:
    """Return the exception to raise."""
    return named if isinstance(named, BaseException) else getattr(host, named)()


# Functions that return something to wait for


@pytest.mark.parametrize("path", ["makes_coroutine", "makes_task"])
async def test_what_is_returned_is_followed_to_its_end(host: ModuleType, rows: Rows, told: Told, path: str) -> None:
    """The operation starts at the call and ends with the coroutine or task, in which it is current."""
    rows.node(path, shape="returns_awaitable")
    made = getattr(host, path)(current)
    assert current() is None
    assert told.ends == []
    assert await made is told.operations[0]
    await asyncio.sleep(0)
    assert told.ends == [(path, "ok")]


@pytest.mark.parametrize("path", ["makes_coroutine", "makes_task"])
@pytest.mark.parametrize("ends", ENDINGS)
async def test_what_is_returned_may_fail(
    host: ModuleType, rows: Rows, told: Told, path: str, ends: tuple[Any, str]
) -> None:
    """The exception that comes out is the host's own, and decides the outcome."""
    rows.node(path, shape="returns_awaitable", paused=(f"{MATERIAL}:Pause",))
    error, outcome = ending(host, ends[0]), ends[1]
    with pytest.raises(type(error)) as raised:
        await getattr(host, path)(error)
    await asyncio.sleep(0)
    assert raised.value is error or outcome == "cancelled"
    assert told.ends == [(path, outcome)]


async def test_a_task_that_is_cancelled_is_cancelled(host: ModuleType, rows: Rows, told: Told) -> None:
    """Cancelling a returned task ends the operation as cancelled; the task is the host's own object."""
    rows.node("makes_task", shape="returns_awaitable")
    made = host.makes_task(1)
    assert type(made) is type(asyncio.create_task(asyncio.sleep(0)))
    made.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await made
    await asyncio.sleep(0)
    assert told.ends == [("makes_task", "cancelled")]


async def test_an_exception_nobody_asks_for_is_still_told(host: ModuleType, rows: Rows, told: Told) -> None:
    """Looking at a task's exception does not keep asyncio from telling that nobody else did."""
    rows.node("makes_task", shape="returns_awaitable")
    complaints: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context["message"]))
    made = host.makes_task(ValueError("wrong"))
    await asyncio.wait([made])
    await asyncio.sleep(0)
    del made
    gc.collect()
    assert complaints == ["Task exception was never retrieved"]
    assert told.ends == [("makes_task", "error")]


@pytest.mark.parametrize("how", ["closed", "dropped"])
def test_a_coroutine_keeps_type_and_name_and_may_be_dropped(
    host: ModuleType, rows: Rows, told: Told, recwarn: pytest.WarningsRecorder, how: str
) -> None:
    """The host gets a coroutine of the same name; Python complains of it as before, and the operation is abandoned."""
    rows.node("makes_coroutine", shape="returns_awaitable")
    made = host.makes_coroutine(1)
    assert inspect.iscoroutine(made)
    assert (made.__name__, made.__qualname__) == ("coro", "coro")
    if how == "closed":
        made.close()
    del made
    gc.collect()
    complaints = [] if how == "closed" else ["coroutine 'coro' was never awaited"]
    assert [str(warning.message) for warning in recwarn] == complaints
    recwarn.clear()  # a warning holds the coroutine that it complains of
    assert told.ends == [("makes_coroutine", "abandoned")]


@pytest.mark.parametrize("shape", ["returns_awaitable", "returns_iterator", "async_context_manager"])
def test_another_result_is_handed_on(host: ModuleType, rows: Rows, told: Told, shape: str) -> None:
    """A function whose result is not what its row expects works as before."""
    rows.node("makes_value", shape=shape)
    value = object()
    assert host.makes_value(value) is value
    assert told.ends == ([("makes_value", "ok")] if shape == "returns_awaitable" else [])


@pytest.mark.parametrize("shape", ["returns_awaitable", "returns_iterator", "async_context_manager"])
def test_a_call_that_fails_fails(host: ModuleType, rows: Rows, told: Told, shape: str) -> None:
    """An exception of the call itself is the host's own."""
    rows.node("makes_value", shape=shape)
    error = ValueError("wrong")
    with pytest.raises(ValueError, match="wrong") as raised:
        host.makes_value(error)
    assert raised.value is error
    assert told.ends == ([("makes_value", "error")] if shape == "returns_awaitable" else [])


def test_a_future_that_is_done_already_ends_at_once(host: ModuleType, rows: Rows, told: Told) -> None:
    """A future of a pool that is over when the call returns ends the operation there."""
    rows.node("makes_value", shape="returns_awaitable")
    future: Future[int] = Future()
    future.set_result(3)
    assert host.makes_value(future) is future
    assert told.ends == [("makes_value", "ok")]


def test_a_shape_of_results_is_bare_when_nobody_listens(host: ModuleType, rows: Rows) -> None:
    """Without a listener the host's own coroutine, generator and manager come out."""
    rows.node("makes_value", shape="returns_awaitable", before=lambda call: pytest.fail("asked"))
    own = host.coro()
    assert host.makes_value(own) is own
    own.close()


# Functions that return something to iterate


def test_a_returned_generator_is_followed(host: ModuleType, rows: Rows, told: Told) -> None:
    """A generator that a plain function returns is watched like a generator function, and named like before."""
    rows.node("makes_generator", shape="returns_iterator")
    made = host.makes_generator(current, 2, result=3)
    assert inspect.isgenerator(made)
    assert (made.__name__, made.__qualname__) == ("gen", "gen")
    assert told.operations == []
    assert [next(made), current(), next(made)] == [told.operations[0], None, 2]
    with pytest.raises(StopIteration) as stopped:
        next(made)
    assert stopped.value.value == 3
    assert told.ends == [("makes_generator", "ok")]


async def test_a_returned_async_generator_is_followed(host: ModuleType, rows: Rows, told: Told) -> None:
    """An async generator that a plain function returns is watched like an async generator function."""
    rows.node("makes_async_generator", shape="returns_iterator")
    made = host.makes_async_generator(current, 2)
    assert inspect.isasyncgen(made)
    assert made.__name__ == "agen"
    assert [item async for item in made] == [told.operations[0], 2]
    assert told.ends == [("makes_async_generator", "ok")]


def test_when_nobody_listens_what_is_returned_is_the_hosts_own(host: ModuleType, rows: Rows) -> None:
    """Without a listener nothing is put around a result."""
    rows.node("makes_value", shape="returns_iterator")
    own = host.gen(1)
    assert host.makes_value(own) is own


# Functions that return an async context manager


async def test_a_block_is_one_operation(host: ModuleType, rows: Rows, told: Told) -> None:
    """The operation lasts from entering to leaving, is current in the block, and ``after`` gets what ``as`` got."""
    seen: list[object] = []
    rows.node("session", shape="async_context_manager", after=lambda operation, call, result: seen.append(result))
    made = host.session("value")
    assert told.operations == []
    async with made as value:
        assert value == "value"
        assert [current()] == told.operations
        assert told.ends == []
    assert current() is None
    assert seen == ["value"]
    assert told.ends == [("session", "ok")]


async def test_a_manager_stays_what_it_is(host: ModuleType, rows: Rows, told: Told) -> None:
    """The manager is an instance of the host's class with the same name, and works as a decorator, of each call."""
    kind = type(host.session())
    rows.node("session", shape="async_context_manager")
    made = host.session()
    assert isinstance(made, kind)
    assert (type(made).__name__, type(made).__module__) == (kind.__name__, kind.__module__)

    @host.session()
    async def decorated() -> object:
        return current()

    assert [await decorated(), await decorated()] == told.operations
    async with made:
        pass
    assert told.ends == [("session", "ok")] * 3


@pytest.mark.parametrize("ends", ENDINGS)
@pytest.mark.parametrize("where", ["enter", "block", "exit"])
async def test_a_block_may_fail(host: ModuleType, rows: Rows, told: Told, where: str, ends: tuple[Any, str]) -> None:
    """An exception on entering, inside or on leaving is the host's own and decides the outcome."""
    rows.node("session", shape="async_context_manager", paused=(f"{MATERIAL}:Pause",))
    error, outcome = ending(host, ends[0]), ends[1]
    with pytest.raises(type(error)) as raised:
        async with host.session(error if where == "enter" else None, error if where == "exit" else None):
            if where == "block":
                raise error
    assert raised.value is error
    assert told.ends == [("session", outcome)]
    assert current() is None


async def test_a_manager_that_swallows_ends_ok(rows: Rows, told: Told, host: ModuleType) -> None:
    """An exception that the manager swallows is no error."""

    @contextlib.asynccontextmanager
    async def swallowing() -> Any:
        with contextlib.suppress(ValueError):
            yield

    rows.node("makes_value", shape="async_context_manager")
    error = ValueError("swallowed")
    async with host.makes_value(swallowing):
        host.act(error)
    assert told.ends == [("makes_value", "ok")]


async def test_a_block_left_in_another_task_leaves_nothing_behind(host: ModuleType, rows: Rows, told: Told) -> None:
    """Leaving elsewhere ends the operation; the task that entered keeps what is its own."""
    rows.node("session", shape="async_context_manager")
    made = host.session()
    await asyncio.create_task(made.__aenter__())
    await asyncio.create_task(made.__aexit__(None, None, None))
    assert told.ends == [("session", "ok")]
    assert current() is None


async def test_a_block_that_is_never_left_is_abandoned(host: ModuleType, rows: Rows, told: Told) -> None:
    """A manager that is dropped while it is open ends its operation."""
    rows.node("session", shape="async_context_manager")
    made = host.session()
    await asyncio.create_task(made.__aenter__())
    del made
    gc.collect()
    assert told.ends == [("session", "abandoned")]


class Registered(contextlib.AbstractAsyncContextManager[None]):
    """A host class that keeps a list of its subclasses."""

    known: ClassVar[list[str]] = []

    def __init_subclass__(cls) -> None:
        cls.known.append(cls.__name__)

    async def __aexit__(self, *_: object) -> None:
        return None


class Slotted(contextlib.AbstractAsyncContextManager[None]):
    """A host class whose objects take no attribute."""

    __slots__ = ()

    async def __aexit__(self, *_: object) -> None:
        return None


async def test_a_manager_that_must_not_be_touched_is_left_alone(host: ModuleType, rows: Rows, told: Told) -> None:
    """A class that knows its subclasses gets no new one; its blocks are simply not seen."""
    rows.node("makes_value", shape="async_context_manager")
    async with host.makes_value(Registered):
        pass
    assert Registered.known == []
    assert told.operations == []
