"""Time and chance as the engine takes them, so that a test can give its own; knows nothing that happens in it."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

MS: Final = 1000


@dataclass(frozen=True, slots=True)
class Clock:
    """What time it is, how time passes, and a number of [0, 1) by chance.

    Attributes:
        wall: Seconds since 1970, for what others read.
        monotonic: Seconds, for durations and deadlines.
    """

    wall: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    chance: Callable[[], float] = random.random

    def took_ms(self, began_s: float) -> float:
        """Return the milliseconds since a monotonic moment, as frames tell them."""
        return round((self.monotonic() - began_s) * MS, 3)
