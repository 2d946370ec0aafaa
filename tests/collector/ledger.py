"""Keeps books of telemetry: what was produced, what of it was acknowledged, and what arrived."""

from __future__ import annotations

import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.collector.backends import Backend
from tests.collector.collectors import Collector

A_REQUEST = 10  # items


def traces(numbers: range, **attributes: str) -> bytes:
    """Return a request with a span for each number, each in a trace of its own."""
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    for number in numbers:
        span = scope.spans.add(name="ledger", start_time_unix_nano=time.time_ns(), end_time_unix_nano=time.time_ns())
        span.trace_id = (number + 1).to_bytes(16, "big")
        span.span_id = (number + 1).to_bytes(8, "big")
        _describe(span, number, attributes)
    return request.SerializeToString()


def logs(numbers: range, **attributes: str) -> bytes:
    """Return a request with a log record for each number."""
    request = ExportLogsServiceRequest()
    scope = request.resource_logs.add().scope_logs.add()
    for number in numbers:
        _describe(scope.log_records.add(time_unix_nano=time.time_ns()), number, attributes)
    return request.SerializeToString()


def metrics(numbers: range, **attributes: str) -> bytes:
    """Return a request with a point of a gauge for each number."""
    request = ExportMetricsServiceRequest()
    gauge = request.resource_metrics.add().scope_metrics.add().metrics.add(name="ledger").gauge
    for number in numbers:
        _describe(gauge.data_points.add(as_int=number, time_unix_nano=time.time_ns()), number, attributes)
    return request.SerializeToString()


MAKE = {"traces": traces, "metrics": metrics, "logs": logs}
# What the Collector calls an item of a signal, in the names of its own metrics.
ITEMS = {"traces": "spans", "metrics": "metric_points", "logs": "log_records"}


def _describe(item: Any, number: int, attributes: dict[str, str]) -> None:
    item.attributes.add(key="ledger.number").value.int_value = number
    for name, value in attributes.items():
        item.attributes.add(key=name.replace("_", ".")).value.string_value = value


def numbers(items: list[Any]) -> Counter[int]:
    """Count the numbers of what arrived."""
    return Counter(
        attribute.value.int_value for item in items for attribute in item.attributes if attribute.key == "ledger.number"
    )


def arrived(end: Backend, signal: str = "traces") -> Counter[int]:
    """Count the numbers that arrived of one signal."""
    points = [point for metric in end.metrics for point in metric.gauge.data_points] if signal == "metrics" else []
    return numbers({"traces": end.spans, "metrics": points, "logs": end.logs}[signal])


class Ledger:
    """Produces items, and notes which were acknowledged: for these the Collector is answerable."""

    def __init__(self, endpoint: str, signal: str = "traces", **attributes: str) -> None:
        self.produced = 0
        self.acknowledged: set[int] = set()
        self.answers: Counter[int] = Counter()
        self.signal = signal
        self._url = f"{endpoint}/v1/{signal}"
        self._make = MAKE[signal]
        self._attributes = attributes

    def send(self, items: int = A_REQUEST) -> int:
        """Send one request, and return the answer; 0 when there was none."""
        batch = range(self.produced, self.produced + items)
        self.produced = batch.stop
        return self._deliver(batch)

    def _deliver(self, batch: range) -> int:
        status = post(self._url, self._make(batch, **self._attributes))
        self.answers[status] += 1
        if status == 200:
            self.acknowledged.update(batch)
        return status

    @contextmanager
    def streaming(self) -> Iterator[None]:
        """Send requests all the time, as a program does; one that is not taken is sent again, as an SDK does."""
        ending = threading.Event()

        def stream() -> None:
            while not ending.is_set():
                batch = range(self.produced, self.produced + A_REQUEST)
                self.produced = batch.stop
                while self._deliver(batch) != 200 and not ending.wait(0.05):
                    pass

        thread = threading.Thread(target=stream)
        thread.start()
        try:
            yield
        finally:
            ending.set()
            thread.join()

    def until(self, items: int, timeout_s: float = 60) -> None:
        """Return when so many more were acknowledged."""
        goal, end = len(self.acknowledged) + items, time.monotonic() + timeout_s
        while len(self.acknowledged) < goal:
            assert time.monotonic() < end, (len(self.acknowledged), goal, self.answers)
            time.sleep(0.01)

    def settle(self, end: Backend, timeout_s: float = 100) -> Counter[int]:
        """Wait until all that was acknowledged has arrived, and return how often each did."""
        end.wait(lambda one: self.acknowledged <= arrived(one, self.signal).keys(), timeout_s)
        return arrived(end, self.signal)

    def counted(self, collector: Collector, what: str) -> float:
        """Return how many items of its signal a Collector counts as `exporter_sent`, `receiver_refused`, ..."""
        return collector.metrics().get(self.counter(what), 0)

    def counter(self, what: str) -> str:
        """Return the name of that metric."""
        return f"otelcol_{what}_{ITEMS[self.signal]}_total"


class Books:
    """A ledger for each signal, kept together."""

    def __init__(self, endpoint: str, **attributes: str) -> None:
        self.ledgers = [Ledger(endpoint, signal, **attributes) for signal in MAKE]

    def send(self, items: int = A_REQUEST) -> set[int]:
        """Send a request of each signal, and return the answers."""
        return {ledger.send(items) for ledger in self.ledgers}

    @contextmanager
    def streaming(self) -> Iterator[None]:
        """Send requests of each signal all the time."""
        with ExitStack() as stack:
            for ledger in self.ledgers:
                stack.enter_context(ledger.streaming())
            yield

    def until(self, items: int) -> None:
        """Return when so many more of each were acknowledged."""
        for ledger in self.ledgers:
            ledger.until(items)

    def settle(self, end: Backend) -> None:
        """Return when all that was acknowledged has arrived, of each signal; that it does is what is to be shown."""
        for ledger in self.ledgers:
            ledger.settle(end)

    def counted(self, collector: Collector, what: str) -> list[float]:
        """Return how many items of each signal a Collector counts as this."""
        return [ledger.counted(collector, what) for ledger in self.ledgers]

    def wait(self, collector: Collector, what: str, items: int) -> None:
        """Return when a Collector counts so many items of each."""
        for ledger in self.ledgers:
            collector.until(ledger.counter(what), items)


def post(url: str, body: bytes) -> int:
    request = urllib.request.Request(url, body, {"Content-Type": "application/x-protobuf"})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    except OSError:
        return 0
