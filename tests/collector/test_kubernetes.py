"""What is applied to a cluster, rendered and held against the schemas of Kubernetes, without a cluster."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.collector.collectors import CONFIGS, ROOT
from tests.need import missing, require_module

pytestmark = pytest.mark.proof

OPERATOR = "monitoring.coreos.com/v1"  # its schemas are not those of Kubernetes
SCHEMAS = "1.37"
MIB = {"Mi": 1, "Gi": 1024}


def kustomize() -> list[str]:
    """Return the command that renders: kustomize as `make kustomize` builds it, or kubectl."""
    built = Path(os.environ.get("KUSTOMIZE", ROOT / ".cache" / "go" / "bin" / "kustomize"))
    if built.exists():
        return [str(built), "build"]
    return [shutil.which("kubectl") or missing("kustomize", "make kustomize"), "kustomize"]


@pytest.fixture(scope="module")
def rendered() -> list[dict[str, Any]]:
    done = subprocess.run([*kustomize(), str(CONFIGS)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return list(yaml.safe_load_all(done.stdout))


def one(rendered: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    (found,) = [each for each in rendered if each["kind"] == kind and each["metadata"]["name"].startswith(name)]
    return found


def collector(workload: dict[str, Any]) -> dict[str, Any]:
    (container,) = workload["spec"]["template"]["spec"]["containers"]
    return dict(container)


WORKLOADS = [("DaemonSet", "agent"), ("StatefulSet", "gateway")]


def test_every_object_fits_its_schema(rendered: list[dict[str, Any]]) -> None:
    """Each object has no field that Kubernetes does not know, and each that it asks for."""
    validate = require_module("kubernetes_validate").validate
    kinds = [each["kind"] for each in rendered if each["apiVersion"] != OPERATOR]
    for each in rendered:
        if each["apiVersion"] != OPERATOR:
            validate(each, SCHEMAS, strict=True)
    assert {"DaemonSet", "StatefulSet", "NetworkPolicy", "PodDisruptionBudget", "ClusterRole"} <= set(kinds)
    assert {each["kind"] for each in rendered if each["apiVersion"] == OPERATOR} == {"ServiceMonitor", "PrometheusRule"}


@pytest.mark.parametrize(("kind", "name"), WORKLOADS)
def test_a_collector_is_confined(rendered: list[dict[str, Any]], kind: str, name: str) -> None:
    """No root, nothing to write to but its disk, no more rights, memory that is its own, and all three probes."""
    workload = one(rendered, kind, name)
    container = collector(workload)
    pod = workload["spec"]["template"]["spec"]["securityContext"]
    merged = pod | container["securityContext"]
    assert merged["runAsNonRoot"] is True
    assert merged["readOnlyRootFilesystem"] is True
    assert merged["allowPrivilegeEscalation"] is False
    assert merged["capabilities"] == {"drop": ["ALL"]}
    assert {"startupProbe", "livenessProbe", "readinessProbe"} <= container.keys()
    assert container["resources"]["requests"]["memory"] == container["resources"]["limits"]["memory"]


@pytest.mark.parametrize(("kind", "name"), WORKLOADS)
def test_memory_is_refused_before_it_is_gone(rendered: list[dict[str, Any]], kind: str, name: str) -> None:
    """The limiter and Go's own limit stand at 80 percent of what the kernel allows."""
    container = collector(one(rendered, kind, name))
    amount, unit = re.fullmatch(r"(\d+)(\w+)", container["resources"]["limits"]["memory"]).groups()  # type: ignore[union-attr]
    limit = int(amount) * MIB[unit]
    values = {each["name"]: each.get("value", "") for each in container["env"]}
    assert values["GOMEMLIMIT"] == f"{values['OTELCOL_MEMORY_MIB']}MiB"
    assert int(values["OTELCOL_MEMORY_MIB"]) == pytest.approx(0.8 * limit, rel=0.01)


@pytest.mark.parametrize(("kind", "name"), WORKLOADS)
def test_a_collector_has_all_that_its_configuration_reads(rendered: list[dict[str, Any]], kind: str, name: str) -> None:
    """Each variable without a default is set, and the files are those that are tested on their own."""
    workload = one(rendered, kind, name)
    container = collector(workload)
    config = one(rendered, "ConfigMap", f"{name}-config")["data"]
    for file, text in config.items():
        assert text == (CONFIGS / file).read_text()
    assert container["args"] == [f"--config=/etc/otelcol/{file}" for file in sorted(config)]
    asked = set(re.findall(r"\$\{env:(\w+)\}", "".join(config.values())))
    backends = one(rendered, "ConfigMap", "backends")["data"]
    assert asked <= {each["name"] for each in container["env"]} | backends.keys()
    volumes = workload["spec"]["template"]["spec"]["volumes"]
    (mounted,) = [each["configMap"]["name"] for each in volumes if "configMap" in each]
    assert mounted == one(rendered, "ConfigMap", f"{name}-config")["metadata"]["name"]


