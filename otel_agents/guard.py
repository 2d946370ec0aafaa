"""Swallow what fails inside us, count it and say so; must not know OpenTelemetry, signals or who calls it."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TypeVar, TypeVarTuple

from otel_agents import notice

__all__ = ["each", "errors", "reset", "run", "strict", "swallowed"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

LOG_EVERY_S = 60.0
MAX_PLACES = 256
MAX_FRAMES = 8
OVERFLOW = "_other"
LOGGER = "otel_agents.guard"


class _State:
    """What the process knows about its own failures; one per process, renewed in a forked child."""

    __slots__ = ("counts", "lock", "logged_at_s", "reporting", "strict", "unsaid")

    def __init__(self) -> None:
        # Re-entrant: a finalizer that the collector runs inside a locked section may fail and report, too.
        self.lock = threading.RLock()
        self.counts: dict[str, int] = {}
        self.logged_at_s: dict[str, float] = {}
        self.reporting = threading.local()
        self.strict = False
        # What may get lost uncounted: the host stands at the stack's limit, with no frame left to count in.
        self.unsaid: tuple[type[Exception], ...] = (RecursionError,)

    def set_strict(self, *, strict: bool) -> None:
        self.strict = strict
        self.unsaid = () if strict else (RecursionError,)


_state = _State()


def run(place: str, function: Callable[[*Ts], T], *args: *Ts) -> T | None:
    """Return `function(*args)`, or None when it raised an `Exception`.

    Args:
        place: Where this happened, from a closed set such as `signals.spans.start`; never a value of the host.

    Raises:
        Exception: Only inside `strict()`. What is no `Exception` (cancellation, exit, interrupt) always passes.
    """
    try:
        return function(*args)
    except Exception as exc:
        try:
            swallowed(place, exc)
        except _state.unsaid:
            pass
        return None


def each(place: str, functions: Iterable[Callable[[T], object]], argument: T) -> None:
    """Call every function with the argument, guarded from each other as by `run`: one frame for all, not one for each.

    Raises:
        Exception: Only inside `strict()`; the functions after the one that raised are not called then.
    """
    for function in functions:
        try:
            function(argument)
        except Exception as exc:
            try:
                swallowed(place, exc)
            except _state.unsaid:
                pass


def swallowed(place: str, exc: Exception) -> None:
    """Count and report a failure that the caller caught by itself; raises it again inside `strict()`."""
    counted = _count(place)
    if _state.strict:
        raise exc
    if getattr(_state.reporting, "on", False):
        return  # reporting has failed, or came back to us: the count is all there is
    _state.reporting.on = True
    try:
        if _is_due(counted):
            run(counted, _log, counted, exc)
    finally:
        _state.reporting.on = False


def errors() -> dict[str, int]:
    """Return a snapshot of swallowed failures by place; at most 256 places, the rest under `_other`."""
    with _state.lock:
        return dict(_state.counts)


@contextmanager
def strict() -> Iterator[None]:
    """Raise again what would be swallowed, in all threads, while the block runs; for tests."""
    before = _state.strict
    _state.set_strict(strict=True)
    try:
        yield
    finally:
        _state.set_strict(strict=before)


def reset() -> None:
    """Forget all counts and log times; the strict switch stays as it is."""
    with _state.lock:
        _state.counts.clear()
        _state.logged_at_s.clear()


def _count(place: str) -> str:
    """Return the place under which the failure was counted."""
    with _state.lock:
        known = place in _state.counts or len(_state.counts) < MAX_PLACES
        place = place if known else OVERFLOW
        _state.counts[place] = _state.counts.get(place, 0) + 1
        return place


def _is_due(place: str) -> bool:
    now_s = time.monotonic()
    with _state.lock:
        last_s = _state.logged_at_s.get(place)
        if last_s is not None and now_s - last_s < LOG_EVERY_S:
            return False
        _state.logged_at_s[place] = now_s
        return True


def _log(place: str, exc: Exception) -> None:
    # No message and no exc_info: an exception's text may quote what the host was working on.
    kind = type(exc)
    notice.warn(
        LOGGER,
        "otel-agents swallowed %s.%s at %s (the program is not affected; logged once a minute)%s",
        kind.__module__,
        kind.__qualname__,
        place,
        _frames(exc),
    )


def _frames(exc: Exception) -> str:
    """Name the innermost frames, one per line, without source text."""
    steps: deque[TracebackType] = deque(maxlen=MAX_FRAMES)
    step = exc.__traceback__
    while step is not None:
        steps.append(step)
        step = step.tb_next
    return "".join(_line(step) for step in steps)


def _line(step: TracebackType) -> str:
    code = step.tb_frame.f_code
    return f"\n  {code.co_filename}:{step.tb_lineno} in {code.co_qualname}"


def _renew() -> None:
    """Give a forked child its own lock: the parent's may be held by a thread that the child does not have."""
    _state.lock = threading.RLock()
    _state.reporting = threading.local()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_renew)
