from __future__ import annotations

import sys
import types
from collections.abc import Coroutine
from types import ModuleType
from typing import Any, NoReturn

import pytest

from otel_agents import guard
from otel_agents.operation import Operation, Signal, current
from otel_agents.patching.table import Call, Start
from otel_agents.recorder import RECORDER
from otel_agents.semconv import kinds as k
from tests.patching.conftest import Rows, Told

SHAPES = ["plain", "coro", "gen", "agen"]


def drained(made: Any) -> Any:
    """Return what a coroutine returns, or all items of a generator or async generator."""
    ways = {types.AsyncGeneratorType: lambda made: by_hand(_drained(made)), types.CoroutineType: by_hand}
    return {**ways, types.GeneratorType: list}.get(type(made), lambda made: made)(made)


async def _drained(made: Any) -> list[object]:
    return [item async for item in made]


def by_hand(steps: Coroutine[Any, Any, Any]) -> Any:
    """Drive a coroutine without an event loop, which would look at what it returns."""
    try:
        while True:
            steps.send(None)
    except StopIteration as stop:
        return stop.value


def broken(*_: object) -> NoReturn:
    """Fail, as a row of ours may."""
    raise ZeroDivisionError("ours")


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("step", ["only", "before", "started", "after", "item", "result", "arguments"])
def test_a_row_that_fails_changes_nothing(host: ModuleType, rows: Rows, told: Told, shape: str, step: str) -> None:
    """Whatever part of a row raises, the host gets its result; the failure is counted under its step."""
    rows.node(shape, **{step: broken})
    expected = "value" if shape in ("plain", "coro") else ["value"]
    assert drained(getattr(host, shape)("value")) == expected
    places = {"only": "before", "started": "before", "arguments": "before"}
    asked = step != "item" or shape in ("gen", "agen")
    assert guard.errors() == ({f"patch.host.{places.get(step, step)}": 1} if asked else {})
    assert told.ends == ([] if step in ("only", "before") else [(shape, "ok")])
    guard.reset()


@pytest.mark.parametrize("shape", SHAPES)
def test_a_row_looks_at_some_calls_only(host: ModuleType, rows: Rows, told: Told, shape: str) -> None:
    """What ``only`` says no to passes unwatched."""
    rows.node(shape, only=lambda args: args == ("watched",))
    for value in ("other", "watched"):
        drained(getattr(host, shape)(value))
    assert told.ends == [(shape, "ok")]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_row_that_fails_on_failure_changes_nothing(host: ModuleType, rows: Rows, told: Told, shape: str) -> None:
    """The host's exception comes out as it was, without a trace of ours."""
    rows.node(shape, failed=broken)
    error = ValueError("wrong")
    with pytest.raises(ValueError, match="wrong") as raised:
        drained(getattr(host, shape)(error))
    assert raised.value is error
    assert error.__context__ is None
    assert guard.errors() == {"patch.host.failed": 1}
    assert told.ends == [(shape, "error")]
    guard.reset()


@pytest.mark.parametrize("step", ["after", "failed"])
def test_an_outcome_that_there_is_not_is_refused(host: ModuleType, rows: Rows, told: Told, step: str) -> None:
    """A row that names an unknown outcome is counted, and the operation ends as it would have."""
    rows.node("plain", **{step: lambda *_: "splendid"})
    if step == "after":
        host.plain()
    else:
        with pytest.raises(ValueError, match="wrong"):
            host.plain(ValueError("wrong"))
    assert guard.errors() == {f"patch.host.{step}": 1}
    assert told.ends == [("plain", "ok" if step == "after" else "error")]
    guard.reset()


class Hostile:
    """An argument that does harm to whoever looks at it."""

    __hash__ = None  # type: ignore[assignment]

    def __getattribute__(self, name: str) -> NoReturn:
        raise SystemError(name)

    def __repr__(self) -> NoReturn:
        raise SystemError("repr")

    def __eq__(self, other: object) -> NoReturn:
        raise SystemError("eq")

    def __bool__(self) -> NoReturn:
        raise SystemError("bool")


@pytest.mark.parametrize("shape", ["plain", "coro", "gen", "agen"])
def test_hostile_arguments_pass_through(host: ModuleType, rows: Rows, told: Told, shape: str) -> None:
    """Objects that raise at every touch come out as they went in."""
    thing = Hostile()

    def before(call: Call) -> Start:
        return Start(shape, {"flex.node.id": call.args[0]})

    rows.node(shape, before=before)
    result = drained(getattr(host, shape)(lambda: thing))
    assert (result[0] if shape in ("gen", "agen") else result) is thing
    assert told.ends == [(shape, "ok")]
    guard.reset()


def test_a_hostile_result_passes_through_every_shape(host: ModuleType, rows: Rows, told: Told) -> None:
    """A result that raises when it is looked at is handed on by rows that look at results."""
    for number, shape in enumerate(("returns_awaitable", "returns_iterator", "async_context_manager")):
        applied = rows.node("makes_value", shape=shape, name=str(number))
        thing = Hostile()
        assert host.makes_value(lambda thing=thing: thing) is thing
        applied.undo()
    guard.reset()


class Failing(Signal):
    """A signal that fails at everything."""

    name = "failing"
    started = ended = enter = leave = broken  # type: ignore[assignment]


@pytest.mark.parametrize("shape", SHAPES)
def test_signals_that_fail_change_nothing(host: ModuleType, rows: Rows, shape: str) -> None:
    """The host runs on whatever the signals do."""
    RECORDER.install((Failing(),), listening=lambda: True)
    guard.reset()
    try:
        rows.node(shape)
        assert drained(getattr(host, shape)("value")) in ("value", ["value"])
        assert set(guard.errors()) == {"signals.started", "signals.ended", "signals.enter", "signals.leave"}
    finally:
        RECORDER.install(())
        guard.reset()
    assert current() is None


