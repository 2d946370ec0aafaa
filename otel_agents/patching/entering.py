"""A context manager, async or not, that tells when it is entered and left, and stays what it is; knows no patches."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, Final, NamedTuple

from otel_agents.patching.watch import Watch

Opens = Callable[[], Watch | None]


class Steps(NamedTuple):
    """How a step of the host is taken, so that the watch ends when it raises: one that is awaited, one that is not."""

    held: Callable[[Awaitable[Any], Watch], Awaitable[Any]]
    ran: Callable[..., Any]


_OPENS: Final = "_otel_agents_opens"
_WATCH: Final = "_otel_agents_watch"


def observe(manager: Any, opens: Opens, steps: Steps) -> None:
    """Have this one object watched from entering to leaving. It stays the object it is, of a subclass of its class.

    Raises TypeError for objects whose class cannot be changed; what is no context manager is left alone, and so is a
    class that keeps a list of its subclasses.
    """
    host: Any = type(manager)
    if not any(issubclass(host, kind) for kind in BODIES) or _counts_subclasses(host):
        return
    mine = vars(manager)
    if _OPENS not in mine:
        mine[_OPENS] = opens, steps
        manager.__class__ = _observed(host)


def _counts_subclasses(host: type) -> bool:
    owners = [owner for owner in host.__mro__ if "__init_subclass__" in vars(owner)]
    return any(owner.__module__ not in ("builtins", "typing") for owner in owners)


@functools.lru_cache(maxsize=64)  # host classes: few, unless a host makes classes by the call
def _observed(host: Any) -> type:
    names = {"__module__": host.__module__, "__qualname__": host.__qualname__, "__slots__": ()}
    for kind, body in BODIES.items():
        if issubclass(host, kind):
            names |= body(host)
    made: type = type(host)(host.__name__, (host,), names)
    return made


def _async_body(host: Any) -> dict[str, Any]:
    async def __aenter__(self: Any) -> Any:  # noqa: N807
        opens, steps = vars(self).pop(_OPENS, (_nobody, None))
        watch = opens()
        if watch is None:
            return await host.__aenter__(self)
        watch.enter()
        value = await steps.held(host.__aenter__(self), watch)
        vars(self)[_WATCH] = watch, value, steps
        return value

    async def __aexit__(self: Any, kind: Any, error: Any, traceback: Any) -> Any:  # noqa: N807
        watch, value, steps = vars(self).pop(_WATCH, (None, None, None))
        leaving = host.__aexit__(self, kind, error, traceback)
        if watch is None:
            return await leaving
        swallowed = await steps.held(leaving, watch)
        _left(watch, value, None if swallowed else error)
        return swallowed

    return {"__aenter__": __aenter__, "__aexit__": __aexit__}


def _body(host: Any) -> dict[str, Any]:
    def __enter__(self: Any) -> Any:  # noqa: N807
        opens, steps = vars(self).pop(_OPENS, (_nobody, None))
        watch = opens()
        if watch is None:
            return host.__enter__(self)
        watch.enter()
        value = steps.ran(watch, host.__enter__, self)
        vars(self)[_WATCH] = watch, value, steps
        return value

    def __exit__(self: Any, kind: Any, error: Any, traceback: Any) -> Any:  # noqa: N807
        watch, value, steps = vars(self).pop(_WATCH, (None, None, None))
        if watch is None:
            return host.__exit__(self, kind, error, traceback)
        swallowed = steps.ran(watch, host.__exit__, self, kind, error, traceback)
        _left(watch, value, None if swallowed else error)
        return swallowed

    return {"__enter__": __enter__, "__exit__": __exit__}


BODIES: Final = {contextlib.AbstractAsyncContextManager: _async_body, contextlib.AbstractContextManager: _body}


def _left(watch: Watch, value: Any, error: BaseException | None) -> None:
    if error is None:
        watch.finish(value)
    else:
        watch.fail(error)


def _nobody() -> None:
    return None


@contextlib.contextmanager
def _manager() -> Iterator[None]:
    yield


@contextlib.asynccontextmanager
async def _async_manager() -> AsyncIterator[None]:
    yield


MANAGERS: Final = (type(_manager()), type(_async_manager()))  # nothing else returns these but what is one by nature
