"""A host in a child process: forked or spawned, as a process or in a pool."""

from __future__ import annotations

import json
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from tests.transparency.situations import HOSTS, each_way
from tests.transparency.step import Here


def child(name: str, queue: Any = None) -> str:
    """Play a host, and return what could be seen, as text."""
    report = json.dumps(each_way(HOSTS[name], Here), sort_keys=True)
    if queue is not None:
        queue.put(report)
    return report


def pool(name: str, method: str) -> str:
    """Play in a pool of processes."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(method)) as workers:
        return workers.submit(child, name).result()


def process(name: str, method: str) -> str:
    """Play in a process, and return its exit code, too."""
    context: Any = multiprocessing.get_context(method)
    queue = context.SimpleQueue()
    started = context.Process(target=child, args=(name, queue))
    started.start()
    found = queue.get()
    started.join()
    return f"{started.exitcode} {found}"
