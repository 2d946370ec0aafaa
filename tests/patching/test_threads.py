from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextvars import ContextVar
from types import ModuleType
from typing import Any

import pytest

from otel_agents.operation import Operation, current
from otel_agents.patching.apply import Applied, apply
from otel_agents.patching.threads import THREADS
from otel_agents.recorder import RECORDER
from tests.patching.conftest import Rows, Told

MINE: ContextVar[str] = ContextVar("mine", default="empty")


@pytest.fixture
def carried(told: Told, rows: Rows) -> Iterator[Applied]:
    """The rows for threads are in force, and so is one for a function that makes an operation."""
    applied = apply(THREADS)
    rows.node("plain")
    yield applied
    applied.undo()


def started(thread: threading.Thread) -> threading.Thread:
    """Start a thread and wait for it."""
    thread.start()
    thread.join(5)
    return thread


def test_both_rows_are_in_force(carried: Applied) -> None:
    """Pools and threads are there in every Python."""
    assert [(row.target, row.state) for row in carried.states()] == [
        ("concurrent.futures.thread:ThreadPoolExecutor.submit", "applied"),
        ("threading:Thread.start", "applied"),
    ]


@pytest.mark.parametrize("way", ["submit", "map", "executor of the loop", "to_thread", "thread", "subclass", "timer"])
def test_the_operation_is_current_in_the_thread(host: ModuleType, carried: Applied, told: Told, way: str) -> None:
    """However work gets into a thread, it runs in the operation that sent it there."""
    seen: list[object] = []

    def work(*_: object) -> None:
        seen.append(current())

    class Working(threading.Thread):
        def run(self) -> None:
            work()

    async def in_loop() -> None:
        loop = asyncio.get_running_loop()
        await (asyncio.to_thread(work) if way == "to_thread" else loop.run_in_executor(None, work))

    def send() -> None:
        with ThreadPoolExecutor(1) as pool:
            if way == "submit":
                pool.submit(work).result(5)
            elif way == "map":
                list(pool.map(work, [1]))
        if way in ("to_thread", "executor of the loop"):
            asyncio.run(in_loop())
        threads = {"thread": threading.Thread(target=work), "subclass": Working(), "timer": threading.Timer(0, work)}
        if way in threads:
            started(threads[way])

    host.plain(send)
    assert seen == told.operations
    assert len(seen) == 1


def test_nothing_else_of_the_context_is_carried(host: ModuleType, carried: Applied) -> None:
    """A host's own context variables are as empty in a thread as before."""
    MINE.set("full")
    seen: list[str] = []

    def send() -> None:
        with ThreadPoolExecutor(1) as pool:
            seen.append(pool.submit(MINE.get).result(5))
        started(threading.Thread(target=lambda: seen.append(MINE.get())))

    host.plain(send)
    assert seen == ["empty", "empty"]


def test_a_worker_belongs_to_nobody(host: ModuleType, carried: Applied, told: Told) -> None:
    """A worker that was started for one operation's work knows nothing of it when it does something else."""
    with ThreadPoolExecutor(1) as pool:
        first = host.plain(lambda: pool.submit(current).result(5))
        second = pool.submit(current).result(5)
        third = host.plain(lambda: pool.submit(current).result(5))
    assert [first, second, third] == [told.operations[0], None, told.operations[1]]


def test_an_initializer_of_a_pool_belongs_to_nobody(host: ModuleType, carried: Applied) -> None:
    """What a worker does before its first work is not the operation's."""
    seen: list[Operation | None] = []
    with ThreadPoolExecutor(1, initializer=lambda: seen.append(current())) as pool:
        host.plain(lambda: pool.submit(int).result(5))
    assert seen == [None]


def test_a_thread_keeps_nothing_of_ours(host: ModuleType, carried: Applied) -> None:
    """While it runs and afterwards a thread has the attributes that it had, and its own ``run`` where it had one."""
    inside: list[dict[str, Any]] = []

    def work() -> None:
        inside.append(dict(vars(threading.current_thread())))

    def own() -> None:
        inside.append(dict(vars(threading.current_thread())))

    thread, another = threading.Thread(target=work), threading.Thread()
    another.run = own  # type: ignore[method-assign]
    host.plain(lambda: (started(thread), started(another)))
    assert "run" not in inside[0]
    assert inside[1]["run"] is own
    assert vars(another)["run"] is own


def test_a_thread_that_does_not_start_keeps_nothing_of_ours(host: ModuleType, carried: Applied) -> None:
    """Starting a thread twice is refused in Python's words, and leaves it as it was."""
    thread = started(threading.Thread(target=int))
    with pytest.raises(RuntimeError, match="threads can only be started once"):
        host.plain(thread.start)
    assert "run" not in vars(thread)


def test_without_an_operation_nothing_is_carried(carried: Applied) -> None:
    """The callable goes into the pool as it is."""
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
        pool.submit(int)
    with ThreadPoolExecutor(1) as other:
        assert other.submit(current).result(5) is None


def test_a_pool_that_refuses_work_refuses_it_once(host: ModuleType, carried: Applied) -> None:
    """After a refused submit threads take the operation along again."""
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    seen: list[object] = []

    def send() -> None:
        with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
            pool.submit(int)
        started(threading.Thread(target=lambda: seen.append(current())))

    host.plain(send)
    assert seen[0] is not None


def test_futures_work_as_before(host: ModuleType, carried: Applied) -> None:
    """Results, arguments, exceptions, cancelling and callbacks of a future are the host's own."""
    error = ValueError("wrong")
    holds, called = threading.Event(), list[object]()

    def fails() -> None:
        raise error

    def send() -> tuple[Future[Any], ...]:
        first = pool.submit(holds.wait, timeout=5)
        futures = pool.submit(divmod, 7, 2), pool.submit(fails), pool.submit(int)
        assert futures[2].cancel()
        holds.set()
        first.add_done_callback(called.append)
        return first, *futures

    with ThreadPoolExecutor(1) as pool:
        first, result, failed, cancelled = host.plain(send)
    assert (first.result(5), result.result(5), called) == (True, (3, 1), [first])
    assert failed.exception(5) is error
    assert cancelled.cancelled()


def test_an_exception_in_a_thread_is_told_as_before(
    host: ModuleType, carried: Applied, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``threading.excepthook`` gets the host's exception and the thread."""
    hooked: list[tuple[object, object]] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: hooked.append((args.exc_value, args.thread)))
    error = ValueError("wrong")

    def fails() -> None:
        raise error

    thread = threading.Thread(target=fails)
    host.plain(lambda: started(thread))
    assert hooked == [(error, thread)]


def test_process_pools_are_left_alone(host: ModuleType, carried: Applied) -> None:
    """Work for other processes goes there as it is."""
    with ProcessPoolExecutor(1) as pool:
        assert host.plain(lambda: pool.submit(divmod, 7, 2).result(60)) == (3, 1)


def test_undo_takes_nothing_along_any_more(host: ModuleType, carried: Applied) -> None:
    """After undo a thread starts with nothing, and the methods are Python's own again."""
    carried.undo()
    assert "__wrapped__" not in vars(threading.Thread.start)
    with ThreadPoolExecutor(1) as pool:
        assert host.plain(lambda: pool.submit(current).result(5)) is None


def test_when_nobody_listens_nothing_is_carried(host: ModuleType, carried: Applied) -> None:
    """A callable is not wrapped while telemetry is suppressed."""
    seen: list[object] = []

    def send() -> None:
        RECORDER.listening = lambda: False
        with ThreadPoolExecutor(1) as pool:
            seen.append(pool.submit(current).result(5))

    host.plain(send)
    assert seen == [None]