def test_a_recorder_that_fails_changes_nothing(
    host: ModuleType, monkeypatch: pytest.MonkeyPatch, rows: Rows, told: Told
) -> None:
    """Even what must not fail may fail."""
    rows.node("plain")
    with monkeypatch.context() as worse:
        worse.setattr(RECORDER, "_begin", broken)
        assert host.plain("value") == "value"
        worse.undo()
        worse.setattr(RECORDER, "clock_ns", iter((1, 2)).__next__)  # fails when it is asked for the time of the end
        assert host.plain("value") == "value"
        worse.setattr(RECORDER, "clock_ns", iter((1, 2)).__next__)
        with pytest.raises(ValueError, match="wrong"):
            host.plain(ValueError("wrong"))
    assert guard.errors() == {"patch.host.before": 1, "patch.host.end": 2}
    guard.reset()


@pytest.mark.parametrize("margin", range(0, 60, 3))
def test_at_the_stacks_limit_the_host_goes_on(host: ModuleType, rows: Rows, told: Told, margin: int) -> None:
    """Where the stack is nearly used up the host's call still returns, or fails with the host's own error."""
    rows.node("plain")

    def deep(levels: int) -> object:
        return deep(levels - 1) if levels else host.plain("value")

    depth = _depth()
    limit = sys.getrecursionlimit()
    try:
        answer = deep(limit - depth - 6 - margin)
    except RecursionError:
        answer = "no room for the host itself"
    assert answer == "value" or margin < 6
    assert current() is None
    guard.reset()


def _depth() -> int:
    frame: types.FrameType | None = sys._getframe()
    depth = 0
    while frame is not None:
        frame, depth = frame.f_back, depth + 1
    return depth


def test_what_is_no_exception_of_ours_passes(host: ModuleType, rows: Rows, told: Told) -> None:
    """An interrupt that arrives while a row looks reaches the host."""

    def interrupted(call: Call) -> NoReturn:
        raise KeyboardInterrupt

    rows.node("plain", before=interrupted)
    with pytest.raises(KeyboardInterrupt):
        host.plain()


# Taps


def test_a_tap_sees_calls_and_makes_no_operation(host: ModuleType, rows: Rows, told: Told) -> None:
    """A tap's functions get None for the operation, and what is around the call stays current."""
    seen: list[tuple[str, object, object]] = []
    rows.node("coro")
    rows.node(
        "gen",
        name="tap",
        kind=None,
        before=lambda call: seen.append(("before", None, current())),
        item=lambda operation, call, item: seen.append(("item", operation, current())),
        after=lambda operation, call, result: seen.append(("after", operation, current())),
        failed=lambda operation, call, error: seen.append(("failed", operation, type(error))),
    )
    by_hand(host.coro(lambda: list(host.gen(1))))
    with pytest.raises(ValueError, match="wrong"):
        list(host.gen(ValueError("wrong")))
    (outer,) = told.operations
    assert seen == [
        ("before", None, outer),
        ("item", None, outer),
        ("after", None, outer),
        ("before", None, None),
        ("failed", None, ValueError),
    ]
    assert told.ends == [("coro", "ok")]


@pytest.mark.parametrize("shape", ["plain", "coro"])
def test_a_tap_replaces_arguments_and_results(host: ModuleType, rows: Rows, told: Told, shape: str) -> None:
    """What goes in and what comes out can be another thing, None included."""
    rows.node(
        shape,
        kind=None,
        before=None,
        arguments=lambda call: ((call.args[0] * 2,), call.kwargs),
        result=lambda call, value: None if value == 4 else (call.args, value),
    )
    assert drained(getattr(host, shape)(1)) == ((2,), 2)
    assert drained(getattr(host, shape)(2)) is None
    assert told.operations == []


def test_a_row_without_functions_makes_operations_without_a_subject(host: ModuleType, rows: Rows, told: Told) -> None:
    """A row needs a target and a kind, and no more."""
    rows.node("plain", before=None, kind=k.DELIVERY)
    assert host.plain(1) == 1
    assert [operation.kind for operation in told.operations] == [k.DELIVERY]
    assert told.ends == [("", "ok")]


def test_exceptions_are_named_without_importing_them(host: ModuleType, rows: Rows, told: Told) -> None:
    """A name of an exception that is nowhere, or is no exception, is no error."""
    targets = ("no.such.module:Pause", "tests.patching.material:nothing", "tests.patching.material:CONSTANT")
    rows.node("plain", paused=targets)
    with pytest.raises(ValueError, match="wrong"):
        host.plain(ValueError("wrong"))
    assert "no.such.module" not in sys.modules
    assert told.ends == [("plain", "error")]


def test_a_subclass_of_a_named_exception_counts(host: ModuleType, rows: Rows, told: Told) -> None:
    """Exceptions are named by class, not by name."""
    rows.node("plain", ok=("tests.patching.material:Detour",))

    class Further(host.Detour):  # type: ignore[misc, name-defined]
        """A detour of a detour."""

    with pytest.raises(host.Detour):
        host.plain(Further())
    assert told.ends == [("plain", "ok")]


def test_the_kind_of_operation_is_the_rows(host: ModuleType, rows: Rows, told: Told) -> None:
    """An operation has the kind, subject, attributes and runtime that row and adapter say."""
    rows.node("plain", name="flow", before=lambda call: Start("step", {"flex.node.id": "n1"}))
    host.plain()
    (operation,) = told.operations
    assert isinstance(operation, Operation)
    seen = (operation.kind, operation.subject, operation.attributes["flex.node.id"], operation.runtime)
    assert seen == (k.NODE, "step", "n1", "flow")
