"""The mode of a team, and who waits for it to change; must not know what work is."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import Final, Literal

from otel_agents.runtime.yolo.errors import BadValueError, NotActiveError, StoppedError

Mode = Literal["active", "paused", "off"]

ACTIVE: Final = "active"
PAUSED: Final = "paused"
OFF: Final = "off"
MODES: Final[tuple[Mode, ...]] = (ACTIVE, PAUSED, OFF)


class Gate:
    """Stands before every step: open while active, shut while paused. May be set from any thread."""

    def __init__(self) -> None:
        self.mode: Mode = OFF
        self._lock = threading.Lock()
        self._waiting: set[asyncio.Future[None]] = set()

    def set(self, mode: Mode) -> bool:
        """Change the mode; returns whether it is another one than before."""
        if mode not in MODES:
            raise BadValueError(f"there is no mode {mode!r}; modes are {', '.join(MODES)}")
        with self._lock:
            before, self.mode = self.mode, mode
            waiting = list(self._waiting)
        for future in waiting:
            with suppress(RuntimeError):  # its loop is closed, and nobody waits there any more
                future.get_loop().call_soon_threadsafe(_wake, future)
        return mode != before

    def require(self, what: str) -> None:
        """Raise NotActiveError unless the mode is active."""
        if self.mode != ACTIVE:
            raise NotActiveError(f"{what} is refused: the team is {self.mode}")

    async def passed(self) -> None:
        """Wait while the mode is paused; raises StoppedError when it is off."""
        while True:
            future = asyncio.get_running_loop().create_future()
            with self._lock:
                if self.mode != PAUSED:
                    break
                self._waiting.add(future)
            try:
                await future
            finally:
                with self._lock:
                    self._waiting.discard(future)
        if self.mode == OFF:
            raise StoppedError("the team is off")


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
