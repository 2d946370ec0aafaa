"""Measure how much goes through the shipped configurations, beside a Collector that does nothing; asserts nothing.

python -m tests.collector.load [--seconds 10] [--rounds 3]
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.collector.backends import backend
from tests.collector.certificates import certify
from tests.collector.collectors import Collector, collecting
from tests.collector.tiers import over_otlp, to
from tests.proof.programs import EXAMPLE, instrumented, sending

SPANS = 1000  # in a request
SENDERS = 4
TICKS = os.sysconf("SC_CLK_TCK")
# Takes and sends on, and no more: no processor, no queue, no disk.
BARE = """
extensions: {health_check: {endpoint: "127.0.0.1:${env:OTELCOL_HEALTH_PORT}"}}
receivers: {otlp: {protocols: {http: {endpoint: "127.0.0.1:${env:OTELCOL_HTTP_PORT}"}}}}
exporters: {otlp_http: {endpoint: "${env:OTELCOL_TRACES_URL}", sending_queue: {enabled: false}}}
service:
  extensions: [health_check]
  pipelines: {traces: {receivers: [otlp], exporters: [otlp_http]}}
  telemetry: {metrics: {level: none}}
"""


class Measured(NamedTuple):
    """What one variant did in one round."""

    per_second: float
    cpu_s_per_million: float
    peak_mib: float


@contextmanager
def sink() -> Iterator[str]:
    """Take every request and look at none: in a thread, since it must not be what is measured."""
    loop = asyncio.new_event_loop()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
                await reader.readexactly(int(length.split(b":")[1]))
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = loop.run_until_complete(asyncio.start_server(answer, "127.0.0.1", 0, limit=2**20))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


def real_spans(folder: Path) -> bytes:
    """Return a request with spans of a real run of the example program."""
    with backend() as end:
        instrumented(str(EXAMPLE), "--pace", "0", "--db", str(folder / "db.sqlite"), env=sending(end.endpoint))
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    for number in range(SPANS):
        scope.spans.add().CopyFrom(end.spans[number % len(end.spans)])
        scope.spans[-1].span_id = os.urandom(8)
        scope.spans[-1].trace_id = (number // len(end.spans) + 1).to_bytes(16, "big")
    return request.SerializeToString()


def send(url: str, body: bytes, until: float) -> int:
    """Send the same request over one connection, and return how many were taken."""
    address, taken = urlsplit(url), 0
    connection = http.client.HTTPConnection(str(address.hostname), address.port)
    while time.monotonic() < until:
        connection.request("POST", "/v1/traces", body, {"Content-Type": "application/x-protobuf"})
        answer = connection.getresponse()
        answer.read()
        taken += answer.status == http.HTTPStatus.OK
    connection.close()
    return taken


def cpu_s(collector: Collector) -> float:
    fields = Path(f"/proc/{collector.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def peak_mib(collector: Collector) -> float:
    status = Path(f"/proc/{collector.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def waiting(collector: Collector) -> float:
    return collector.metrics().get("otelcol_exporter_queue_size", 0)


def measure(collectors: list[Collector], body: bytes, seconds: float, *, queues: bool) -> Measured:
    """Send for so long, and wait until nothing waits any more."""
    before, begin = sum(map(cpu_s, collectors)), time.monotonic()
    taken: list[int] = []
    senders = [
        threading.Thread(target=lambda: taken.append(send(collectors[0].http, body, begin + seconds)))
        for _ in range(SENDERS)
    ]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    while queues and any(map(waiting, collectors)):
        time.sleep(0.1)
    spans, took = sum(taken) * SPANS, time.monotonic() - begin
    cpu = sum(map(cpu_s, collectors)) - before
    return Measured(spans / took, cpu / spans * 1e6, max(map(peak_mib, collectors)))


def bare(stack: ExitStack, folder: Path, end: str) -> list[Collector]:
    config = folder / "bare.yaml"
    config.write_text(BARE)
    return [stack.enter_context(collecting(folder / "bare", str(config), **to(end)))]


def standalone(stack: ExitStack, folder: Path, end: str) -> list[Collector]:
    return [stack.enter_context(collecting(folder / "standalone", "standalone.yaml", **over_otlp(end)))]


def two_tiers(stack: ExitStack, folder: Path, end: str) -> list[Collector]:
    certificates = certify(folder)
    sends = to(end) | certificates
    gateway = stack.enter_context(collecting(folder / "gateway", "gateway.yaml", **sends))
    finds = {"OTELCOL_GATEWAY": "127.0.0.1", "OTELCOL_GATEWAY_PORT": str(gateway.ports["GRPC"])}
    agent = stack.enter_context(collecting(folder / "agent", "agent.yaml", **certificates, **finds))
    return [agent, gateway]


VARIANTS: dict[str, Callable[[ExitStack, Path, str], list[Collector]]] = {
    "bare": bare,
    "standalone": standalone,
    "two tiers": two_tiers,
}


def rounds(count: int, seconds: float) -> dict[str, list[Measured]]:
    """Run each variant in each round, so that what else the machine does meets all of them."""
    found: dict[str, list[Measured]] = {name: [] for name in VARIANTS}
    with tempfile.TemporaryDirectory() as name, sink() as end:
        body = real_spans(Path(name))
        for number in range(count):
            for variant, start in VARIANTS.items():
                folder = Path(name) / f"{number} {variant}"
                folder.mkdir()
                with ExitStack() as stack:
                    collectors = start(stack, folder, end)
                    found[variant].append(measure(collectors, body, seconds, queues=variant != "bare"))
    return found


def main() -> None:
    """Print a table of medians, and what each is of the bare one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10, help="how long each variant is sent to")
    parser.add_argument("--rounds", type=int, default=3, help="how often each variant is measured")
    arguments = parser.parse_args()
    medians = {
        name: Measured(*(statistics.median(column) for column in zip(*measured, strict=True)))
        for name, measured in rounds(arguments.rounds, arguments.seconds).items()
    }
    of = medians["bare"]
    lines = ["| | spans a second | of bare | CPU s a million spans | of bare | peak memory, MiB |"]
    lines.append("| --- | --- | --- | --- | --- | --- |")
    for name, one in medians.items():
        speed, cost = one.per_second / of.per_second, one.cpu_s_per_million / of.cpu_s_per_million
        columns = (f"{one.per_second:,.0f}", f"{speed:.2f}", f"{one.cpu_s_per_million:.1f}", f"{cost:.1f}")
        lines.append(f"| {name} | {' | '.join(columns)} | {one.peak_mib:.0f} |")
    sys.stdout.write("\n".join([*lines, ""]))


if __name__ == "__main__":
    main()
