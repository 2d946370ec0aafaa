"""Memory and CPU of this process, without a dependency where the system tells; must not know who asks."""

from __future__ import annotations

import os
import time
from importlib import import_module
from pathlib import Path
from typing import Final, NamedTuple

from otel_agents import guard

STATM: Final = Path("/proc/self/statm")
RESIDENT_PAGES: Final = 1  # second number of the line
EVERY_NS: Final = 1_000_000_000  # several readers that look one after the other must not shorten each other's window


class Usage(NamedTuple):
    """What the process used. Memory in bytes, resident; CPU in percent of one core since the last look."""

    memory_bytes: int | None
    cpu_percent: float | None


def _from_statm() -> int:
    return int(STATM.read_bytes().split()[RESIDENT_PAGES]) * os.sysconf("SC_PAGE_SIZE")


def _from_psutil() -> int | None:
    try:
        psutil = import_module("psutil")
    except ModuleNotFoundError:
        return None
    resident: int = psutil.Process().memory_info().rss
    return resident


class Process:
    """Looks at the process, at most once a second."""

    def __init__(self) -> None:
        self._memory = _from_statm if STATM.exists() else _from_psutil
        self._looked_ns = time.monotonic_ns()
        self._cpu_ns = time.process_time_ns()
        self._usage: Usage | None = None

    def look(self) -> Usage:
        """Return what is used, at most a second old; the first look covers the time since the construction."""
        now_ns, before_ns = time.monotonic_ns(), self._looked_ns
        if self._usage is not None and now_ns - before_ns < EVERY_NS:
            return self._usage
        cpu_ns, cpu_before_ns = time.process_time_ns(), self._cpu_ns
        self._looked_ns, self._cpu_ns = now_ns, cpu_ns
        used_ns = max(cpu_ns - cpu_before_ns, 0)  # a forked child starts again at nothing
        self._usage = Usage(self._resident(), 100 * used_ns / max(now_ns - before_ns, 1))
        return self._usage

    def _resident(self) -> int | None:
        return guard.run("metrics.memory", self._memory)
