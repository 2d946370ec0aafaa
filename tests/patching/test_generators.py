from __future__ import annotations

import asyncio
import contextlib
import gc
import inspect
import sys
import threading
from collections.abc import AsyncIterator, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_agents.operation import OK, Operation, Signal, current
from otel_agents.patching.calls import shaped
from otel_agents.patching.table import Parameters, Patch
from otel_agents.patching.watch import Site
from otel_agents.recorder import RECORDER
from otel_agents.semconv import kinds as k
from tests.patching.conftest import Rows, Told

# The host's side of the protocol: what a generator does with what is thrown in at each of its yields.
REACTIONS = ("pass", "swallow", "return", "replace", "yield again", "stop", "raise")
# The caller's side.
MOVES = st.lists(
    st.one_of(
        st.just(("next", None)),
        st.tuples(st.just("send"), st.integers(0, 3) | st.none()),
        st.tuples(st.just("throw"), st.sampled_from([ValueError, KeyError, StopIteration, StopAsyncIteration])),
        st.just(("throw", GeneratorExit)),
        st.just(("close", None)),
    ),
    max_size=8,
)
PROGRAMS = st.lists(st.sampled_from(REACTIONS), max_size=5)


def react(reaction: str, error: BaseException, log: list[object]) -> None:
    """Do with what was thrown in what the program says; False return means to return from the generator."""
    log.append(type(error).__name__)
    if reaction in ("pass", "stop"):
        raise error
    if reaction == "replace":
        raise LookupError("replaced")


def reacting(program: list[str], log: list[object]) -> Generator[object, object, object]:
    """A generator that follows a program."""
    for number, reaction in enumerate(program):
        if reaction == "raise":
            raise OSError(number)
        if reaction == "stop":
            raise StopIteration(number)  # noqa: PLR1708 - what a careless generator does
        try:
            log.append((yield number))
        except BaseException as error:
            react(reaction, error, log)
            if reaction == "return":
                return "returned"
            if reaction == "yield again":
                log.append((yield "again"))
    return "done"


async def reacting_async(program: list[str], log: list[object]) -> AsyncIterator[object]:
    """An async generator that follows a program."""
    for number, reaction in enumerate(program):
        await Turn()
        if reaction == "raise":
            raise OSError(number)
        if reaction == "stop":
            raise StopAsyncIteration(number)
        try:
            log.append((yield number))
        except BaseException as error:
            await Turn()
            react(reaction, error, log)
            if reaction == "return":
                return
            if reaction == "yield again":
                log.append((yield "again"))


class Turn:
    """Gives the driver of a coroutine one turn."""

    def __await__(self) -> Generator[None, None, None]:
        yield


def by_hand(awaitable: Any) -> Any:
    """Drive an awaitable to its end."""
    steps = awaitable.__await__()
    try:
        while True:
            assert next(steps) is None
    except StopIteration as stop:
        return stop.value


def described(error: BaseException | None, thrown: list[BaseException]) -> object:
    """Return all that a caller can see of an exception, but for its traceback."""
    if error is None:
        return None
    told = type(error).__name__, [str(arg) for arg in error.args], getattr(error, "value", None)
    position = [error is one for one in thrown]
    cause = described(error.__cause__, thrown)
    around = described(error.__context__, thrown)
    return told, position, cause, around


def played(made: Any, moves: list[tuple[str, Any]], *, close: bool = True) -> list[object]:
    """Make the moves and return what came of each."""
    trace: list[object] = []
    thrown: list[BaseException] = []
    prefix = "a" if inspect.isasyncgen(made) else ""
    wait: Callable[[Any], Any] = by_hand if prefix else (lambda value: value)
    for move, what in moves:
        given = what("given") if move == "throw" else what
        thrown += [given] if move == "throw" else []
        try:
            if move == "next":
                trace.append(wait(made.__anext__() if prefix else next(made)))
            elif move == "close":
                trace.append(wait(getattr(made, f"{prefix}close")()))
            else:
                trace.append(wait(getattr(made, prefix + move)(given)))
        except BaseException as error:
            trace.append(described(error, thrown))
    for _ in range(12 if close else 0):  # one that yields when it is closed is closed again
        with contextlib.suppress(RuntimeError, LookupError, OSError, StopAsyncIteration):
            wait(getattr(made, f"{prefix}close")())
    return trace


