"""Every configuration starts as shipped; what is wrong with its surroundings is said, and nothing half-started."""

from __future__ import annotations

import socket
import ssl
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.collector.certificates import certify
from tests.collector.collectors import Collector, collecting, command, free_port, read
from tests.collector.tiers import to

pytestmark = pytest.mark.proof

SHIPPED = [
    ("standalone.yaml",),
    ("standalone.yaml", "content.yaml"),
    ("standalone.yaml", "secure.yaml"),
    ("agent.yaml",),
    ("agent.yaml", "secure.yaml", "content.yaml"),
    ("gateway.yaml",),
    ("gateway.yaml", "content.yaml"),
]


def surroundings(folder: Path) -> dict[str, str]:
    """Return all variables that any configuration needs; nobody listens where they point to."""
    closed = free_port()
    return {
        **certify(folder),
        **to(f"http://127.0.0.1:{closed}"),
        "OTELCOL_GATEWAY": "127.0.0.1",
        "OTELCOL_GATEWAY_PORT": str(closed),
        "OTELCOL_NODE": "node-1",
    }


def validate(collector: Collector, *configs: str) -> subprocess.CompletedProcess[str]:
    binary, *files = command(*configs)
    return subprocess.run(
        [binary, "validate", *files], env=collector.environ, capture_output=True, text=True, check=False, timeout=60
    )


def refusal(folder: Path, *configs: str, **environ: str) -> str:
    """Return what a Collector says that does not start."""
    collector = Collector(folder / "data", *configs, **environ)
    done = subprocess.run(
        command(*configs), env=collector.environ, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    return done.stderr


@pytest.mark.parametrize("configs", SHIPPED, ids=" ".join)
def test_a_configuration_is_valid_and_starts(tmp_path: Path, configs: tuple[str, ...]) -> None:
    """It validates, starts, says that it is well, warns of nothing, and ends when told to."""
    with collecting(tmp_path / "data", *configs, **surroundings(tmp_path)) as collector:
        done = validate(collector, *configs)
        assert (done.returncode, done.stdout) == (0, "")
        assert "Server available" in read(f"http://127.0.0.1:{collector.ports['HEALTH']}/")
        assert "otelcol_process_uptime_seconds_total" in collector.metrics()
    assert [line for line in collector.log if "deprecated" in line or "\twarn\t" in line] == []


def test_what_kubernetes_adds_is_valid(tmp_path: Path) -> None:
    """The agent's addition for Kubernetes validates; to start, it needs the API of a cluster."""
    collector = Collector(tmp_path / "data", "agent.yaml", "kubernetes.yaml", **surroundings(tmp_path))
    assert validate(collector, "agent.yaml", "kubernetes.yaml").returncode == 0


@pytest.mark.parametrize(
    ("configs", "variable", "message"),
    [
        (("gateway.yaml",), "OTELCOL_TOKEN", "no bearer token provided"),
        (("gateway.yaml",), "OTELCOL_TLS_CERT", "TODO"),
        (("gateway.yaml",), "OTELCOL_TRACES_URL", "TODO"),
        (("agent.yaml",), "OTELCOL_GATEWAY", "TODO"),
        (("agent.yaml",), "OTELCOL_TOKEN", "no bearer token provided"),
        (("standalone.yaml", "secure.yaml"), "OTELCOL_TLS_KEY", "TODO"),
    ],
)
def test_a_missing_variable_is_named(tmp_path: Path, configs: tuple[str, ...], variable: str, message: str) -> None:
    """Without a variable that has no default it does not start, and says which one is unset and what that breaks."""
    environ = surroundings(tmp_path)
    del environ[variable]
    said = refusal(tmp_path, *configs, **environ)
    assert message in said
    assert variable in said
