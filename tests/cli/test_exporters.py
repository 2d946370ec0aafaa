from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from otel_agents.cli.exporters import endpoint_address, protocol_of, read_address, with_otlp, with_prometheus
from otel_agents.config import Address


@pytest.fixture
def listening() -> Iterator[int]:
    """The port of somebody who accepts connections."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def free() -> int:
    """A port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("9464", Address("localhost", 9464)),
        ("0.0.0.0:80", Address("0.0.0.0", 80)),
        ("[::1]:9464", Address("::1", 9464)),
    ],
)
def test_addresses_are_read(text: str, address: Address) -> None:
    """A port alone means this machine."""
    assert read_address(text) == address


@pytest.mark.parametrize("text", ["", "host", "host:", ":0", "65536", "1e3", "-1", "\uff19464"])
def test_bad_addresses_are_refused_with_the_value(text: str) -> None:
    """The message has the value and what is wanted."""
    with pytest.raises(ValueError, match=r"is no \[HOST:\]PORT with a port from 1 to 65535"):
        read_address(text)


def test_endpoints_are_read_with_the_port_of_their_protocol() -> None:
    """A port that is not named is the protocol's."""
    assert endpoint_address("http://collector", "grpc") == Address("collector", 4317)
    assert endpoint_address("https://collector/v1", "http/protobuf") == Address("collector", 443)
    assert endpoint_address("localhost:4318", "http/protobuf") == Address("localhost", 4318)
    with pytest.raises(ValueError, match="is no URL"):
        endpoint_address("http://", "grpc")


def test_the_protocol_follows_the_setting_then_the_port() -> None:
    """4318 is HTTP's port; what is set explicitly wins."""
    assert protocol_of("localhost:4318", {}) == "http/protobuf"
    assert protocol_of("http://localhost:4317", {}) == "grpc"
    assert protocol_of("localhost:4318", {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}) == "grpc"


def test_a_prometheus_page_is_added_to_the_metrics(free: int) -> None:
    """Host and port are those that were asked for; other exporters stay."""
    env, problem, _ = with_prometheus({"OTEL_METRICS_EXPORTER": "console"}, Address("127.0.0.1", free))

    assert problem == ""
    assert env == {
        "OTEL_METRICS_EXPORTER": "console,prometheus",
        "OTEL_EXPORTER_PROMETHEUS_HOST": "127.0.0.1",
        "OTEL_EXPORTER_PROMETHEUS_PORT": str(free),
    }


def test_a_port_in_use_is_told_and_nothing_is_changed(listening: int) -> None:
    """The program runs on, without the page: an exporter that fails would take all telemetry with it."""
    env, problem, _ = with_prometheus({}, Address("127.0.0.1", listening))

    assert env == {}
    assert problem == (
        f"--prometheus 127.0.0.1:{listening}: Address already in use; there is no Prometheus page. Give another port."
    )


def test_all_signals_go_to_an_endpoint_that_answers(listening: int) -> None:
    """A bare host and port becomes a URL."""
    env, problem, _ = with_otlp({"OTEL_LOGS_EXPORTER": "console"}, f"127.0.0.1:{listening}")

    assert problem == ""
    assert env == {
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_METRICS_EXPORTER": "otlp",
        "OTEL_LOGS_EXPORTER": "console,otlp",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{listening}",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
    }


def test_an_endpoint_where_nobody_answers_is_told_and_not_used(free: int) -> None:
    """So the exit is not delayed by exporters that try again."""
    env, problem, _ = with_otlp({}, f"http://127.0.0.1:{free}")

    assert env == {}
    assert problem == (
        f"--otlp http://127.0.0.1:{free}: nobody answers at 127.0.0.1:{free}; nothing is sent there. "
        "Start a Collector first."
    )
