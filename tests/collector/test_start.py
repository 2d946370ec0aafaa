"""Every configuration starts as shipped; what is wrong with its surroundings is said, and nothing half-started."""

from __future__ import annotations

import re
import socket
import ssl
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.collector.backends import backend
from tests.collector.certificates import certify
from tests.collector.collectors import Collector, collecting, command, free_port, read, refusal
from tests.collector.ledger import Ledger
from tests.collector.tiers import over_otlp, to

pytestmark = pytest.mark.proof

WARNING = re.compile(r"deprecated|\t(warn|error)\t")  # gRPC's own are about the gateway, which is not there
# Without the API of a cluster, and straight to a backend.
APART = """
processors: {k8s_attributes: {passthrough: true}}
exporters: {otlp_http: {endpoint: "${env:TO}"}}
service: {pipelines: {logs: {exporters: [otlp_http]}}}
"""
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


def refused(folder: Path, *configs: str, **environ: str) -> str:
    """Return what a Collector says that does not start, although it has a disk unless told otherwise."""
    (folder / "data").mkdir(exist_ok=True)
    return refusal(Collector(folder / "data", *configs, **environ))


@pytest.mark.parametrize("configs", SHIPPED, ids=" ".join)
def test_a_configuration_is_valid_and_starts(tmp_path: Path, configs: tuple[str, ...]) -> None:
    """It validates, starts, says that it is well, warns of nothing, and ends when told to."""
    with collecting(tmp_path / "data", *configs, **surroundings(tmp_path)) as collector:
        done = validate(collector, *configs)
        assert (done.returncode, done.stdout) == (0, "")
        assert "Server available" in read(f"http://127.0.0.1:{collector.ports['HEALTH']}/")
        assert "otelcol_process_uptime_seconds_total" in collector.metrics()
    assert [line for line in collector.log if WARNING.search(line) and "grpc_log" not in line] == []


def test_what_kubernetes_adds_is_valid_and_starts(tmp_path: Path) -> None:
    """With the agent's addition for Kubernetes it starts, warns of nothing, and names the machine that it is told."""
    apart = tmp_path / "apart.yaml"
    apart.write_text(APART)
    configs = ("agent.yaml", "kubernetes.yaml", str(apart))
    environ = surroundings(tmp_path) | {"OTEL_RESOURCE_ATTRIBUTES": "host.name=node-1"}
    with backend() as end, collecting(tmp_path / "data", *configs, **environ, TO=end.endpoint) as collector:
        assert validate(collector, "agent.yaml", "kubernetes.yaml").returncode == 0
        assert Ledger(collector.http, "logs").send() == 200
        end.wait(lambda one: len(one.logs) == 10)
    assert [line for line in collector.log if WARNING.search(line) and "grpc_log" not in line] == []
    assert {of["host.name"] for of in end.resources} == {"node-1"}


