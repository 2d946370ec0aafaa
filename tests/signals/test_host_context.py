"""What the host makes current around and inside watched code: it sees the same as without us, our span apart."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from opentelemetry import baggage, trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.instrumentation.utils import is_instrumentation_enabled, suppress_instrumentation
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.trace import Tracer

import otel_agents
from otel_agents.testing import capture

VARIABLE: contextvars.ContextVar[int] = contextvars.ContextVar("host", default=0)
Seen = list[tuple[object, ...]]


class Living(SpanProcessor):
    """All spans by id, from their start."""

    def __init__(self) -> None:
        self.spans: dict[int, Any] = {}

    def on_start(self, span: Any, parent_context: Context | None = None) -> None:
        self.spans[span.context.span_id] = span

    def host(self, span: Any) -> str:
        """Return the name of the span, or of the nearest one around it, that is the host's; "" without."""
        context = span.get_span_context() if span is not None else None
        known = self.spans.get(context.span_id) if context is not None else None
        if known is None:
            return ""
        return self.host_around(known) if known.name.startswith("flex.") else known.name

    def host_around(self, span: Any) -> str:
        return self.host(self.spans.get(span.parent.span_id)) if span.parent is not None else ""


living = Living()


def look(where: str, seen: Seen) -> None:
    """Note what is current: a variable of the host's, baggage, the host's span, suppression."""
    span = living.host(trace.get_current_span())
    seen.append((where, VARIABLE.get(), dict(baggage.get_all()), span, is_instrumentation_enabled()))


def function(tracer: Tracer, seen: Seen) -> None:
    look("inside", seen)
    VARIABLE.set(1)
    attach(baggage.set_baggage("left", "1"))
    with tracer.start_as_current_span("inner"):
        look("in span", seen)
    look("inside, later", seen)


def function_that_leaves_a_span_current(tracer: Tracer, seen: Seen) -> None:
    span = tracer.start_span("left current")
    attach(trace.set_span_in_context(span))
    span.end()
    look("inside", seen)


def steps(tracer: Tracer, seen: Seen) -> Iterator[str]:
    look("first", seen)
    VARIABLE.set(1)
    token = attach(baggage.set_baggage("generator", "1"))
    yield "baggage"
    look("second", seen)
    with tracer.start_as_current_span("outer"):
        yield "span"
        look("third", seen)
        with tracer.start_as_current_span("inner"):
            yield "span in span"
            look("fourth", seen)
        yield "span again"
        look("fifth", seen)
    VARIABLE.set(2)
    detach(token)
    yield "nothing"
    look("last", seen)


async def asteps(tracer: Tracer, seen: Seen) -> AsyncIterator[str]:
    for item in steps(tracer, seen):
        await asyncio.sleep(0)
        yield item


def consume(items: Iterator[str], tracer: Tracer, seen: Seen) -> None:
    for item in items:
        look(f"consumer of {item}", seen)
        with tracer.start_as_current_span(f"for {item}"):
            look("consumer in span", seen)
    look("consumer, at the end", seen)


def consume_inside_a_span(items: Iterator[str], tracer: Tracer, seen: Seen) -> None:
    with tracer.start_as_current_span("request"):
        consume(items, tracer, seen)
    look("after the request", seen)


def consume_each_in_a_span(items: Iterator[str], tracer: Tracer, seen: Seen) -> None:
    item: str | None = ""
    while item is not None:
        with tracer.start_as_current_span("step"):
            item = next(items, None)
        look(f"consumer of {item}", seen)


def consume_suppressed(items: Iterator[str], tracer: Tracer, seen: Seen) -> None:
    next(items)
    with suppress_instrumentation():
        next(items)
        look("consumer, suppressed", seen)
    consume(items, tracer, seen)


def consume_with_baggage(items: Iterator[str], tracer: Tracer, seen: Seen) -> None:
    next(items)
    attach(baggage.set_baggage("consumer", "1"))
    consume(items, tracer, seen)


def observed(body: Callable[[Tracer, Seen], None]) -> tuple[Seen, list[tuple[str, str]]]:
    """Run something in a context of its own; return what it saw, and the spans of the host."""
    seen: Seen = []
    living.spans.clear()
    with capture() as telemetry:
        telemetry.tracer_provider.add_span_processor(living)
        tracer = telemetry.tracer_provider.get_tracer("host")
        contextvars.copy_context().run(body, tracer, seen)
    ours = [span for span in living.spans.values() if span.name.startswith("flex.")]
    assert all(span.end_time for span in living.spans.values())
    assert len(ours) < 3
    host = [span for span in living.spans.values() if span not in ours]
    return seen, [(span.name, living.host_around(span)) for span in host]


