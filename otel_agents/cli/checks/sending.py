"""Whether what the environment asks for can be sent; connects to the configured endpoints only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final

from otel_agents.cli import sockets
from otel_agents.cli.checks.finding import Finding, note, ok, problem
from otel_agents.cli.environment import SIGNALS
from otel_agents.cli.exporters import MAX_PORT, PORTS, endpoint_address
from otel_agents.config import Address

TRUE: Final = "true"
NAMES: Final[Mapping[str, str]] = {"grpc": "otlp_proto_grpc", "http/protobuf": "otlp_proto_http"}
# What brings an exporter that people ask for by name.
BROUGHT_BY: Final[Mapping[str, str]] = {
    "otlp_proto_grpc": "opentelemetry-exporter-otlp-proto-grpc",
    "otlp_proto_http": "opentelemetry-exporter-otlp-proto-http",
    "prometheus": "opentelemetry-exporter-prometheus",
    "zipkin": "opentelemetry-exporter-zipkin",
}
PAGE: Final = ("localhost", "9464")


def switches(env: Mapping[str, str]) -> Iterator[Finding]:
    """Look for what turns OpenTelemetry off as a whole, or takes its settings from elsewhere."""
    if env.get("OTEL_SDK_DISABLED", "").strip().lower() == TRUE:
        yield problem("OTEL_SDK_DISABLED=true: OpenTelemetry sends nothing", "Unset OTEL_SDK_DISABLED.")
    path = env.get("OTEL_CONFIG_FILE") or env.get("OTEL_EXPERIMENTAL_CONFIG_FILE")
    if path and not Path(path).is_file():
        yield problem(f"OpenTelemetry's configuration file {path} is not there", "Correct or unset OTEL_CONFIG_FILE.")
    elif path:
        yield note(f"{path} configures OpenTelemetry: the OTEL_*_EXPORTER variables are not looked at")


def exporters(env: Mapping[str, str]) -> Iterator[Finding]:
    """Look whether each signal has an exporter, and every exporter is installed and can do its work."""
    endpoints: dict[Address, list[str]] = {}
    for signal in SIGNALS:
        names = [name.strip() for name in env.get(f"OTEL_{signal}_EXPORTER", "otlp").split(",")]
        if names == ["none"]:
            yield note(f"{signal.lower()} are not sent: OTEL_{signal}_EXPORTER=none")
            continue
        for name in names:
            yield from _exporter(env, signal, name, endpoints)
    for address, signals in endpoints.items():
        yield _reachable(address, signals)


def _exporter(env: Mapping[str, str], signal: str, name: str, endpoints: dict[Address, list[str]]) -> Iterator[Finding]:
    protocol = _protocol(env, signal)
    own_name = NAMES.get(protocol, name) if name == "otlp" else name
    if not entry_points(group=f"opentelemetry_{signal.lower()}_exporter", name=own_name):
        fix = f"pip install {BROUGHT_BY[own_name]}" if own_name in BROUGHT_BY else f"Correct OTEL_{signal}_EXPORTER."
        yield problem(f"OTEL_{signal}_EXPORTER={name}: there is no exporter {own_name}", fix)
        return
    if not own_name.startswith("otlp"):
        yield ok(f"{signal.lower()} go to {name}")
    if own_name == "prometheus":
        yield _page(env)
    if own_name.startswith("otlp"):
        yield from _endpoint(env, signal, protocol, endpoints)


def _endpoint(
    env: Mapping[str, str], signal: str, protocol: str, endpoints: dict[Address, list[str]]
) -> Iterator[Finding]:
    names = (f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
    name = next((name for name in names if env.get(name)), "")
    endpoint = env.get(name) or f"http://localhost:{PORTS.get(protocol, PORTS['grpc'])}"
    try:
        address = endpoint_address(endpoint, protocol)
    except ValueError as error:
        yield problem(f"{name}: {error}", f"Correct {name}.")
        return
    if (address.port, protocol) in ((PORTS["grpc"], "http/protobuf"), (PORTS["http/protobuf"], "grpc")):
        yield problem(
            f"{signal.lower()} go to port {address.port} by {protocol}, which is the other protocol's port",
            "Set OTEL_EXPORTER_OTLP_PROTOCOL to grpc for port 4317, to http/protobuf for port 4318.",
        )
    endpoints.setdefault(address, []).append(signal.lower())


def _reachable(address: Address, signals: list[str]) -> Finding:
    told = ", ".join(signals)
    if sockets.answers(address):
        return ok(f"{told} go to {address} by OTLP, which answers")
    return problem(
        f"{told} go to {address} by OTLP, where nobody answers",
        "Start a Collector there, or name its address in OTEL_EXPORTER_OTLP_ENDPOINT, or set OTEL_*_EXPORTER=none.",
    )


def _page(env: Mapping[str, str]) -> Finding:
    host = env.get("OTEL_EXPORTER_PROMETHEUS_HOST") or PAGE[0]
    port = env.get("OTEL_EXPORTER_PROMETHEUS_PORT") or PAGE[1]
    if not port.isascii() or not port.isdigit() or not 0 < int(port) <= MAX_PORT:
        return problem(f"OTEL_EXPORTER_PROMETHEUS_PORT={port} is no port", "Give a port such as 9464.")
    address = Address(host, int(port))
    if in_the_way := sockets.in_the_way(address):
        return problem(
            f"the Prometheus page cannot be served at {address}: {in_the_way}",
            "Stop what listens there (maybe the program itself runs), or set OTEL_EXPORTER_PROMETHEUS_PORT.",
        )
    return ok(f"the Prometheus page can be served at {address}")


def _protocol(env: Mapping[str, str], signal: str) -> str:
    own = env.get(f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL") or env.get("OTEL_EXPORTER_OTLP_PROTOCOL")
    return (own or "grpc").strip()
