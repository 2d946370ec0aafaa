"""The guard: swallows, counts, says it once, and never stands in the way."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from otel_agents import guard

CANARY = "canary-7f3a"


@pytest.fixture(autouse=True)
def _fresh_guard(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # A logging configuration that ran earlier in this process may have disabled all loggers it did not know.
    monkeypatch.setattr(logging.getLogger("otel_agents.guard"), "disabled", False)
    guard.reset()
    yield
    guard.reset()


def _fail(text: str = CANARY) -> int:
    raise ValueError(text)


def _take(what: str) -> None:
    raise ValueError(f"no {what}")


def _nothing() -> None:
    pass


def test_a_result_passes_through_and_counts_nothing() -> None:
    """A call that succeeds returns its result and leaves no trace."""
    assert guard.run("here", divmod, 7, 2) == (3, 1)
    assert guard.errors() == {}


def test_a_failure_becomes_none_and_is_counted_by_place() -> None:
    """An exception is swallowed and counted under the place that was named."""
    assert guard.run("here", _fail) is None
    assert guard.run("here", _fail) is None
    assert guard.run("there", _fail) is None
    assert guard.errors() == {"here": 2, "there": 1}


@pytest.mark.parametrize("error", [asyncio.CancelledError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_is_no_exception_passes(error: type[BaseException]) -> None:
    """Cancellation, interrupt, exit and generator close reach the host, uncounted."""

    def leave() -> None:
        raise error

    with pytest.raises(error):
        guard.run("here", leave)
    assert guard.errors() == {}


def test_the_log_names_type_place_and_frames_but_no_message(caplog: pytest.LogCaptureFixture) -> None:
    """One warning says what kind of error happened where, and quotes neither message nor source text."""
    guard.run("signals.spans.start", _fail)
    (record,) = caplog.records
    assert (record.name, record.levelno, record.exc_info) == ("otel_agents.guard", logging.WARNING, None)
    text = record.getMessage()
    assert "builtins.ValueError at signals.spans.start" in text
    assert f"{__file__}:{_fail.__code__.co_firstlineno + 1} in _fail" in text
    assert CANARY not in text
    assert "raise ValueError" not in text


def test_the_log_keeps_the_innermost_frames_of_a_deep_failure(caplog: pytest.LogCaptureFixture) -> None:
    """A deep traceback is trimmed to the eight frames nearest to the failure."""

    def sink(depth: int) -> None:
        if depth == 0:
            _fail()
        sink(depth - 1)

    guard.run("here", sink, 50)
    lines = caplog.records[0].getMessage().splitlines()[1:]
    assert len(lines) == 8
    assert lines[-1].endswith("in _fail")


def test_the_same_place_is_logged_once_a_minute(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each place speaks at most once a minute, whatever the other places do."""
    now_s = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now_s[0])
    for place in ("here", "here", "there"):
        guard.run(place, _fail)
    assert len(caplog.records) == 2
    now_s[0] += 59.9
    guard.run("here", _fail)
    assert len(caplog.records) == 2
    now_s[0] += 0.2
    guard.run("here", _fail)
    assert len(caplog.records) == 3


def test_strict_raises_the_very_exception_and_ends_with_its_block() -> None:
    """Inside the strict block the failure itself comes out; after it, failures are swallowed again."""
    error = ValueError(CANARY)

    def fail() -> None:
        raise error

    with guard.strict(), pytest.raises(ValueError, match=CANARY) as caught:
        guard.run("here", fail)
    assert caught.value is error
    assert guard.run("here", fail) is None
    assert guard.errors() == {"here": 2}


def test_strict_blocks_nest() -> None:
    """The end of an inner strict block does not end the outer one."""
    with guard.strict():
        with guard.strict():
            pass
        with pytest.raises(ValueError, match=CANARY):
            guard.run("here", _fail)


def test_each_gives_every_function_its_turn() -> None:
    """A function that raises is counted, and those after it are called all the same; exits pass."""
    taken: list[str] = []
    guard.each("here", (taken.append, _take, taken.append), "x")
    assert taken == ["x", "x"]
    assert guard.errors() == {"here": 1}
    with guard.strict(), pytest.raises(ValueError, match="no x"):
        guard.each("here", (_take, taken.append), "x")
    assert taken == ["x", "x"]
    with pytest.raises(SystemExit):
        guard.each("here", (sys.exit,), "x")


def test_swallowed_takes_what_the_caller_caught() -> None:
    """A caller with its own `try` gets the same counting."""
    guard.swallowed("patching.calls", ValueError(CANARY))
    assert guard.errors() == {"patching.calls": 1}


class _Reentrant(logging.Handler):
    """A log handler that is itself guarded and fails: the shape of an exporter that we instrument."""

    def emit(self, record: logging.LogRecord) -> None:
        guard.run("inside.logging", _fail)
        raise OSError(record.name)


def test_a_failing_and_reentrant_log_handler_ends_there() -> None:
    """Failures while a failure is being logged are only counted."""
    handler = _Reentrant()
    logger = logging.getLogger("otel_agents.guard")
    logger.addHandler(handler)
    try:
        assert guard.run("here", _fail) is None
    finally:
        logger.removeHandler(handler)
    assert guard.errors() == {"here": 2, "inside.logging": 1}


def test_places_are_bounded() -> None:
    """Beyond 256 places everything is counted under `_other`."""
    for number in range(300):
        guard.run(f"place {number}", _fail)
    counts = guard.errors()
    assert len(counts) == 257
    assert counts["_other"] == 44


def test_the_snapshot_is_a_copy() -> None:
    """Changing the snapshot changes nothing inside."""
    guard.run("here", _fail)
    guard.errors().clear()
    assert guard.errors() == {"here": 1}


def test_threads_lose_no_count() -> None:
    """Failures in several threads at once are all counted."""
    interval_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    workers = [threading.Thread(target=lambda: [guard.run("here", _fail) for _ in range(500)]) for _ in range(4)]
    try:
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    finally:
        sys.setswitchinterval(interval_s)
    assert guard.errors() == {"here": 2000}


def test_a_host_at_the_limit_of_its_stack_is_not_disturbed() -> None:
    """A guarded call raises at no depth at which the host could still make a plain call of its own."""
    refused: list[str] = []

    def attempt(what: str, function: Callable[..., object], *args: object) -> None:
        try:
            function(*args)
        except RecursionError:
            refused.append(what)

    def deeper() -> None:
        attempt("guarded", guard.run, "here", _fail)
        attempt("each", guard.each, "here", (_take,), "an argument")
        attempt("plain", _nothing)
        deeper()

    with pytest.raises(RecursionError):
        deeper()
    assert refused.count("guarded") == refused.count("plain")
    assert refused.count("each") == refused.count("plain")


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")  # forking beside threads is the test
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_forked_under_the_lock_is_not_stuck() -> None:
    """A fork while another thread holds the lock leaves the child able to count."""
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with guard._state.lock:
            held.set()
            done.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(10)
    child = os.fork()
    if child == 0:
        guard.run("child", _fail)
        os._exit(0 if guard.errors() == {"child": 1} else 1)
    done.set()
    holder.join()
    assert os.waitpid(child, 0)[1] == 0
