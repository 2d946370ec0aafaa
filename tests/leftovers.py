"""What a process still holds when its work is done: threads, file descriptors, locks."""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Iterator
from typing import Any

import psutil  # type: ignore[import-untyped]

LOCKS = (type(threading.Lock()), type(threading.RLock()))


def names_of_threads() -> list[str]:
    return sorted(each.name for each in threading.enumerate())


def descriptors() -> int:
    """Return how many file descriptors are open."""
    found: int = psutil.Process().num_fds()
    return found


def _fields(owner: Any) -> Iterator[tuple[str, Any]]:
    slots = [name for kind in type(owner).__mro__ for name in getattr(kind, "__slots__", ())]
    mine = getattr(owner, "__dict__", {})
    yield from dict(mine).items()
    yield from ((name, getattr(owner, name, None)) for name in slots)


def _locks() -> Iterator[tuple[str, Any]]:
    """Yield the locks of our modules and objects, and those in conditions of theirs, by name."""
    ours = [each for each in gc.get_objects() if str(type(each).__module__).startswith("otel_agents")]
    modules = [module for name, module in list(sys.modules.items()) if name.startswith("otel_agents")]
    for owner in (*modules, *ours):
        for name, value in _fields(owner):
            found = getattr(value, "_lock", None) if isinstance(value, threading.Condition) else value
            if isinstance(found, LOCKS):
                yield f"{getattr(owner, '__name__', type(owner).__name__)}.{name}", found


def locks() -> tuple[int, list[str]]:
    """Return how many locks of ours there are, and the names of those that somebody holds."""
    held: list[str] = []
    found = list(_locks())

    def look() -> None:
        for name, lock in found:
            if lock.acquire(blocking=False):
                lock.release()
            else:
                held.append(name)

    looking = threading.Thread(target=look)  # whoever holds a lock that may be taken again would not see it
    looking.start()
    looking.join()
    return len(found), held