def test_an_agent_names_its_machine(rendered: list[dict[str, Any]]) -> None:
    """`host.name` is that of the node, which stands before it among the variables, and not that of the agent's pod."""
    names = [each["name"] for each in collector(one(rendered, "DaemonSet", "agent"))["env"]]
    values = {each["name"]: each.get("value") for each in collector(one(rendered, "DaemonSet", "agent"))["env"]}
    detection = yaml.safe_load((CONFIGS / "kubernetes.yaml").read_text())["processors"]["resource_detection"]
    assert values["OTEL_RESOURCE_ATTRIBUTES"] == "host.name=$(OTELCOL_NODE)"
    assert names.index("OTELCOL_NODE") < names.index("OTEL_RESOURCE_ATTRIBUTES")
    assert detection == {"detectors": ["env"]}


def test_an_agent_may_run_in_any_namespace(rendered: list[dict[str, Any]]) -> None:
    """Its priority is a class of its own: those of the system are not allowed everywhere."""
    pod = one(rendered, "DaemonSet", "agent")["spec"]["template"]["spec"]
    assert pod["priorityClassName"] == one(rendered, "PriorityClass", "otel-agents")["metadata"]["name"]


def test_gateways_keep_their_disks(rendered: list[dict[str, Any]]) -> None:
    """A gateway has a disk of its own that outlives it, and nothing scales gateways by itself."""
    gateway = one(rendered, "StatefulSet", "gateway")["spec"]
    assert gateway["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}
    (claim,) = gateway["volumeClaimTemplates"]
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]
    mounts = {
        each["name"]: each["mountPath"] for each in collector(one(rendered, "StatefulSet", "gateway"))["volumeMounts"]
    }
    assert mounts[claim["metadata"]["name"]] == "/var/lib/otelcol"
    assert "HorizontalPodAutoscaler" not in {each["kind"] for each in rendered}


def test_what_points_to_another_object_finds_it(rendered: list[dict[str, Any]]) -> None:
    """Services, budgets and policies select pods that are there; all stands in one namespace."""
    labels = [one(rendered, *each)["spec"]["template"]["metadata"]["labels"] for each in WORKLOADS]
    selectors = [each["spec"]["selector"] for each in rendered if each["kind"] == "Service"]
    selectors += [each["spec"]["selector"]["matchLabels"] for each in rendered if each["kind"] == "PodDisruptionBudget"]
    selectors += [each["spec"]["podSelector"]["matchLabels"] for each in rendered if each["kind"] == "NetworkPolicy"]
    for selector in selectors:
        assert any(selector.items() <= each.items() for each in labels)
    spaces = {each["metadata"].get("namespace") for each in rendered if not each["kind"].startswith("Cluster")}
    assert spaces - {None} == {"telemetry"}
    gateway = next(
        each for each in collector(one(rendered, "DaemonSet", "agent"))["env"] if each["name"] == "OTELCOL_GATEWAY"
    )
    assert gateway["value"] == "gateway.telemetry.svc.cluster.local"


def test_rules_of_ones_own_are_wrapped(tmp_path: Path) -> None:
    """Rules that were written under other limits become objects of the operator as ours do."""
    for path in (ROOT / "dashboards" / "rules").glob("*.yaml"):
        (tmp_path / path.name).write_text(path.read_text().replace("> 9000", "> 180000"))
    command = [sys.executable, str(CONFIGS / "rules.py"), "--of", str(tmp_path)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said == (CONFIGS / "k8s" / "rules.yaml").read_text().replace("> 9000", "> 180000")


def test_rules_are_current() -> None:
    """The objects of the Prometheus operator hold the rules of `dashboards/rules` as they are."""
    rules = CONFIGS / "k8s" / "rules.yaml"
    held = [each["spec"] for each in yaml.safe_load_all(rules.read_text())]
    files = sorted((ROOT / "dashboards" / "rules").glob("*.yaml"))
    assert held == [yaml.safe_load(path.read_text()) for path in files]
