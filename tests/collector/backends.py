"""What telemetry is sent to: it keeps what arrives, refuses when told to, and hands on when it stands in between."""

from __future__ import annotations

import gzip
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.receiver import REQUESTS, Receiver

RESOURCES = {"/v1/traces": "resource_spans", "/v1/metrics": "resource_metrics", "/v1/logs": "resource_logs"}
WAIT_S = 60


class Backend(Receiver):
    """A receiver that can be away, or refuse, and that can be waited for."""

    def __init__(self, to: str = "") -> None:
        super().__init__()
        self.status = 200
        self.refused = 0
        self.bodies: list[bytes] = []
        self.resources: list[dict[str, str]] = []
        self._to = to
        self._changed = threading.Condition()

    def answer(self, path: str, body: bytes) -> int:
        """Take a request, unless told otherwise, and hand it on where it is to go."""
        with self._changed:
            if self.status != 200:
                self.refused += 1
                self._changed.notify_all()
                return self.status
            if self._to:
                status = _send(f"{self._to}{path}", body)
                if status != 200:
                    return status
            self.bodies.append(body)
            self.take(path, body)
            self._changed.notify_all()
        return 200

    def take(self, path: str, body: bytes) -> None:
        """Decode one request, and keep what its resources say about themselves."""
        super().take(path, body)
        request = REQUESTS[path].FromString(body)
        groups = getattr(request, RESOURCES[path])
        self.resources += [{one.key: one.value.string_value for one in of.resource.attributes} for of in groups]

    def wait(self, arrived: Callable[[Backend], bool], timeout_s: float = WAIT_S) -> None:
        """Return when it is so."""
        with self._changed:
            assert self._changed.wait_for(lambda: arrived(self), timeout_s), (len(self.spans), len(self.logs))

    def refusal(self, requests: int) -> None:
        """Return when so many requests were refused."""
        self.wait(lambda _: self.refused >= requests)


def _send(url: str, body: bytes) -> int:
    request = urllib.request.Request(url, body, {"Content-Type": "application/x-protobuf"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return int(answer.status)


@contextmanager
def backend(to: str = "", port: int = 0, host: str = "127.0.0.1") -> Iterator[Backend]:
    """Receive OTLP over HTTP, on loopback unless told otherwise; with `to`, hand on what was taken down."""
    one = Backend(to)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # connections stay, as a Collector expects

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            self.send_response(one.answer(self.path, body))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    ThreadingHTTPServer.daemon_threads = True
    server = ThreadingHTTPServer((host, port), Handler)
    one.endpoint = f"http://{host}:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield one
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
