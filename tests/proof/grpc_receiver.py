"""A real OTLP/gRPC receiver on loopback, for tests; keeps what arrives as the one over HTTP does."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from tests.need import require_module
from tests.receiver import Receiver

COLLECTOR = "opentelemetry.proto.collector"
SERVICES = (("TraceService", "/v1/traces"), ("MetricsService", "/v1/metrics"), ("LogsService", "/v1/logs"))


def _service(receiver: Receiver, name: str, path: str) -> tuple[Any, Any]:
    """Return a servicer that keeps what it gets, and what adds it to a server."""
    signal = name.removesuffix("Service").lower()
    module = require_module(f"{COLLECTOR}.{signal}.v1.{signal}_service_pb2_grpc")
    answers = require_module(f"{COLLECTOR}.{signal}.v1.{signal}_service_pb2")

    class Servicer(getattr(module, f"{name}Servicer")):  # type: ignore[misc]
        def Export(self, request: Any, context: Any) -> Any:  # noqa: N802
            receiver.take(path, request.SerializeToString())
            return getattr(answers, f"Export{name}Response")()

    return Servicer(), getattr(module, f"add_{name}Servicer_to_server")


@contextmanager
def receiving_grpc() -> Iterator[Receiver]:
    """Receive OTLP over gRPC on a free port of the loopback interface."""
    grpc = require_module("grpc")
    receiver = Receiver()
    with ThreadPoolExecutor(4) as pool:
        server = grpc.server(pool)
        for name, path in SERVICES:
            servicer, add = _service(receiver, name, path)
            add(servicer, server)
        receiver.endpoint = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        server.start()
        try:
            yield receiver
        finally:
            server.stop(grace=None).wait()
