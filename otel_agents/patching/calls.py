"""One path for all call shapes: closures that look, step and fail exactly as what they stand for.

The operation is current only while host code runs: around the call of a function, around the whole of a coroutine,
around each single step of a generator or async generator, never across a ``yield``. Must not know how a closure gets
to its place. A wrong argument list of a coroutine or generator function shows at its first step, not at the call.
"""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar, cast

from otel_agents import guard
from otel_agents.operation import ABANDONED, CANCELLED
from otel_agents.patching.entering import AWAITED, MAKERS, MANAGED, MANAGERS, Steps, observe
from otel_agents.patching.likeness import dress, parameters_of, unseen
from otel_agents.patching.steps import as_given, athrower, first_step, thrower
from otel_agents.patching.table import Patch
from otel_agents.patching.watch import SILENT, Held, Opened, Site, Watch

Host = TypeVar("Host", bound=Callable[..., Any])
Function = Callable[..., Any]
Build = Callable[[Function, Site], Function]


def function(original: Function, site: Site) -> Function:
    """A plain function."""

    def patched(*args: Any, **kwargs: Any) -> Any:
        watch = site.open(args, kwargs, Watch) if site.on else None
        if watch is None:
            return original(*args, **kwargs)
        watch.enter()
        try:
            result = original(*watch.args, **watch.kwargs)
        except BaseException as error:
            watch.fail(error)
            raise
        return watch.finish(result)

    return patched


def coroutine(original: Function, site: Site) -> Function:
    """A coroutine function; starts when it is first awaited."""

    async def patched(*args: Any, **kwargs: Any) -> Any:
        watch = site.open(args, kwargs, Watch) if site.on else None
        if watch is None:
            return await original(*args, **kwargs)
        watch.enter()
        try:
            result = await original(*watch.args, **watch.kwargs)
        except BaseException as error:
            watch.fail(error)
            raise
        return watch.finish(result)

    return patched


def generator(original: Function, site: Site) -> Function:
    """A generator function; starts at the first step."""

    def patched(*args: Any, **kwargs: Any) -> Any:
        watch = site.open(args, kwargs, Watch) if site.on else None
        watch = watch or Watch(args, kwargs, site.parameters, SILENT)
        stream = sent = thrown = None
        outcome = ""
        while True:
            watch.enter()
            try:
                if stream is None:
                    stream = original(*watch.args, **watch.kwargs)
                    item = next(stream)
                elif thrown is not None:
                    item = thrower(stream)(thrown)
                else:
                    item = next(stream) if sent is None else stream.send(sent)
            except StopIteration as stop:
                return watch.finish(stop.value, outcome)
            except BaseException as error:
                watch.fail(error)
                raise
            finally:
                thrown = None  # its traceback holds this frame
            watch.rest(item)
            try:
                sent = yield item
            except BaseException as error:  # is passed on outside of this block, or it would become a context
                thrown, outcome = as_given(error), _if_closed(error)

    return patched


def async_generator(original: Function, site: Site) -> Function:
    """An async generator function; starts at the first step."""

    async def patched(*args: Any, **kwargs: Any) -> Any:
        watch: Watch | None = site.open(args, kwargs, Held) if site.on else None
        watch = watch or Watch(args, kwargs, site.parameters, SILENT)
        stream = sent = thrown = None
        outcome = ""
        while True:
            watch.enter()
            try:
                if stream is None:
                    stream = original(*watch.args, **watch.kwargs)
                    item = await first_step(stream)
                elif thrown is not None:
                    item = await athrower(stream)(thrown)
                else:
                    item = await (stream.__anext__() if sent is None else stream.asend(sent))
            except StopAsyncIteration:
                watch.finish(None, outcome)
                return
            except BaseException as error:
                watch.fail(error)
                raise
            finally:
                thrown = None  # its traceback holds this frame
            watch.rest(item)
            try:
                sent = yield item
            except BaseException as error:  # is passed on outside of this block, or it would become a context
                thrown, outcome = as_given(error), _if_closed(error)

    return patched


