"""A real OTLP/HTTP receiver on loopback, for tests: keeps what arrives, decoded."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

REQUESTS: dict[str, Any] = {
    "/v1/traces": ExportTraceServiceRequest,
    "/v1/metrics": ExportMetricsServiceRequest,
    "/v1/logs": ExportLogsServiceRequest,
}


class Receiver:
    """What arrived: names of spans and metrics, event names of log records."""

    def __init__(self) -> None:
        self.endpoint = ""
        self.spans: list[Any] = []
        self.metrics: list[Any] = []
        self.logs: list[Any] = []

    def take(self, path: str, body: bytes) -> None:
        """Decode one request."""
        request = REQUESTS[path]()
        request.ParseFromString(body)
        if path == "/v1/traces":
            self.spans += [s for r in request.resource_spans for scope in r.scope_spans for s in scope.spans]
        elif path == "/v1/metrics":
            self.metrics += [m for r in request.resource_metrics for scope in r.scope_metrics for m in scope.metrics]
        else:
            self.logs += [x for r in request.resource_logs for scope in r.scope_logs for x in scope.log_records]


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Receive OTLP over HTTP on a free port of the loopback interface."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            receiver.take(self.path, self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
