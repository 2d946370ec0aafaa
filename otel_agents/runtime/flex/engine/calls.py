"""One call of foreign work: bounded in time, really stopped, and whatever it raises caught; knows no node and no run.

Coroutine functions run as a task, plain functions in a thread of their own. A thread cannot be stopped: when its time
is up it is left to itself, and its result is ignored.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from otel_agents.runtime.flex.capabilities import CapabilityError, Task, Work
from otel_agents.runtime.flex.problem import FlexError

STOP_S: Final = 1.0
"""Seconds that cancelled work has to clean up; after that it is left to itself like a thread."""


_left: Final[set[asyncio.Task[Any]]] = set()
"""Work that took no notice of being cancelled in time."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a call: a value, or an error."""

    value: Any = None
    error: Exception | None = None


async def call(work: Work, task: Task, timeout_s: float | None) -> Outcome:
    """Return what the work returned or raised; `node_timeout` when it took too long.

    Raises:
        asyncio.CancelledError: The caller is cancelled; the work was stopped before.
    """
    doing = asyncio.create_task(_do(work, task), name=f"flex-work-{task.node_id}")
    try:
        await asyncio.wait([doing], timeout=timeout_s)
        is_late = not doing.done()
    finally:
        await _stop(doing)
    if is_late:
        return Outcome(error=FlexError("node_timeout", f"It took longer than {timeout_s:g} s"))
    if doing.cancelled():
        return Outcome(error=CapabilityError("The work cancelled itself"))
    error = doing.exception()
    if error is None:
        return Outcome(doing.result())
    if not isinstance(error, Exception):
        error = CapabilityError(f"The work raised {type(error).__name__}")
    return Outcome(error=error)


async def _do(work: Work, task: Task) -> Mapping[str, Any]:
    try:
        if _is_coroutine_function(work):
            result = work(task)
        else:
            result = await _in_thread(lambda: work(task))
        return await result if inspect.isawaitable(result) else result
    except (SystemExit, KeyboardInterrupt) as error:  # the loop would pass them on to whoever runs it
        raise CapabilityError("The work wanted to end the process") from error


def _is_coroutine_function(work: Work) -> bool:
    return inspect.iscoroutinefunction(work) or inspect.iscoroutinefunction(getattr(work, "__call__", None))  # noqa: B004


async def _in_thread(work: Callable[[], Any]) -> Any:
    """Run in a daemon thread: one that never ends must not keep the process from ending, nor others from starting."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Any] = loop.create_future()
    context = contextvars.copy_context()

    def run() -> None:
        value, raised = None, None
        try:
            value = context.run(work)
        except BaseException as error:  # foreign code; raised again where it is awaited
            raised = error
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(_answer, done, value, raised)

    threading.Thread(target=run, name="flex-work", daemon=True).start()
    return await done


def _answer(done: asyncio.Future[Any], value: object, raised: BaseException | None) -> None:
    if done.done():
        return
    if raised is None:
        done.set_result(value)
    else:  # a future takes no StopIteration
        done.set_exception(RuntimeError("StopIteration") if isinstance(raised, StopIteration) else raised)


async def _stop(doing: asyncio.Task[Any]) -> None:
    if doing.done():
        return
    doing.cancel()
    doing.add_done_callback(_ignore)
    await asyncio.wait([doing], timeout=STOP_S)
    if not doing.done():
        _left.add(doing)
        doing.add_done_callback(_left.discard)


def end_left() -> None:
    """End the work of this loop that was left to itself: a loop that ends waits for all tasks, for ever if need be."""
    for doing in [each for each in _left if each.get_loop() is asyncio.get_running_loop() and not each.done()]:
        coroutine = doing.get_coro()
        if inspect.iscoroutine(coroutine):
            with suppress(RuntimeError):  # it takes no notice of that either
                coroutine.close()
            doing.cancel()


def _ignore(doing: asyncio.Task[Any]) -> None:
    """Look at the error, so that nobody complains that it was not looked at."""
    if not doing.cancelled():
        doing.exception()