def returns_iterator(original: Function, site: Site) -> Function:
    """A plain function that returns a generator or an async generator; starts at the first step."""

    def patched(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        follow = FOLLOWED.get(type(result))
        if follow is None or not site.is_heard():
            return result
        return _named(follow(lambda *_, **__: result, site)(*args, **kwargs), result)

    return patched


def returns_anything(original: Function, site: Site) -> Function:
    """A plain function of which nobody said what it returns; starts with the call, and ends with what that gave."""

    def patched(*args: Any, **kwargs: Any) -> Any:
        watch = site.open(args, kwargs, Held) if site.on else None
        if watch is None:
            return original(*args, **kwargs)
        watch.enter()
        try:
            result = original(*watch.args, **watch.kwargs)
        except BaseException as error:
            watch.fail(error)
            raise
        if type(result) is types.CoroutineType:
            watch.leave()
            watch.unstarted = result
            return _named(_awaited(watch), result)
        if type(result) in FOLLOWED:
            watch.leave()
            return _named(FOLLOWED[type(result)](lambda *_, **__: result, Opened(watch))(), result)
        if issubclass(type(result), MANAGERS):
            watch.leave()
            guard.run(site.at["after"], observe, result, site, Opened(watch).open, STEPS, MANAGED)
            return result
        if guard.run(site.at["after"], _settles, result, watch) or (
            site.patch.shape == "returns_awaitable"
            and guard.run(site.at["after"], observe, result, site, Opened(watch).open, STEPS, AWAITED)
        ):
            watch.leave()
            return result
        return watch.finish(result)

    return patched


def context_manager(original: Function, site: Site) -> Function:
    """A plain function that returns a context manager, async or not; starts when that is entered."""

    def patched(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        if site.is_heard():
            opens = functools.partial(site.open, args, kwargs, Held)
            guard.run(site.at["before"], observe, result, site, opens, STEPS, MANAGED)
        return result

    return patched


FOLLOWED: Final = {types.GeneratorType: generator, types.AsyncGeneratorType: async_generator}
BY_KIND: Final[tuple[tuple[Callable[[object], bool], Build], ...]] = (
    (inspect.isasyncgenfunction, async_generator),
    (inspect.isgeneratorfunction, generator),
    (inspect.iscoroutinefunction, coroutine),
)
SHAPES: Final[Mapping[str, Build]] = {
    "returns_awaitable": returns_anything,
    "returns_iterator": returns_iterator,
    "context_manager": context_manager,
    "async_context_manager": context_manager,
    "returns_anything": returns_anything,
}


def shaped(original: Function, site: Site, like: Any = None) -> Function:
    """Return a closure over ``original`` that looks like ``like`` (by default the same).

    It has the shape of ``like``, or of what a call returns where the row says so.
    """
    like = original if like is None else like
    shape = site.patch.shape
    if shape == "returns_anything" and getattr(like, "__code__", None) in MAKERS:
        shape = "context_manager"
    builder = next((build for is_it, build in BY_KIND if is_it(like)), SHAPES.get(shape, function))
    return cast("Function", dress(builder(original, site), like))


def wrap(host: Host, patch: Patch, runtime: str) -> Host:
    """Return the function, static method or class method, each call of it watched; what a decorator is made of.

    Its row is asked on every call, whether anybody listens or not: it may be what makes somebody listen.
    """
    kind: Any = type(host) if isinstance(host, staticmethod | classmethod) else None
    original = host if kind is None else host.__func__  # type: ignore[attr-defined]
    closure = shaped(original, Site(patch, runtime, runtime, parameters_of(original), always=True))
    return cast("Host", closure if kind is None else kind(closure))


def _if_closed(error: BaseException) -> str:
    """Return the outcome of a generator that ends after this was thrown into it, even when it swallows that."""
    return ABANDONED if isinstance(error, GeneratorExit) else ""


def _named(ours: Any, host: Any) -> Any:
    ours.__name__, ours.__qualname__ = host.__name__, host.__qualname__
    return ours


@unseen
async def _awaited(watch: Held) -> Any:
    result, watch.unstarted = watch.unstarted, None
    watch.enter()
    return watch.finish(await _held(result, watch))


@unseen
async def _held(awaitable: Any, watch: Watch) -> Any:
    """Wait for something; when that raises, the watch has ended with it."""
    try:
        return await awaitable
    except BaseException as error:
        watch.fail(error)
        raise


@unseen
def _ran(watch: Watch, step: Function, *args: Any) -> Any:
    """Take a step; when that raises, the watch has ended with it."""
    try:
        return step(*args)
    except BaseException as error:
        watch.fail(error)
        raise


STEPS: Final = Steps(_held, _ran)


def _settles(result: Any, watch: Watch) -> bool:
    """Whether the result is a future, with which the watch will end."""
    if not hasattr(type(result), "add_done_callback"):
        return False
    result.add_done_callback(lambda future: guard.run(watch.site.at["end"], _settled, watch, future))
    return True


def _settled(watch: Watch, future: Any) -> None:
    """End with a future. Its exception is not asked for by ``exception()``: that would keep asyncio from telling."""
    error = None if future.cancelled() else getattr(future, "_exception", None)
    if error is not None:
        watch.fail(error)
    elif future.cancelled():
        watch.finish(None, CANCELLED)
    else:
        watch.finish(future.result())
