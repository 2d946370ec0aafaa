"""Knows when the garbage collector runs host code in this thread, and does our part elsewhere; must not know watches.

The collector may run between any two lines, also while a metrics SDK holds a lock that is not re-entrant. A generator
that it closes then ends an operation, which wants that lock: in the same thread that would wait for ever.
"""

from __future__ import annotations

import _thread
import gc
import sys
from collections import deque
from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Final, TypeVarTuple

Ts = TypeVarTuple("Ts")

KEPT: Final = 8
RUNS_ANYWHERE: Final = sys.version_info < (3, 12)  # later the collector runs between two lines of Python only

_at_work: int | None = None  # the thread in which the collector runs
_contexts: deque[Context] = deque(maxlen=KEPT)  # as they were when a finalizer first changed a context variable
_is_kept = False  # in this collection


def listen() -> None:
    """Have the collector say when it starts and stops; once is enough."""
    if _note not in gc.callbacks:
        gc.callbacks.append(_note)


def is_collecting() -> bool:
    """Whether this runs inside the garbage collector."""
    return _at_work is not None and _at_work == _thread.get_ident()


def keep_context() -> None:
    """Let a finalizer change context variables after this.

    The collector may run inside ``ContextVar.set``, which then goes on with the old mapping: if a finalizer sets a
    variable, too, nobody else holds that mapping any more, and the interpreter crashes.
    """
    global _is_kept
    if RUNS_ANYWHERE and _at_work is not None and not _is_kept and is_collecting():
        _is_kept = True
        _contexts.append(copy_context())


def elsewhere(function: Callable[[*Ts], object], *args: *Ts) -> None:
    """Call a function in a thread of its own; here, when the interpreter is too far gone for threads."""
    try:
        _thread.start_new_thread(function, args)  # threading.Thread would take locks of its own
    except RuntimeError:
        function(*args)


def _note(phase: str, info: object) -> None:
    global _at_work, _is_kept
    _at_work = _thread.get_ident() if phase == "start" else None
    _is_kept = False
