"""Hears SIGHUP without taking it from the host; must not know what for."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

SIGHUP: Final = getattr(signal, "SIGHUP", None)  # not on Windows


class Hangup:
    """Has a function called at SIGHUP, and then what the host wants to happen.

    A host that ignores the signal goes on ignoring it, for programs that it starts inherit that. A host that ends by
    it goes on doing so when it runs in a terminal, which tells by it that it is gone; without a terminal the signal
    is only ever sent to have files opened again.
    """

    def __init__(self, then: Callable[[], None]) -> None:
        self._then: Callable[[], None] | None = then
        self._before: Any = None

    def install(self) -> None:
        """Begin to hear, where that can be: in the main thread, with a handler that can be called afterwards."""
        if SIGHUP is None or threading.current_thread() is not threading.main_thread():
            return
        before = signal.getsignal(SIGHUP)
        if callable(before) or (before is signal.SIG_DFL and not _has_terminal()):
            self._before = before
            try:
                signal.signal(SIGHUP, self._hear)
            except ValueError:  # the main thread of an interpreter that is not the main one
                pass

    def remove(self) -> None:
        """Put the host's handler back, unless it has another by now; from then on nothing is called."""
        self._then = None
        is_main = threading.current_thread() is threading.main_thread()
        if SIGHUP is not None and is_main and signal.getsignal(SIGHUP) == self._hear:
            signal.signal(SIGHUP, self._before)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self._then is not None:
            self._then()
        if callable(self._before):
            self._before(number, frame)
        elif self._then is None:  # removed where that could not be undone: as if we had never been here
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)


def _has_terminal() -> bool:
    try:
        terminal = os.open(os.ctermid(), os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    os.close(terminal)
    return True
