"""The rows that take the current operation into threads; nothing else of the host's context, and no process pools.

Tasks of asyncio and ``asyncio.to_thread`` copy the context by themselves; thread pools, ``loop.run_in_executor`` and
threads do not.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from otel_agents.operation import Operation, current
from otel_agents.patching.likeness import unseen
from otel_agents.patching.table import Adapter, Arguments, Call, Patch
from otel_agents.recorder import RECORDER

_NOTHING: Final = object()
_here: Final = threading.local()


def carried(function: Callable[..., Any], operation: Operation) -> Callable[..., Any]:
    """Return a function that does the same with the operation current, wherever it runs."""
    return partial(_carry, function, operation)


@unseen
def _carry(function: Callable[..., Any], operation: Operation, /, *args: Any, **kwargs: Any) -> Any:
    entered = RECORDER.enter(operation)
    try:
        return function(*args, **kwargs)
    finally:
        RECORDER.leave(operation, entered)


@unseen
def _once(mine: dict[str, Any], before: object, run: Callable[[], Any]) -> Any:
    """Be a thread's ``run``, put its own back, and do what it does."""
    _restore(mine, before)
    return run()


def _submitting(call: Call) -> None:
    """Keep the worker, if one is started for this, from taking over what is current only for the one who submits."""
    _here.submits = True


def _submitted(operation: None, call: Call, result: object) -> None:
    _here.submits = False


def _with_operation(call: Call) -> Arguments:
    operation = current()
    if operation is None:
        return call.args, call.kwargs
    pool, function, *rest = call.args
    return (pool, carried(function, operation), *rest), call.kwargs


def _starting(call: Call) -> None:
    """Have the thread's own ``run``, whoever defined it, run with the operation current."""
    operation = current()
    if operation is None or getattr(_here, "submits", False):
        return
    mine = vars(call.self)
    before = mine.get("run", _NOTHING)
    call.state = mine, before
    mine["run"] = partial(_once, mine, before, carried(call.self.run, operation))


def _not_started(operation: None, call: Call, error: BaseException) -> None:
    if call.state is not None:
        _restore(*call.state)


def _restore(mine: dict[str, Any], run: object) -> None:
    if run is _NOTHING:
        mine.pop("run", None)
    else:
        mine["run"] = run


THREADS: Final = Adapter(
    name="threads",
    runtime="",
    distribution="",
    tested=("3.11", "3.11"),
    patches=(
        Patch(
            "concurrent.futures.thread:ThreadPoolExecutor.submit",
            why="A pool's workers know nothing of who submits; frameworks run parallel nodes and tools in them.",
            before=_submitting,
            arguments=_with_operation,
            after=_submitted,
            failed=_submitted,
        ),
        Patch(
            "threading:Thread.start",
            why="A thread starts with an empty context; what it does belongs to the operation that started it.",
            before=_starting,
            failed=_not_started,
        ),
    ),
)
