"""Scopes of the manual API that are used again: each block is an operation of its own, wherever it runs."""

from __future__ import annotations

import asyncio
import threading

import otel_agents
from otel_agents.operation import current
from otel_agents.testing import capture


def test_a_scope_inside_itself() -> None:
    """Each block ends its own operation, and afterwards nothing is current."""
    scope = otel_agents.node("search")
    with capture() as telemetry, otel_agents.run("r"), scope as outer:
        with scope as inner:
            inner.set(attempt=2)
        outer.set(attempt=3)
        with scope:
            pass

    assert telemetry.tree() == [
        "run r: ok",
        "  node search (step): ok",
        "    node search (step): ok",
        "    node search (step): ok",
    ]
    assert [span.attributes.get("flex.node.attempt") for span in telemetry.spans if span.attributes] == [
        2,
        None,
        3,
        None,
    ]
    assert current() is None


def test_a_run_that_joins_itself() -> None:
    """The inner block is the outer one's run, which goes on after it."""
    scope = otel_agents.run("r")
    with capture() as telemetry, scope as outer:
        with scope as inner:
            assert inner.run_id == outer.run_id
        with otel_agents.node("late"):
            pass

    assert telemetry.tree() == ["run r: ok", "  node late (step): ok"]


def test_tasks_that_share_a_scope() -> None:
    """Blocks that end in another order than they began end their own operations, each with its own error."""
    scope = otel_agents.node("shared")

    async def work(name: str, mine: asyncio.Event, other: asyncio.Event) -> None:
        with otel_agents.run(name), scope:
            other.set()
            await mine.wait()
            with otel_agents.node(name):
                pass
            raise LookupError if name == "first" else KeyError

    async def both() -> list[object]:
        first, second = asyncio.Event(), asyncio.Event()
        tasks = asyncio.create_task(work("first", first, second)), asyncio.create_task(work("second", second, first))
        return [type(each) for each in await asyncio.gather(*tasks, return_exceptions=True)]

    with capture() as telemetry:
        assert asyncio.run(both()) == [LookupError, KeyError]

    assert telemetry.tree() == [
        *("run first: error", "  node shared (step): error", "    node first (step): ok"),
        *("run second: error", "  node shared (step): error", "    node second (step): ok"),
    ]
    errors = {event.run_id: event.payload["errorType"] for event in telemetry.events if event.type == "node_error"}
    assert errors == {"run-1": "LookupError", "run-2": "KeyError"}


def test_threads_that_share_a_scope() -> None:
    """The thread that entered first may leave first, and finds nothing current then."""
    scope, entered, left = otel_agents.node("shared"), threading.Event(), threading.Event()
    found: list[object] = []

    def early() -> None:
        with scope:
            assert entered.wait(10)
        found.append(current())
        left.set()

    with capture() as telemetry:
        thread = threading.Thread(target=early)
        thread.start()
        with scope:
            entered.set()
            assert left.wait(10)
        thread.join()

    assert found == [None]
    assert current() is None
    assert telemetry.tree() == ["node shared (step): ok"] * 2


def test_a_scope_that_went_on_begins_anew() -> None:
    """Only the run that was resumed says so, not the one that the same scope starts next."""
    scope = otel_agents.run("r", thread_id="t")
    with capture() as telemetry:
        with scope as run:
            run.ask("q")
        with scope as run:
            run.answer("q", "approved")
        with scope:
            pass

    started = [(event.run_id, event.payload.get("resumed")) for event in telemetry.events if event.type == "start"]
    assert started == [("run-1", None), ("run-1", True), ("run-2", None)]
