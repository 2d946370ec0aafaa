"""The Collector's image in a real container engine: built from nothing, not root, with each shipped configuration."""

from __future__ import annotations

import ipaddress
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.collector.backends import backend
from tests.collector.certificates import certify
from tests.collector.collectors import CONFIGS, ROOT, binary, read
from tests.collector.passage import assert_unchanged, run_through
from tests.collector.tiers import over_otlp, to
from tests.need import missing, require_command, require_module

pytestmark = pytest.mark.proof

require_module("langgraph_swarm", "demo")

IMAGE = "otelcol-agents:test"
HTTP, HEALTH, METRICS = 4318, 13133, 8888
TLS = "/etc/otelcol-tls"


def docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture(scope="module")
def image() -> str:
    """Build the image as users do."""
    require_command("docker", "apt-get install docker.io")
    if subprocess.run(["docker", "info"], capture_output=True, check=False).returncode:
        missing("a container engine that runs", "dockerd &")
    assert binary()
    subprocess.run(["make", "image", f"IMAGE={IMAGE}"], cwd=ROOT, check=True, capture_output=True)
    return IMAGE


@pytest.fixture
def host() -> str:
    """Return the address at which containers reach this machine."""
    subnet = docker("network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Subnet}}")
    return str(ipaddress.ip_network(subnet)[1])


@contextmanager
def running(image: str, config: str, certificates: Path, hosts: dict[str, str], **environ: str) -> Iterator[Any]:
    """Run the image with a configuration until the block is left; what it says must hold no warning."""
    os.environ["TESTCONTAINERS_RYUK_DISABLED"] = "true"  # its image is in a registry
    container = require_module("testcontainers.core.container").DockerContainer(image)
    container.with_command(f"--config=/etc/otelcol/{config}")
    container.with_volume_mapping(str(CONFIGS), "/etc/otelcol", "ro")
    container.with_volume_mapping(str(certificates), TLS, "ro")
    container.with_exposed_ports(HTTP, HEALTH, METRICS)
    container.with_kwargs(extra_hosts=hosts)
    for name, value in environ.items():
        container.with_env(name, value.replace(str(certificates), TLS))
    ready = require_module("testcontainers.core.wait_strategies").LogMessageWaitStrategy("Everything is ready")
    with container.waiting_for(ready):
        yield container
        assert "deprecated" not in "".join(part.decode() for part in container.get_logs())


def address(container: Any, port: int) -> str:
    return f"http://127.0.0.1:{container.get_exposed_port(port)}"


def assert_well(container: Any) -> None:
    """It answers, counts under the names that alerts know, and is nobody who could do harm."""
    assert "Server available" in read(address(container, HEALTH))
    assert "\notelcol_process_uptime_seconds_total" in read(f"{address(container, METRICS)}/metrics")
    assert container.get_wrapped_container().attrs["Config"]["User"] == "10001:10001"


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """Make a folder that somebody else may read."""
    folder = tmp_path / "tls"
    folder.mkdir()
    for path in (tmp_path, folder):
        path.chmod(0o755)
    return folder


def test_one_machine(tmp_path: Path, image: str, host: str, certificates: Path) -> None:
    """A real run goes through a container with the standalone configuration, unchanged."""
    with backend(host=host) as end:
        environ = over_otlp(end.endpoint) | {"OTELCOL_ENVIRONMENT": "test"}
        with running(image, "standalone.yaml", certificates, {}, **environ) as container:
            assert_well(container)
            sent = run_through(tmp_path, address(container, HTTP), end)
    assert_unchanged(sent, end)


def test_two_tiers(tmp_path: Path, image: str, host: str, certificates: Path) -> None:
    """A real run goes through an agent and a gateway in containers, which find each other by name, unchanged."""
    environ = certify(certificates, "gateway") | {"OTELCOL_ENVIRONMENT": "test"}
    for path in certificates.iterdir():
        path.chmod(0o644)
    with (
        backend(host=host) as end,
        running(image, "gateway.yaml", certificates, {}, **environ, **to(end.endpoint)) as gateway,
    ):
        at = docker("inspect", gateway.get_wrapped_container().id, "--format", "{{.NetworkSettings.IPAddress}}")
        finds = {"OTELCOL_GATEWAY": "gateway"}
        with running(image, "agent.yaml", certificates, {"gateway": at}, **environ, **finds) as agent:
            assert_well(agent)
            assert_well(gateway)
            sent = run_through(tmp_path, address(agent, HTTP), end)
    assert_unchanged(sent, end)
