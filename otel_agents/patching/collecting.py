"""Knows when the garbage collector runs host code in this thread, and does our part elsewhere; must not know watches.

The collector may run between any two lines, also while a metrics SDK holds a lock that is not re-entrant. A generator
that it closes then ends an operation, which wants that lock: in the same thread that would wait for ever.
"""

from __future__ import annotations

import _thread
import gc
from collections.abc import Callable
from typing import TypeVarTuple

Ts = TypeVarTuple("Ts")

_at_work: int | None = None  # the thread in which the collector runs


def listen() -> None:
    """Have the collector say when it starts and stops; once is enough."""
    if _note not in gc.callbacks:
        gc.callbacks.append(_note)


def is_collecting() -> bool:
    """Whether this runs inside the garbage collector."""
    return _at_work is not None and _at_work == _thread.get_ident()


def elsewhere(function: Callable[[*Ts], object], *args: *Ts) -> None:
    """Call a function in a thread of its own; here, when the interpreter is too far gone for threads."""
    try:
        _thread.start_new_thread(function, args)  # threading.Thread would take locks of its own
    except RuntimeError:
        function(*args)


def _note(phase: str, info: object) -> None:
    global _at_work
    _at_work = _thread.get_ident() if phase == "start" else None
