"""An async context manager that tells when it is entered and left, and stays what it is; must not know patches."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Awaitable, Callable
from typing import Any, Final

from otel_agents.patching.watch import Watch

Opens = Callable[[], Watch | None]
Held = Callable[[Awaitable[Any], Watch], Awaitable[Any]]

_OPENS: Final = "_otel_agents_opens"
_WATCH: Final = "_otel_agents_watch"


def observe(manager: Any, opens: Opens, held: Held) -> None:
    """Have this one object watched from entering to leaving. It stays the object it is, of a subclass of its class.

    ``held`` waits for a step and ends the watch when that raises. Raises TypeError for objects whose class cannot be
    changed; what is no async context manager is left alone, and so is a class that keeps a list of its subclasses.
    """
    host = type(manager)
    if not issubclass(host, contextlib.AbstractAsyncContextManager) or _counts_subclasses(host):
        return
    mine = vars(manager)
    if _OPENS not in mine:
        mine[_OPENS] = opens, held
        manager.__class__ = _observed(host)


def _counts_subclasses(host: type) -> bool:
    owners = [owner for owner in host.__mro__ if "__init_subclass__" in vars(owner)]
    return any(owner.__module__ not in ("builtins", "typing") for owner in owners)


@functools.lru_cache(maxsize=64)  # host classes: few, unless a host makes classes by the call
def _observed(host: Any) -> type:
    async def __aenter__(self: Any) -> Any:  # noqa: N807
        opens, held = vars(self).pop(_OPENS, (_nobody, None))
        watch = opens()
        if watch is None:
            return await host.__aenter__(self)
        watch.enter()
        value = await held(host.__aenter__(self), watch)
        vars(self)[_WATCH] = watch, value, held
        return value

    async def __aexit__(self: Any, kind: Any, error: Any, traceback: Any) -> Any:  # noqa: N807
        watch, value, held = vars(self).pop(_WATCH, (None, None, None))
        leaving = host.__aexit__(self, kind, error, traceback)
        if watch is None:
            return await leaving
        swallowed = await held(leaving, watch)
        if error is None or swallowed:
            watch.finish(value)
        else:
            watch.fail(error)
        return swallowed

    body = {"__aenter__": __aenter__, "__aexit__": __aexit__, "__module__": host.__module__}
    made: type = type(host)(host.__name__, (host,), {**body, "__qualname__": host.__qualname__, "__slots__": ()})
    return made


def _nobody() -> None:
    return None
