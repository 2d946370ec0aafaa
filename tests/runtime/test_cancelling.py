"""Work that is asked to stop: coroutines where they wait, functions where they look."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest

from otel_agents.runtime.cancelling import Cancel, Cancelled, is_async, perform


async def test_work_may_be_a_function_a_coroutine_function_or_return_something_to_wait_for() -> None:
    """All shapes of a callable give their result."""

    async def later(x: int) -> int:
        return x + 1

    class Object:
        async def __call__(self, x: int) -> int:
            return x + 1

    def hides(x: int) -> Awaitable[int]:
        return later(x)

    works: list[Callable[..., Any]] = [lambda x: x + 1, later, partial(later), Object(), hides]

    assert [await perform(work, 1, cancel=Cancel()) for work in works] == [2] * 5
    assert [is_async(work) for work in works] == [False, True, True, True, False]


async def test_a_function_runs_beside_the_event_loop() -> None:
    """A function that blocks does not keep others from running."""
    gate = threading.Event()
    waiting = asyncio.ensure_future(perform(gate.wait, cancel=Cancel()))
    await asyncio.sleep(0)
    gate.set()

    assert await waiting is True


async def test_a_coroutine_is_cancelled_where_it_waits() -> None:
    """From any thread; its own clean-up runs before anybody hears of it."""
    entered, cleaned = asyncio.Event(), []

    async def work() -> None:
        entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append(True)

    cancel = Cancel()
    going = asyncio.ensure_future(perform(work, cancel=cancel))
    await entered.wait()
    assert await asyncio.to_thread(cancel.request, "operator") is True
    with pytest.raises(Cancelled, match="cancelled by operator"):
        await going
    assert cleaned == [True]


async def test_a_function_stops_where_it_looks() -> None:
    """A sleep on the wish ends early, and a look raises."""
    entered = threading.Event()
    cancel = Cancel()

    def work() -> str:
        entered.set()
        cancel.wait(60)
        cancel.check()
        return "never"

    going = asyncio.ensure_future(perform(work, cancel=cancel))
    await asyncio.to_thread(entered.wait)
    cancel.request("operator")
    with pytest.raises(Cancelled):
        await going


async def test_what_ends_in_spite_of_a_wish_is_cancelled_all_the_same() -> None:
    """A coroutine that swallows its cancellation, or a function that never looks, changes nothing."""
    for asked in (True, False):
        cancel = Cancel()

        async def stubborn(cancel: Cancel = cancel) -> str:
            cancel.request("operator")
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                pass
            return "done"

        def deaf(cancel: Cancel = cancel) -> str:
            cancel.request("operator")
            return "done"

        with pytest.raises(Cancelled):
            await perform(stubborn if asked else deaf, cancel=cancel)


async def test_nothing_is_begun_after_a_wish() -> None:
    """Work that has not begun is not begun."""
    called: list[int] = []
    cancel = Cancel()
    cancel.request("operator")
    with pytest.raises(Cancelled):
        await perform(called.append, 1, cancel=cancel)
    assert called == []


async def test_the_callers_own_cancellation_is_no_wish_of_ours() -> None:
    """Whoever cancels the waiting task gets CancelledError, as always; a thread that goes on can see it."""
    cancel, entered, seen = Cancel(), threading.Event(), threading.Event()

    def work() -> None:
        entered.set()
        if cancel.wait(60):
            seen.set()

    for each in (work, asyncio.Event().wait):
        entered.clear()
        going = asyncio.ensure_future(perform(each, cancel=cancel if each is work else Cancel()))
        await (asyncio.to_thread(entered.wait) if each is work else asyncio.sleep(0))
        going.cancel()
        with pytest.raises(asyncio.CancelledError):
            await going
    assert await asyncio.to_thread(seen.wait, 10)
    assert cancel.source == "caller"


def test_the_first_who_asks_is_the_source_and_the_latency_counts_from_there() -> None:
    """A second wish changes nothing, nor does a second acknowledgement."""
    looks = iter([10.0, 12.5, 99.0])
    cancel = Cancel(lambda: next(looks))

    assert [cancel.request("first"), cancel.request("second")] == [True, False]
    assert (cancel.source, cancel.acknowledge(), cancel.acknowledge(), cancel.latency_s) == ("first", 2.5, 2.5, 2.5)


def test_who_wants_to_be_told_is_told_once_however_late() -> None:
    """Before, within and never after the block."""
    told: list[str] = []
    cancel = Cancel()
    with cancel.tells(lambda: told.append("within")):
        cancel.request("x")
    with cancel.tells(lambda: told.append("late")):
        pass
    assert told == ["within", "late"]


def test_a_wish_for_what_is_gone_with_its_loop_raises_nothing() -> None:
    """Whoever asks cannot know that the event loop has been closed meanwhile."""
    cancel = Cancel()
    loop = asyncio.new_event_loop()
    waiting = perform(asyncio.Event().wait, cancel=cancel)
    task = loop.create_task(waiting)
    loop.run_until_complete(asyncio.sleep(0))
    loop.run_until_complete(asyncio.sleep(0))
    pending = asyncio.all_tasks(loop)
    loop.close()
    assert cancel.request("operator") is True
    assert not task.done()
    for each in pending:
        each._log_destroy_pending = False  # type: ignore[attr-defined]
        each.get_coro().close()