def watched(original: Callable[..., Any], *, on: bool = True) -> Callable[..., Any]:
    """Return the function as it is patched."""
    site = Site(Patch("here:host", k.NODE), "host", "host", Parameters({}))
    site.on = on
    return shaped(original, site)


# An async generator that yields when it is closed cannot be closed any more; Python complains, watched or not.
IGNORED = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


class Ends(Signal):
    """Counts starts and ends."""

    name = "ends"

    def __init__(self) -> None:
        self.started_count = 0
        self.outcomes: list[str] = []

    def started(self, operation: Operation) -> None:
        self.started_count += 1

    def ended(self, operation: Operation) -> None:
        self.outcomes.append(operation.outcome)


@IGNORED
@pytest.mark.parametrize("original", [reacting, reacting_async])
@settings(max_examples=400, deadline=None)
@given(program=PROGRAMS, moves=MOVES)
def test_a_watched_generator_is_the_same_to_its_caller(
    original: Callable[..., Any], program: list[str], moves: list[tuple[str, Any]]
) -> None:
    """Any sequence of next, send, throw and close gives the same values, exceptions, contexts and inner events."""
    signal = Ends()
    RECORDER.install((signal,), listening=lambda: True)
    try:
        seen, logs = [], []
        for function in (original, watched(original)):
            log: list[object] = []
            seen.append(played(function(program, log), moves))
            logs.append(log)
        assert seen[0] == seen[1]
        assert logs[0] == logs[1]
        assert len(signal.outcomes) == signal.started_count <= 1
        assert current() is None
    finally:
        RECORDER.install(())


@IGNORED
@pytest.mark.parametrize("original", [reacting, reacting_async])
@settings(max_examples=200, deadline=None)
@given(program=PROGRAMS, moves=MOVES)
def test_a_bare_generator_is_the_same_to_its_caller(
    original: Callable[..., Any], program: list[str], moves: list[tuple[str, Any]]
) -> None:
    """The same holds while nobody listens, and after the row was taken out of force."""
    seen = [
        played(function(program, []), moves) for function in (original, watched(original), watched(original, on=False))
    ]
    assert seen[0] == seen[1] == seen[2]


def test_a_generator_hands_on_what_it_returns(host: ModuleType, rows: Rows, told: Told) -> None:
    """``yield from`` a patched generator gives its return value, and ``after`` sees it."""
    seen: list[object] = []
    rows.node("gen", after=lambda operation, call, result: seen.append(result))

    def outer() -> Generator[object, object, object]:
        return (yield from host.gen(1, 2, result="all"))

    steps = outer()
    assert list(iter(lambda: next(steps, None), None)) == [1, 2]
    assert seen == ["all"]
    assert told.ends == [("gen", "ok")]


def test_nothing_is_current_between_steps(host: ModuleType, rows: Rows, told: Told) -> None:
    """The consumer of a generator never sees its operation as current, also while two are open."""
    rows.node("gen")
    one, two = host.gen(current, current), host.gen(current, current)
    steps = [(next(stream), current()) for stream in (one, two, two, one)]
    first, second = told.operations
    assert steps == [(first, None), (second, None), (second, None), (first, None)]
    assert list(one) == list(two) == []
    assert told.ends == [("gen", "ok")] * 2


def test_the_operation_starts_at_the_first_step_inside_what_is_current_then(
    host: ModuleType, rows: Rows, told: Told
) -> None:
    """A generator belongs to who iterates it first, not to who made it."""
    rows.node("gen", "plain")
    made = host.gen(1)
    host.plain(lambda: next(made))
    plain, gen = told.operations
    assert (plain.subject, gen.subject, gen.parent) == ("plain", "gen", plain)
    made.close()


