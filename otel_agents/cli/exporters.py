"""Two shortcuts to exporters, a Prometheus page and an OTLP endpoint, each checked first; must not start anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from otel_agents.cli import sockets
from otel_agents.cli.environment import SIGNALS, with_exporter
from otel_agents.config import Address

HTTP_PORT: Final = 4318
PORTS: Final = {"http/protobuf": 4318, "grpc": 4317}
MAX_PORT: Final = 65_535
LOOPBACK: Final = "localhost"


class Shortcut(NamedTuple):
    """What a shortcut changes: the environment, or, when it cannot be used, nothing, and the problem; else a note."""

    env: dict[str, str]
    problem: str = ""
    note: str = ""


def read_address(text: str) -> Address:
    """Read `[HOST:]PORT`.

    Raises:
        ValueError: It is none.
    """
    host, _, port = text.rpartition(":")
    if not port.isascii() or not port.isdigit() or not 0 < int(port) <= MAX_PORT:
        raise ValueError(f"{text!r} is no [HOST:]PORT with a port from 1 to {MAX_PORT}")
    return Address(host.strip("[]") or LOOPBACK, int(port))


def endpoint_address(endpoint: str, protocol: str) -> Address:
    """Return where an OTLP endpoint listens, such as `http://localhost:4318` or `localhost:4317`.

    Raises:
        ValueError: It is no URL.
    """
    url = urlsplit(_url(endpoint))
    if not url.hostname:
        raise ValueError(f"{endpoint!r} is no URL such as http://localhost:4317")
    standard = {"https": 443, "http": 80}.get(url.scheme) if protocol == "http/protobuf" else None
    return Address(url.hostname, url.port or standard or PORTS.get(protocol, PORTS["grpc"]))


def protocol_of(endpoint: str, env: Mapping[str, str]) -> str:
    """Return the protocol in force: the one that is set, else what the port says, else gRPC."""
    said = env.get("OTEL_EXPORTER_OTLP_PROTOCOL", "").strip()
    return said or ("http/protobuf" if urlsplit(_url(endpoint)).port == HTTP_PORT else "grpc")


def with_prometheus(env: Mapping[str, str], at: Address) -> Shortcut:
    """Show a Prometheus page, unless the port is taken: an exporter that fails to start takes all telemetry along."""
    if in_the_way := sockets.in_the_way(at):
        return Shortcut(dict(env), f"--prometheus {at}: {in_the_way}; there is no Prometheus page. Give another port.")
    page = {"OTEL_EXPORTER_PROMETHEUS_HOST": at.host, "OTEL_EXPORTER_PROMETHEUS_PORT": str(at.port)}
    return Shortcut(with_exporter(env, "METRICS", "prometheus") | page)


def with_otlp(env: Mapping[str, str], endpoint: str) -> Shortcut:
    """Send traces, metrics and logs to an endpoint, unless nobody answers there: exporters would wait at the exit.

    Raises:
        ValueError: The endpoint is no URL.
    """
    protocol = protocol_of(endpoint, env)
    at = endpoint_address(endpoint, protocol)
    if not sockets.answers(at):
        problem = f"--otlp {endpoint}: nobody answers at {at}; nothing is sent there. Start a Collector first."
        return Shortcut(dict(env), problem)
    sending = {**env, "OTEL_EXPORTER_OTLP_ENDPOINT": _url(endpoint), "OTEL_EXPORTER_OTLP_PROTOCOL": protocol}
    for signal in SIGNALS:
        sending = with_exporter(sending, signal, "otlp")
    return Shortcut(sending)


def _url(endpoint: str) -> str:
    return endpoint if "//" in endpoint else f"http://{endpoint}"
