"""Blocks of the manual API inside generators that are watched: current inside, never for the consumer."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from opentelemetry import trace

import otel_agents
from otel_agents.operation import current
from otel_agents.testing import Telemetry, capture

TREE = """\
run r: ok
  node a (step): ok
    node b (step): ok
      node c (step): ok
    node d (step): ok
  node e (step): ok
node consumer (step): ok
node consumer (step): ok
node consumer (step): ok
node consumer (step): ok"""


def steps() -> Iterator[int]:
    with otel_agents.node("a"):
        yield 1
        with otel_agents.node("b"):
            yield 2
            with otel_agents.node("c"):
                pass
        yield 3
        with otel_agents.node("d"):
            pass
    yield 4
    with otel_agents.node("e"):
        pass


async def asteps() -> AsyncIterator[int]:
    for each in steps():
        await asyncio.sleep(0)
        yield each


def look() -> None:
    """Be a consumer between two steps, for whom nothing is current."""
    assert current() is None
    assert not trace.get_current_span().get_span_context().is_valid
    with otel_agents.node("consumer"):
        pass


def drain() -> None:
    for _ in otel_agents.run("r")(steps)():
        look()
    assert current() is None


def adrain() -> None:
    async def main() -> None:
        async for _ in otel_agents.run("r")(asteps)():
            look()
        assert current() is None

    asyncio.run(main())


def parents(telemetry: Telemetry) -> set[tuple[str, str]]:
    """Return each span with the span around it."""
    known = {span.context.span_id: span.name for span in telemetry.spans}
    return {(span.name, known.get(span.parent.span_id, "?") if span.parent else "") for span in telemetry.spans}


@pytest.mark.parametrize("consume", [drain, adrain])
def test_blocks_that_stay_open_across_a_yield(consume: Callable[[], None]) -> None:
    """Operations and spans form one tree, the same, and what the consumer does is not in it."""
    with capture() as telemetry:
        contextvars.copy_context().run(consume)
    assert telemetry.tree() == TREE.splitlines()
    assert parents(telemetry) == {
        ("flex.run r", ""),
        ("flex.node a", "flex.run r"),
        ("flex.node b", "flex.node a"),
        ("flex.node c", "flex.node b"),
        ("flex.node d", "flex.node a"),
        ("flex.node e", "flex.run r"),
        ("flex.node consumer", ""),
    }


def test_a_generator_that_is_closed_in_the_middle_of_a_block() -> None:
    """Closing a generator inside its blocks abandons them and it, and leaves nothing current."""

    def main() -> None:
        stream = otel_agents.run("r")(steps)()
        next(stream)
        next(stream)
        look()
        stream.close()  # type: ignore[attr-defined]
        look()

    with capture() as telemetry:
        contextvars.copy_context().run(main)
    assert telemetry.tree() == [
        "run r: abandoned",
        "  node a (step): abandoned",
        "    node b (step): abandoned",
        *["node consumer (step): ok"] * 2,
    ]


def test_an_async_generator_that_another_task_closes_in_the_middle_of_a_block() -> None:
    """The same when another task closes it."""

    async def main() -> None:
        stream = otel_agents.run("r")(asteps)()
        await anext(stream)
        await asyncio.create_task(stream.aclose())  # type: ignore[attr-defined]
        look()

    with capture() as telemetry:
        asyncio.run(main())
    assert telemetry.tree() == [
        "run r: abandoned",
        "  node a (step): abandoned",
        "node consumer (step): ok",
    ]


def test_steps_in_several_contexts_find_their_block_again() -> None:
    """A generator whose steps run in contexts of their own goes on in the block that it was in."""
    with capture() as telemetry:
        stream = otel_agents.run("r")(steps)()
        for _ in range(5):
            contextvars.Context().run(next, stream, None)
    assert telemetry.tree() == TREE.splitlines()[:6]
