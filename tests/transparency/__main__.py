"""A host in a process of its own: `python -m tests.transparency HOST ENDING` plays it, and then ends in that way.

What it tells goes to stdout; warnings, log lines and tracebacks go to stderr, as those of any program do.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable
from typing import Any

from tests.transparency.children import pool, process
from tests.transparency.situations import ERRORS, HOSTS, Host, each_way
from tests.transparency.step import Here, failing
from tests.transparency.telling import LINES


class Shown(Here):
    """Steps whose story is shown at once, whoever takes them."""

    def tell(self, what: str) -> None:
        print(what, flush=True)


def one_way(host: Host, here: Here) -> Any:
    """Go the first way there is, in functions if there is one."""
    for way in host.sync.values():
        return way(here)
    return asyncio.run(next(iter(host.later.values()))(here))


def later(host: Host, here: Here) -> Any:
    """Go the first way in coroutines."""
    return asyncio.run(next(iter(host.later.values()))(here))


# Endings


def error(host: Host) -> None:
    """Raise what nobody catches."""
    one_way(host, Shown(failing(ERRORS["error"])))


def leave(host: Host) -> None:
    """Leave the interpreter in the middle of a step, with a code of one's own."""
    later(host, Shown(lambda: sys.exit(7)))


def interrupt(host: Host) -> None:
    """Get Ctrl-C in the middle of a step."""

    async def wait(here: Here) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        await here.forever()

    later(host, Shown(wait=wait))


def left_open(host: Host) -> None:
    """End while a thread is in the middle of a step."""
    entered = threading.Event()

    async def wait(here: Here) -> None:
        entered.set()
        await here.forever()

    threading.Thread(target=later, args=(host, Shown(wait=wait)), daemon=True).start()
    entered.wait()
    print("ends")


def processes(host: Host) -> None:
    """Work in children of every kind."""
    host.warm_up()
    for start in (process, pool):
        for method in ("fork", "spawn"):
            print(start.__name__, method, start(host.name, method), flush=True)


def nothing(host: Host) -> None:
    """Play, and end in good order."""
    print(json.dumps(each_way(host, Here), sort_keys=True, indent=1))


ENDINGS: dict[str, Callable[[Host], None]] = {
    each.__name__: each for each in (error, leave, interrupt, left_open, processes, nothing)
}


def main(name: str, ending: str) -> None:
    """Set up logging and warnings as programs do, and play."""
    logging.basicConfig(level=logging.INFO, format=LINES)
    logging.captureWarnings(capture=False)
    warnings.simplefilter("default")
    host = HOSTS[name]
    ENDINGS[ending](host)


if __name__ == "__main__":
    main(*sys.argv[1:])
