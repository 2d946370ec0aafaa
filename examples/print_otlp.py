"""Print what arrives over OTLP/HTTP: a stand-in for a Collector, to see that telemetry leaves a program.

python print_otlp.py            # listens on localhost:4318, where OTLP/HTTP is expected
python print_otlp.py --port 0   # on a free port
"""

from __future__ import annotations

import argparse
import gzip
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


def spans(body: bytes) -> Iterator[str]:
    request = ExportTraceServiceRequest.FromString(body)
    for span in (each for r in request.resource_spans for s in r.scope_spans for each in s.spans):
        milliseconds = (span.end_time_unix_nano - span.start_time_unix_nano) / 1e6
        yield f"span    {span.name}  {milliseconds:.1f} ms  trace {span.trace_id.hex()}"


def metrics(body: bytes) -> Iterator[str]:
    request = ExportMetricsServiceRequest.FromString(body)
    for metric in (each for r in request.resource_metrics for s in r.scope_metrics for each in s.metrics):
        kind = metric.WhichOneof("data")
        yield f"metric  {metric.name}  {kind}, {len(getattr(metric, kind).data_points)} series"


def logs(body: bytes) -> Iterator[str]:
    request = ExportLogsServiceRequest.FromString(body)
    for record in (each for r in request.resource_logs for s in r.scope_logs for each in s.log_records):
        yield f"log     {record.event_name or record.body.string_value}  {record.severity_text}"


PATHS: Mapping[str, Callable[[bytes], Iterator[str]]] = {"/v1/traces": spans, "/v1/metrics": metrics, "/v1/logs": logs}


class Printer(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        show = PATHS.get(self.path)
        if show is not None:
            print(
                *show(gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body),
                sep="\n",
                flush=True,
            )
        self.send_response(200 if show is not None else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments: Any) -> None:
        """Keep quiet: what arrived is all there is to say."""


def main() -> None:
    """Listen until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=4318)
    with ThreadingHTTPServer(("localhost", parser.parse_args().port), Printer) as server:
        print(f"listening on http://localhost:{server.server_port}", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