@pytest.mark.parametrize("how", ["close", "delete", "break", "cycle"])
def test_a_generator_that_is_left_is_abandoned(host: ModuleType, rows: Rows, told: Told, how: str) -> None:
    """Closing, dropping, leaving a loop and the collector each end the operation once."""
    rows.node("gen")
    made: Any = host.gen(1, 2)
    next(made)
    if how == "close":
        made.close()
        made.close()
    elif how == "cycle":
        ring: list[Any] = [made]
        ring.append(ring)
        del ring
    del made
    gc.collect()
    told.wait_for_ends(1)
    assert told.ends == [("gen", "abandoned")]


def test_a_generator_that_swallows_its_closing_is_abandoned(host: ModuleType, rows: Rows, told: Told) -> None:
    """Whether a generator lets GeneratorExit out or returns makes no difference to how it ended."""

    def swallowing() -> Generator[object, object, None]:
        with contextlib.suppress(GeneratorExit):
            yield None

    inner = watched(swallowing)()
    next(inner)
    inner.close()
    assert [outcome for _, outcome in told.ends] == ["abandoned"]


def test_each_step_of_a_generator_may_run_in_another_thread(host: ModuleType, rows: Rows, told: Told) -> None:
    """Steps in different threads and contexts see the operation, and leave nothing behind in any of them."""
    rows.node("gen")
    made = host.gen(current, current, current)
    contexts = [copy_context() for _ in range(3)]
    seen = []
    with ThreadPoolExecutor(1) as pool:
        for context in contexts:
            seen.append(pool.submit(context.run, next, made).result(5))
            assert context.run(current) is None
    assert seen == told.operations * 3
    made.close()


async def test_an_async_generator_may_be_closed_from_another_task(host: ModuleType, rows: Rows, told: Told) -> None:
    """Closing elsewhere ends the operation, and nothing complains about a context."""
    rows.node("agen")
    made = host.agen(1, 2)
    assert await made.__anext__() == 1
    await asyncio.create_task(made.aclose())
    assert told.ends == [("agen", "abandoned")]
    assert current() is None


async def test_an_async_generator_left_early_is_closed_by_the_loop(host: ModuleType, rows: Rows, told: Told) -> None:
    """The event loop closes ours, ours closes the host's: its cleanup may wait, and runs once."""
    cleaned: list[str] = []

    async def host_stream() -> AsyncIterator[int]:
        try:
            yield 1
            yield 2
        finally:
            await asyncio.sleep(0)
            cleaned.append("once")

    async for _ in watched(host_stream)():
        break
    gc.collect()
    for _ in range(5):
        await asyncio.sleep(0)
    assert cleaned == ["once"]
    assert [outcome for _, outcome in told.ends] == ["abandoned"]


def test_a_loop_that_ends_closes_what_is_open_once(told: Told) -> None:
    """At the end of asyncio.run open async generators are closed, and the loop has nothing to complain about."""
    cleaned: list[str] = []
    kept: list[Any] = []
    complaints: list[str] = []

    async def host_stream() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            await asyncio.sleep(0)
            cleaned.append("once")

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context["message"]))
        kept.append(watched(host_stream)())
        await kept[0].__anext__()

    asyncio.run(main())
    assert cleaned == ["once"]
    assert [outcome for _, outcome in told.ends] == ["abandoned"]
    assert complaints == []


def test_an_async_generator_that_no_loop_closes_ends_with_it(host: ModuleType, rows: Rows, told: Told) -> None:
    """When the loop is gone nothing runs in a dropped stream, and its operation ends all the same."""
    rows.node("agen")
    made = host.agen(1, 2)
    loop = asyncio.new_event_loop()
    assert loop.run_until_complete(made.__anext__()) == 1
    loop.close()
    del made
    gc.collect()
    assert told.ends == [("agen", "abandoned")]


async def test_a_consumer_that_is_cancelled_cancels_the_stream(host: ModuleType, rows: Rows, told: Told) -> None:
    """Cancelling a task that waits for the next item ends the operation as cancelled."""
    rows.node("agen")

    async def consume() -> None:
        async for _ in host.agen(1, 2):
            pytest.fail("it went on")

    task = asyncio.create_task(consume())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert told.ends == [("agen", "cancelled")]


