from __future__ import annotations

import asyncio
import contextlib
import gc
import inspect
import traceback
import weakref
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from otel_agents.operation import current
from otel_agents.patching.table import Call, Start
from otel_agents.semconv import kinds as k
from tests.patching.conftest import MATERIAL, Rows, Told

PAUSED = (f"{MATERIAL}:Pause",)
OK = (f"{MATERIAL}:Detour",)


def call(host: ModuleType, shape: str, what: Any) -> Any:
    """Have host code of a shape do one thing, and return all that it gave."""
    made = getattr(host, shape)(what)
    if inspect.isasyncgen(made):
        return asyncio.run(drained(made))
    if inspect.isawaitable(made):
        return asyncio.run(awaited(made))
    return next(made) if inspect.isgenerator(made) else made


async def drained(stream: Any) -> Any:
    """Return the one item of a stream."""
    (item,) = [item async for item in stream]
    return item


async def awaited(made: Any) -> Any:
    """Wait for it."""
    return await made


def by_hand(made: Any) -> None:
    """Drive a coroutine, generator or async generator without an event loop, which makes cycles of its own."""
    steps = made.__anext__() if inspect.isasyncgen(made) else made
    while True:
        steps.send(None)


SHAPES = ["plain", "coro", "gen", "agen"]
ENDINGS: dict[str, Any] = {
    "error": ValueError("wrong"),
    "cancelled": asyncio.CancelledError(),
    "paused": "Pause",
    "ok": "Detour",
    "abandoned": GeneratorExit(),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_call_is_one_operation(host: ModuleType, rows: Rows, told: Told, shape: str) -> None:
    """A call that returns is one operation that ends ok, and the host gets what it would have got."""
    rows.node(shape)
    value = object()
    made = getattr(host, shape)
    assert call(host, shape, value) is value
    gc.collect()
    outcome = "abandoned" if shape == "gen" else "ok"  # next() once, and dropped
    assert told.ends == [(shape, outcome)]
    assert made is getattr(host, shape)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("outcome", ENDINGS)
def test_a_call_ends_as_its_exception_says(host: ModuleType, rows: Rows, told: Told, shape: str, outcome: str) -> None:
    """The very exception comes out, and the operation ends once, by the exception's class and the row's lists."""
    rows.node(shape, paused=PAUSED, ok=OK)
    named = ENDINGS[outcome]
    error = named if isinstance(named, BaseException) else getattr(host, named)()
    with pytest.raises(type(error)) as raised:
        call(host, shape, error)
    assert raised.value is error
    assert told.ends == [(shape, outcome)]
    assert told.errors == [error if outcome == "error" else None]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_call_costs_one_frame(host: ModuleType, rows: Rows, told: Told, shape: str) -> None:
    """The traceback of a host's exception is one frame longer than without us."""
    lengths = []
    for patched in (False, True):
        if patched:
            rows.node(shape)
        with pytest.raises(ValueError, match="wrong") as raised:
            call(host, shape, ValueError("wrong"))
        lengths.append(len(traceback.extract_tb(raised.value.__traceback__)))
    assert lengths[1] - lengths[0] == 1


@pytest.mark.parametrize("shape", SHAPES)
def test_an_exception_keeps_its_context_and_cause(host: ModuleType, rows: Rows, told: Told, shape: str) -> None:
    """Nothing of ours shows in the chain of a host's exception."""
    rows.node(shape, failed=lambda operation, call, error: None)
    error = ValueError("wrong")
    with pytest.raises(ValueError, match="wrong"):
        call(host, shape, error)
    assert (error.__context__, error.__cause__, error.__suppress_context__) == (None, None, False)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_operation_is_current_while_the_host_runs(host: ModuleType, rows: Rows, told: Told, shape: str) -> None:
    """Host code sees its operation as current; its caller never does."""
    rows.node(shape)
    inside: list[object] = []
    call(host, shape, lambda: inside.append(current()))
    gc.collect()
    assert inside == told.operations
    assert current() is None


def test_calls_nest(host: ModuleType, rows: Rows, told: Told) -> None:
    """A patched call inside a patched call is its child."""
    rows.node("plain")
    host.plain(lambda: host.plain(1))
    outer, inner = told.operations
    assert inner.parent is outer
    assert outer.parent is None


@pytest.mark.parametrize("shape", ["coro", "gen", "agen"])
def test_what_is_never_run_starts_nothing(host: ModuleType, rows: Rows, told: Told, shape: str) -> None:
    """Coroutines, generators and async generators that nobody drives are no operation."""
    rows.node(shape)
    made = getattr(host, shape)(1)
    if shape == "coro":
        made.close()
    del made
    gc.collect()
    assert told.operations == []


def test_a_coroutine_that_is_closed_is_abandoned(host: ModuleType, rows: Rows, told: Told) -> None:
    """A coroutine that waits and is closed or collected ends as abandoned."""
    rows.node("coro")
    closed, dropped = host.coro(1), host.coro(1)
    closed.send(None)
    closed.close()
    dropped.send(None)
    del dropped
    gc.collect()
    assert told.ends == [("coro", "abandoned")] * 2


async def test_a_cancelled_task_is_cancelled(host: ModuleType, rows: Rows, told: Told) -> None:
    """Cancelling the task that awaits a coroutine cancels host and operation."""
    rows.node("coro")
    task = asyncio.create_task(host.coro(lambda: pytest.fail("it went on")))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert told.ends == [("coro", "cancelled")]


async def test_tasks_side_by_side_have_their_own_operations(host: ModuleType, rows: Rows, told: Told) -> None:
    """Coroutines that run at the same time each see their own operation."""
    rows.node("coro")
    seen = await asyncio.gather(*(host.coro(current) for _ in range(5)))
    assert set(seen) == set(told.operations)
    assert len(told.operations) == 5


def test_a_row_reads_arguments_and_result(host: ModuleType, rows: Rows, told: Told) -> None:
    """What ``before``, ``after`` and ``failed`` return decides about the operation."""
    rows.node(
        "plain",
        before=lambda call: Start(str(call.argument("what")), {"flex.node.id": call.argument("key", "none")}),
        after=lambda operation, call, result: "paused" if result == "wait" else None,
        failed=lambda operation, call, error: "cancelled" if str(error) == "enough" else "",
    )
    host.plain("wait", key="x")
    host.plain("go")
    with pytest.raises(ValueError, match="enough"):
        host.plain(ValueError("enough"))
    assert told.ends == [("wait", "paused"), ("go", "ok"), ("enough", "cancelled")]
    assert [operation.attributes["flex.node.id"] for operation in told.operations] == ["x", "none", "none"]


def test_rows_run_while_their_operation_is_current(host: ModuleType, rows: Rows, told: Told) -> None:
    """What ``after``, ``item`` and ``failed`` tell belongs to the operation; ``before`` still sees what is around."""
    seen: list[tuple[str, object]] = []

    def see(step: str) -> Callable[..., Any]:
        return lambda *_: seen.append((step, current()))

    def before(call: Call) -> Start:
        seen.append(("before", current()))
        return Start("gen")

    rows.node("gen", before=before, after=see("after"), item=see("item"), failed=see("failed"))
    list(host.gen(1))
    with pytest.raises(ValueError, match="wrong"):
        list(host.gen(ValueError("wrong")))
    first, second = told.operations
    assert seen == [
        ("before", None),
        ("item", first),
        ("after", first),
        ("before", None),
        ("failed", second),
    ]


def test_a_row_keeps_state_for_its_own_call(host: ModuleType, rows: Rows, told: Told) -> None:
    """``call.state`` set by ``before`` is there in ``after``, and is another one for a call inside."""
    ends: list[tuple[object, object]] = []

    def before(call: Call) -> Start:
        call.state = len(told.operations)
        return Start()

    rows.node("plain", before=before, after=lambda operation, call, result: ends.append((call.state, result)))
    host.plain(lambda: host.plain("inner"))
    assert ends == [(1, "inner"), (0, "inner")]


def test_a_call_that_the_row_does_not_want_goes_bare(host: ModuleType, rows: Rows, told: Told) -> None:
    """``before`` returning None means that nothing else of the row is asked."""
    rows.node("plain", before=lambda call: None, after=lambda *_: pytest.fail("asked"))
    assert host.plain(1) == 1
    assert told.operations == []


def test_a_row_may_choose_the_kind_of_a_call(host: ModuleType, rows: Rows, told: Told) -> None:
    """A start may name another kind, or that there is none and the row only looks on."""
    ends: list[object] = []
    starts = {"plan": Start(kind=k.PLAN), "tap": Start(is_tap=True), "node": Start("n")}
    rows.node(
        "plain",
        before=lambda call: starts[call.args[0]],
        after=lambda operation, call, result: ends.append(operation and operation.kind.name),
    )
    for what in starts:
        host.plain(what)
    assert [operation.kind.name for operation in told.operations] == ["plan", "node"]
    assert ends == ["plan", None, "node"]


def test_a_run_is_of_the_adapters_runtime_and_is_joined(host: ModuleType, rows: Rows, told: Told) -> None:
    """A run row needs no identity, and a run inside a run of the same runtime is no second one."""
    rows.node("plain", kind=k.RUN)
    host.plain(lambda: host.plain(1))
    (run,) = told.operations
    assert (run.kind, run.runtime, run.subject) == (k.RUN, "host", "plain")


def test_when_nobody_listens_the_row_is_not_asked(host: ModuleType, rows: Rows) -> None:
    """Without a listener each shape behaves as without us, and the row costs nothing."""
    rows.node(*SHAPES, before=lambda call: pytest.fail("asked"))
    assert [call(host, shape, "value") for shape in SHAPES] == ["value"] * len(SHAPES)


def test_arguments_of_any_name_and_number_pass(host: ModuleType, rows: Rows, told: Told) -> None:
    """No parameter of ours takes an argument of the host's away."""
    rows.node("plain")
    names = ["self", "args", "kwargs", "watch", "site", "original", "call", "operation", "what"]
    assert host.plain(1, 2, 3, key="x", **dict.fromkeys(names, 0)) == 1
    with pytest.raises(TypeError, match=r"Base\.method\(\) got an unexpected keyword"):
        host.Base().method(unknown=1)


def test_python_sees_the_same_kind_of_function(host: ModuleType, rows: Rows) -> None:
    """Inspection tells coroutine, generator and async generator functions apart as before."""
    before = [_kinds(getattr(host, shape)) for shape in SHAPES]
    rows.node(*SHAPES)
    assert [_kinds(getattr(host, shape)) for shape in SHAPES] == before


def _kinds(function: Any) -> tuple[bool, ...]:
    tests = (inspect.isfunction, inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction)
    return tuple(test(function) for test in tests)


class Thing:
    """What a frame holds on to."""


@pytest.mark.parametrize("shape", SHAPES)
def test_objects_of_a_failed_call_are_let_go_at_once(host: ModuleType, rows: Rows, told: Told, shape: str) -> None:
    """An exception and the objects in its frames die with the host's last reference, without the collector."""
    rows.node(shape)
    things: list[weakref.ref[Thing]] = []

    def fails() -> None:
        thing = Thing()
        things.append(weakref.ref(thing))
        raise ValueError

    collects = gc.isenabled()
    gc.disable()
    try:
        with contextlib.suppress(ValueError):
            by_hand(getattr(host, shape)(fails))
        told.errors.clear()
        assert [thing() for thing in things] == [None]
    finally:
        if collects:
            gc.enable()