@pytest.mark.parametrize("host", [function, function_that_leaves_a_span_current])
def test_a_function_leaves_what_it_left_without_us(host: Callable[[Tracer, Seen], None]) -> None:
    """Variables, baggage and spans that a function makes current are there inside and after it as without us."""

    def bare(tracer: Tracer, seen: Seen) -> None:
        host(tracer, seen)
        look("after", seen)

    def watched(tracer: Tracer, seen: Seen) -> None:
        otel_agents.node("n")(host)(tracer, seen)
        look("after", seen)

    assert observed(watched) == observed(bare)


@pytest.mark.parametrize(
    "consumer",
    [consume, consume_inside_a_span, consume_each_in_a_span, consume_suppressed, consume_with_baggage],
)
@pytest.mark.parametrize("around", [False, True], ids=["outside", "in a run"])
def test_a_generator_sees_and_leaves_what_it_did_without_us(
    consumer: Callable[[Iterator[str], Tracer, Seen], None], around: bool
) -> None:
    """What a generator makes current across its yields stays for it and for its consumer as without us."""

    def bare(tracer: Tracer, seen: Seen) -> None:
        consumer(steps(tracer, seen), tracer, seen)

    def watched(tracer: Tracer, seen: Seen) -> None:
        items = otel_agents.node("n")(steps)(tracer, seen)
        if not around:
            consumer(items, tracer, seen)
            return
        with otel_agents.run("r"):
            consumer(items, tracer, seen)

    assert observed(watched) == observed(bare)


def test_an_async_generator_sees_and_leaves_what_it_did_without_us() -> None:
    """The same for an async generator that is consumed in one task."""

    async def drain(items: AsyncIterator[str], tracer: Tracer, seen: Seen) -> None:
        async for item in items:
            look(f"consumer of {item}", seen)
            with tracer.start_as_current_span(f"for {item}"):
                look("consumer in span", seen)
        look("consumer, at the end", seen)

    def bare(tracer: Tracer, seen: Seen) -> None:
        asyncio.run(drain(asteps(tracer, seen), tracer, seen))

    def watched(tracer: Tracer, seen: Seen) -> None:
        asyncio.run(drain(otel_agents.node("n")(asteps)(tracer, seen), tracer, seen))

    assert observed(watched) == observed(bare)


def test_spans_of_the_host_and_ours_nest() -> None:
    """A span of the host is inside the node that it is opened in, and a node inside the host's span around it."""
    with capture() as telemetry:
        tracer = telemetry.tracer_provider.get_tracer("host")
        around, between = tracer.start_as_current_span("request"), tracer.start_as_current_span("middle")
        with around, otel_agents.run("r"), between, otel_agents.node("n"):
            tracer.start_span("leaf").end()
    known = {span.context.span_id: span.name for span in telemetry.spans}
    assert {span.name: known.get(span.parent.span_id) if span.parent else None for span in telemetry.spans} == {
        "leaf": "flex.node n",
        "flex.node n": "middle",
        "middle": "flex.run r",
        "flex.run r": "request",
        "request": None,
    }


def test_a_generator_left_in_the_middle_of_a_span() -> None:
    """A generator that is closed while its span is current gives back what was current around its first step."""

    def bare(tracer: Tracer, seen: Seen) -> None:
        items = steps(tracer, seen)
        for _ in range(3):
            next(items)
        items.close()  # type: ignore[attr-defined]
        look("after", seen)

    def watched(tracer: Tracer, seen: Seen) -> None:
        items: Any = otel_agents.node("n")(steps)(tracer, seen)
        for _ in range(3):
            next(items)
        items.close()
        look("after", seen)

    assert observed(watched) == observed(bare)


def test_a_context_without_a_span_does_not_take_a_generator_out_of_its_operation() -> None:
    """A host that makes an empty context current inside a step has the next step inside the operation again."""

    def detached() -> Iterator[int]:
        yield 0
        attach(baggage.set_baggage("only", "1", Context()))
        yield 1
        with otel_agents.node("inside"):
            yield 2

    def watched() -> None:
        with otel_agents.run("r"):
            attach(baggage.set_baggage("around", "1"))
            list(otel_agents.node("around")(detached)())

    with capture() as telemetry:
        contextvars.copy_context().run(watched)
    inside, around = telemetry.span("flex.node inside"), telemetry.span("flex.node around")
    assert inside.parent is not None
    assert inside.parent.span_id == around.context.span_id


def test_one_operation_in_several_contexts_at_once() -> None:
    """Steps of a generator that run in contexts of their own give each back what it had."""
    with capture():
        items = otel_agents.node("n")(three)()
        contexts = [contextvars.copy_context() for _ in range(3)]
        for number, context in enumerate(contexts):
            context.run(attach, baggage.set_baggage("number", str(number), Context()))
        for context in contexts:
            context.run(next, items)
        found = [context.run(lambda: dict(baggage.get_all())) for context in contexts]
    assert found == [{"number": "0"}, {"number": "1"}, {"number": "2"}]


def three() -> Iterator[int]:
    yield from range(3)