async def test_two_consumers_at_once_are_refused_as_before(host: ModuleType, rows: Rows, told: Told) -> None:
    """Python's own words for a second asend while one runs stay the same."""
    messages = []
    for function in (host.agen, watched(host.agen)):
        made = function(1, 2)
        first = asyncio.create_task(made.__anext__())
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError) as raised:
            await made.__anext__()
        messages.append(str(raised.value))
        await first
        await made.aclose()
    assert messages[0] == messages[1]


def test_hooks_of_the_event_loop_are_left_as_they_were(host: ModuleType, rows: Rows, told: Told) -> None:
    """The loop learns of one generator, ours, and its hooks stand as before."""
    known: list[Any] = []
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(firstiter=known.append, finalizer=lambda made: None)
    mine = sys.get_asyncgen_hooks()
    try:
        made = watched(host.agen)(1)
        assert by_hand(made.__anext__()) == 1
        assert sys.get_asyncgen_hooks() == mine
        assert known == [made]
        by_hand(made.aclose())
    finally:
        sys.set_asyncgen_hooks(*hooks)


def test_iterators_in_disguise_are_followed(told: Told) -> None:
    """A function that says it is a generator function and returns a mere iterator works as it did."""
    made = shaped(lambda: iter([1, 2]), Site(Patch("here:host", k.NODE), "h", "h", Parameters({})), reacting)
    assert list(made()) == [1, 2]
    stepped = made()
    next(stepped)
    with pytest.raises(ValueError, match="thrown"):
        stepped.throw(ValueError("thrown"))
    assert [outcome for _, outcome in told.ends] == [OK, "error"]


async def test_async_iterators_in_disguise_are_followed(told: Told) -> None:
    """The same holds for async iterators."""

    class Stream:
        def __init__(self) -> None:
            self.items = iter([1, 2])

        async def __anext__(self) -> int:
            for item in self.items:
                return item
            raise StopAsyncIteration

    site = Site(Patch("here:host", k.NODE), "h", "h", Parameters({}))
    made = shaped(lambda: Stream(), site, reacting_async)  # noqa: PLW0108 - a function, not a class
    assert [item async for item in made()] == [1, 2]
    stepped = made()
    await stepped.__anext__()
    with pytest.raises(ValueError, match="thrown"):
        await stepped.athrow(ValueError("thrown"))
    assert [outcome for _, outcome in told.ends] == [OK, "error"]


class Locked(Signal):
    """Needs a lock for every end, as instruments of a metrics SDK do."""

    name = "locked"

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.ends: list[tuple[str, bool]] = []
        self.told = threading.Event()

    def ended(self, operation: Operation) -> None:
        held = self.lock.acquire(timeout=2)
        self.ends.append((operation.outcome, held))
        if held:
            self.lock.release()
        self.told.set()


@IGNORED
@pytest.mark.parametrize("original", [reacting, reacting_async])
@pytest.mark.parametrize("program", [["pass"], ["return"]])
def test_the_collector_ends_nothing_inside_a_lock(original: Callable[..., Any], program: list[str]) -> None:
    """An operation that ends because the collector found its generator never waits for a lock of the same thread."""
    signal = Locked()
    RECORDER.install((signal,), listening=lambda: True)
    try:
        made: Any = watched(original)(program, [])
        played(made, [("next", None)], close=False)
        ring: list[Any] = [made]
        ring.append(ring)
        del made, ring
        with signal.lock:
            gc.collect()
            assert signal.ends == []
        assert signal.told.wait(5)
        assert signal.ends == [("abandoned", True)]
        assert current() is None
    finally:
        RECORDER.install(())


def test_what_a_finalizer_calls_is_no_operation(host: ModuleType, rows: Rows, told: Told) -> None:
    """Host code that the collector runs is not watched: a lock may be held there, too."""
    rows.node("plain")

    class Final:
        def __init__(self) -> None:
            self.ring = self

        def __del__(self) -> None:
            called.append(host.plain("value"))

    called: list[object] = []
    Final()
    gc.collect()
    assert called == ["value"]
    assert told.operations == []
