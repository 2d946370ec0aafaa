"""A program that works for a long time and leaves behind whatever a program can; prints what is held then, as JSON.

`python -m tests.soaking 1000000 4 200`: so many operations in so many threads, or what can be done in so many seconds.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import json
import logging
import sys
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextvars import copy_context
from typing import Any

import psutil  # type: ignore[import-untyped]
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    HistogramDataPoint,
    MetricExporter,
    MetricExportResult,
    MetricsData,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

import otel_agents
from otel_agents import guard, pipeline, record
from otel_agents.bus.event import Event
from otel_agents.config import Config
from otel_agents.operation import Fact, Identity, Operation, Run
from otel_agents.pauses import LIMIT, Pause
from otel_agents.recorder import RECORDER
from otel_agents.semconv import kinds as k
from tests.leftovers import descriptors, locks, names_of_threads

NODES = 80  # of a round, each inside one of the 20 around them
CHAIN = 5  # tasks of a round, each started by the one before
WARM_UP = 50_000  # operations
NO_LIMIT_S = 3600.0
FLOOD = LIMIT + 1000  # questions and agents: more than are kept of either
FRAMES = 20  # of an exception, each with something large


class Payload:
    """What a frame of the host holds: one exception that is kept alive keeps 20 of them."""

    def __init__(self) -> None:
        self.content = bytearray(10_000)


COUNTED = (Operation, Run, Fact, Event, Pause, Payload)


class NoSpans(SpanExporter):
    def export(self, spans: Any) -> SpanExportResult:
        return SpanExportResult.SUCCESS


class NoLogs(LogRecordExporter):
    def export(self, batch: Any) -> LogRecordExportResult:
        return LogRecordExportResult.SUCCESS

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return True

    def shutdown(self) -> None:
        pass


class Newest(MetricExporter):
    """Keeps what was collected last, and nothing else."""

    data: MetricsData | None = None

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> MetricExportResult:
        self.data = metrics_data
        return MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        return True

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        pass

    def points(self) -> Iterator[tuple[str, dict[str, Any], float]]:
        """Yield name, labels and amount of each series; of a histogram how often it was measured."""
        resources = self.data.resource_metrics if self.data is not None else ()
        for metric in (m for r in resources for s in r.scope_metrics for m in s.metrics):
            for point in metric.data.data_points:
                amount = point.count if isinstance(point, HistogramDataPoint) else getattr(point, "value", 0)
                yield metric.name, dict(point.attributes or {}), amount


class Sdk:
    """The providers of a program, with batches; metrics are collected each second."""

    def __init__(self) -> None:
        self.newest = Newest()
        self.traces = TracerProvider(shutdown_on_exit=False)
        self.traces.add_span_processor(BatchSpanProcessor(NoSpans()))
        reader = PeriodicExportingMetricReader(self.newest, export_interval_millis=1000)
        self.meters = MeterProvider([reader], shutdown_on_exit=False)
        self.logs = LoggerProvider(shutdown_on_exit=False)
        self.logs.add_log_record_processor(BatchLogRecordProcessor(NoLogs()))

    def flush(self) -> None:
        for provider in (self.traces, self.meters, self.logs):
            provider.force_flush()

    def shutdown(self) -> None:
        for provider in (self.traces, self.meters, self.logs):
            provider.shutdown()


# What happens in a round


@otel_agents.node("research", kind="tool")
def inner() -> int:
    return 1


@otel_agents.node("draft", kind="agent")
def outer() -> int:
    return sum(inner() for _ in range(NODES // 20 - 1))


@otel_agents.node("stream")
def stream() -> Iterator[int]:
    yield from itertools.count()


@otel_agents.node("stream")
async def astream() -> AsyncIterator[int]:
    for number in itertools.count():
        yield number


@otel_agents.node("fail")
def fail(depth: int = FRAMES) -> None:
    payload = Payload()
    if depth == 1:
        raise ValueError(len(payload.content))
    deeper(depth - 1)


def deeper(depth: int) -> None:
    payload = Payload()
    if depth == 1:
        raise ValueError(len(payload.content))
    deeper(depth - 1)


def work(number: int) -> None:
    """A run with nodes, one of them failing, and a question that nobody will answer."""
    with otel_agents.run("brief", thread_id=f"thread-{number}") as run:
        for _ in range(20):
            outer()
        try:
            fail()
        except ValueError:
            pass
        run.ask("approve")


def labels(number: int) -> None:
    """Names that nobody will hear again, wherever a name becomes a label."""
    name = f"name-{number}"
    with otel_agents.run("brief", runtime=name), otel_agents.node(name), otel_agents.phase(name):
        pass
    record.decision(agent=name, decision_type="route", duration_s=0.1)
    record.reaction_matched(rule=name)
    record.agent_status(agent=name, status="active")


def generators(number: int) -> None:
    """Generators that are never finished, one of them left to the garbage collector."""
    next(stream())
    held: list[object] = [stream()]
    next(held[0])  # type: ignore[call-overload]
    held.append(held)


def tasks(number: int) -> None:
    """Tasks that start tasks, and an async generator that is dropped."""

    async def link(left: int) -> None:
        with otel_agents.node("link"):
            if left > 1:
                started.append(asyncio.create_task(link(left - 1)))
            await asyncio.sleep(0)

    async def main() -> None:
        await anext(astream())
        await link(CHAIN)
        while started:
            await started.pop()

    started: list[asyncio.Task[None]] = []
    asyncio.run(main())


def dropped(number: int) -> None:
    """A run and a node that nobody ever ends."""

    def drop() -> None:
        otel_agents.run("dropped").__enter__()
        otel_agents.node("dropped").__enter__()

    copy_context().run(drop)


def handoff(number: int) -> None:
    """Work that is handed to somebody who never starts."""
    RECORDER.start_handoff("triage", f"nobody-{number}")


def client(number: int) -> None:
    """Somebody with a name of his own who looks in, and reads nothing."""
    with pipeline.ensure().hub.stream(name=f"client-{number}", queue_size=1):
        for _ in range(3):
            record.log(message="here")


def broken(number: int) -> None:
    """An error of ours, in a place of its own."""

    def raises() -> None:
        raise LookupError(number)

    guard.run(f"soak.{number}", raises)


def thread(number: int) -> None:
    """A thread that carries the run on."""
    started = threading.Thread(target=copy_context().run, args=(outer,))
    started.start()
    started.join()


ROUND: tuple[Callable[[int], None], ...] = (
    work, labels, generators, tasks, dropped, handoff, client, broken, thread
)  # fmt: skip
# All that a round measures, by what is in it: a node that is never ended is not measured.
NODES_OF_ROUND = NODES + 1 + 1 + 3 + CHAIN + NODES // 20


# The program


def unanswered() -> None:
    """More questions, and more agents, than are kept."""
    for number in range(FLOOD):
        with otel_agents.run("brief", thread_id=f"early-{number}") as run:
            run.ask("approve")
        record.agent_status(agent=f"agent-{number}", status="active")
        record.agent_status(agent=f"agent-{number}", status="idle")


def operations() -> int:
    """Return how many operations there have been."""
    with otel_agents.gate("count"):
        pass
    return Operation(k.GATE, "", Run(Identity()), None, {}).number


def rounds(numbers: Iterator[int], until: int, deadline_s: float) -> None:
    while operations() < until and time.monotonic() < deadline_s:
        number = next(numbers)
        for each in ROUND:
            each(number)


def in_threads(count: int, numbers: Iterator[int], until: int, seconds: float = NO_LIMIT_S) -> None:
    work = rounds, numbers, until, time.monotonic() + seconds
    started = [threading.Thread(target=copy_context().run, args=work) for _ in range(count)]
    for each in started:
        each.start()
    for each in started:
        each.join()


def settle(sdk: Sdk, others: int) -> None:
    """Wait until what the collector left to other threads is over, and nothing waits in a batch."""
    gc.collect()
    deadline_s = time.monotonic() + 30
    while psutil.Process().num_threads() > others and time.monotonic() < deadline_s:
        time.sleep(0.01)
    sdk.flush()
    gc.collect()


def held() -> dict[str, Any]:
    counts = Counter(type(each).__name__ for each in gc.get_objects() if type(each) in COUNTED)
    memory = psutil.Process().memory_info().rss
    return {
        "rss": memory,
        "blocks": sys.getallocatedblocks(),
        "alive": {c.__name__: counts[c.__name__] for c in COUNTED},
    }


def soak(sdk: Sdk, pipe: pipeline.Pipeline, threads: int, wanted: int, seconds: float) -> dict[str, Any]:
    released = threading.Event()
    pipe.hub.keep_ring()
    pipe.hub.subscribe(lambda event: released.wait(), name="stalled")
    unread = pipe.hub.stream(name="unread")
    numbers = itertools.count()
    with otel_agents.run("service", runtime="flex") as service:
        unanswered()
        others = psutil.Process().num_threads()
        in_threads(threads, numbers, operations() + WARM_UP)
        settle(sdk, others)
        before, first = held(), operations()
        in_threads(threads, numbers, first + wanted, seconds)
        settle(sdk, others)
        after = held()
        report = {
            "before": before,
            "after": after,
            "operations": operations() - first,
            "rounds": next(numbers),
            "pending_handoffs": len(service._operation.run.handoffs) if service._operation else -1,
            "pauses": {key: each.count for key, each in pipe.pauses.pending().items()},
            "oldest": len(pipe.pauses.find("manual:early-0")),
            "newest": len(pipe.pauses.find(f"manual:thread-{next(numbers) - 2}")),
            "published": pipe.hub.published,
            "unread": len(unread),
            "ring": len(pipe.hub.replay()),
            "lost": pipe.hub.dropped,
            "errors": guard.errors(),
            "open": len(RECORDER.open),
            "places": len(guard._state.logged_at_s),
        }
    sdk.flush()
    report["points"] = list(sdk.newest.points())
    released.set()
    return report | {"flushed": pipe.hub.flush(30)}


def main(wanted: int, threads: int, seconds: float) -> None:
    logging.getLogger("otel_agents.guard").propagate = False
    logging.getLogger("otel_agents.guard").addHandler(logging.NullHandler())
    descriptors_before = descriptors()
    sdk = Sdk()
    pipe = pipeline.start(
        Config.load(environ={}), tracer_provider=sdk.traces, meter_provider=sdk.meters, logger_provider=sdk.logs
    )
    report = soak(sdk, pipe, threads, wanted, seconds)
    with otel_agents.run("last"):
        report["last"] = outer()
    sdk.shutdown()
    report["threads"] = names_of_threads()
    report["locks"] = locks()
    pipeline.stop()
    report["threads_after"] = names_of_threads()
    report["descriptors"] = descriptors() - descriptors_before
    json.dump(report, sys.stdout)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