@pytest.mark.parametrize(
    ("configs", "variables", "message"),
    [
        (("gateway.yaml",), ["OTELCOL_TOKEN"], "extensions::bearertokenauth: no bearer token provided"),
        (("gateway.yaml",), ["OTELCOL_TLS_CERT"], "TLS configuration must include both certificate and key"),
        (("gateway.yaml",), ["OTELCOL_TLS_CERT", "OTELCOL_TLS_KEY"], "must include both certificate and key"),
        (("gateway.yaml",), ["OTELCOL_TRACES_URL"], "otlp_http/traces: at least one endpoint must be specified"),
        (("agent.yaml",), ["OTELCOL_GATEWAY"], "no hostname specified to resolve the backends"),
        (("agent.yaml",), ["OTELCOL_TOKEN"], "extensions::bearertokenauth: no bearer token provided"),
        (("standalone.yaml", "secure.yaml"), ["OTELCOL_TLS_KEY"], "must include both certificate and key"),
        (
            ("standalone.yaml", "secure.yaml"),
            ["OTELCOL_TLS_CERT", "OTELCOL_TLS_KEY"],
            "must include both certificate and key",
        ),
    ],
)
def test_a_missing_variable_is_named(
    tmp_path: Path, configs: tuple[str, ...], variables: list[str], message: str
) -> None:
    """Without a variable that has no default it does not start, and says which one is unset and what that breaks."""
    environ = surroundings(tmp_path)
    for variable in variables:
        del environ[variable]
    said = refused(tmp_path, *configs, **environ)
    assert message in said
    for variable in variables:
        assert f'Configuration references unset environment variable\t{{"name": "{variable}"}}' in said


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    """With somebody on its port it does not start, and says which port."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        said = refused(tmp_path, "standalone.yaml", OTELCOL_HTTP_PORT=port)
    assert f"listen tcp 127.0.0.1:{port}: bind: address already in use" in said


def test_a_missing_disk_is_named(tmp_path: Path) -> None:
    """Without the directory of its queue it does not start, and makes none."""
    missing = tmp_path / "not-mounted"
    said = refused(tmp_path, "standalone.yaml", OTELCOL_DATA=str(missing))
    assert f"extensions::file_storage: directory must exist: stat {missing}: no such file or directory" in said
    assert not missing.exists()


def test_a_disk_that_another_one_uses_is_refused(tmp_path: Path) -> None:
    """Two Collectors do not share a queue: the second one does not start."""
    environ = over_otlp(f"http://127.0.0.1:{free_port()}")
    with collecting(tmp_path / "data", "standalone.yaml", **environ):
        assert "timeout" in refused(tmp_path, "standalone.yaml", **environ)


def test_an_unknown_exporter_is_named(tmp_path: Path) -> None:
    """A list of exporters that names one which is not there keeps it from starting."""
    said = refused(tmp_path, "standalone.yaml", OTELCOL_TRACES_TO="[tempo]")
    assert 'service::pipelines::traces: references exporter "tempo" which is not configured' in said


def ask(url: str, token: str, authority: str) -> int:
    """Send an empty request, and return the answer."""
    headers = {"Content-Type": "application/x-protobuf", "Authorization": f"Bearer {token}"}
    request = urllib.request.Request(url, b"", headers)
    try:
        with urllib.request.urlopen(request, timeout=20, context=ssl.create_default_context(cafile=authority)) as done:
            return int(done.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


@pytest.mark.parametrize("configs", [("gateway.yaml",), ("standalone.yaml", "secure.yaml")], ids=" ".join)
def test_a_token_is_asked_for(tmp_path: Path, configs: tuple[str, ...]) -> None:
    """Only who has the token is heard, and only over TLS."""
    environ = surroundings(tmp_path)
    with collecting(tmp_path / "data", *configs, **environ) as collector:
        url = f"https://127.0.0.1:{collector.ports['HTTP']}/v1/traces"
        authority = environ["OTELCOL_GATEWAY_CA"]
        assert ask(url, environ["OTELCOL_TOKEN"], authority) == 200
        assert ask(url, "another", authority) == 401
        assert ask(url.replace("https", "http"), environ["OTELCOL_TOKEN"], authority) == 400


def test_an_agent_with_another_token_loses_and_counts(tmp_path: Path) -> None:
    """A gateway that does not know the token refuses for good: the agent says so, drops, and counts what it drops."""
    environ = surroundings(tmp_path)
    with collecting(tmp_path / "gateway", "gateway.yaml", **environ) as gateway:
        finds = {"OTELCOL_GATEWAY_PORT": str(gateway.ports["GRPC"]), "OTELCOL_TOKEN": "another"}
        with collecting(tmp_path / "agent", "agent.yaml", **environ | finds) as agent:
            assert Ledger(agent.http).send() == 200
            agent.said("Unauthenticated", 0)
            agent.until("otelcol_exporter_send_failed_spans_total", 10)


def test_an_expired_certificate_is_named(tmp_path: Path) -> None:
    """Agents do not talk to a gateway whose certificate is over: they keep what they have, and say why."""
    environ = surroundings(tmp_path) | certify(tmp_path, expired=True)
    with collecting(tmp_path / "gateway", "gateway.yaml", **environ) as gateway:
        finds = {"OTELCOL_GATEWAY_PORT": str(gateway.ports["GRPC"])}
        with collecting(tmp_path / "agent", "agent.yaml", **environ | finds) as agent:
            assert Ledger(agent.http).send() == 200
            agent.said("certificate has expired or is not yet valid", 0)
            assert agent.metrics()["otelcol_exporter_queue_size"] == 10
