"""The stack on one machine, as files: pinned images, nothing published to the network, and files that are there."""

from __future__ import annotations

import re
from typing import Any

import yaml

from dashboards.alerting.objectives import PERIOD
from tests.collector.collectors import CONFIGS, ROOT

STACK: dict[str, Any] = yaml.safe_load((CONFIGS / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = STACK["services"]
SENT_EVERY = "60s"  # unless OTEL_METRIC_EXPORT_INTERVAL says otherwise
ASKED = {"collector", "prometheus", "alertmanager", "loki", "tempo", "grafana"}


def test_the_stack_is_whole() -> None:
    """All six parts are there, beside the one that prepares the disk."""
    assert SERVICES.keys() == ASKED | {"disk"}


def test_images_are_pinned_and_can_be_others() -> None:
    """Each image has a whole version, and a variable that overrides it."""
    for name, service in SERVICES.items():
        assert re.fullmatch(r"\$\{[A-Z]+_IMAGE:-[\w./-]+:v?\d+\.\d+\.\d+\}", service["image"]), name


def test_the_collector_is_of_the_version_that_is_tested() -> None:
    """The contrib distribution of the stack and of Kubernetes is the version that the manifest builds."""
    versions = set(re.findall(r" v(0[.\d]+)$", (CONFIGS / "manifest.yaml").read_text(), re.MULTILINE))
    (kubernetes,) = yaml.safe_load((CONFIGS / "kustomization.yaml").read_text())["images"]
    assert versions == {kubernetes["newTag"]}
    assert SERVICES["collector"]["image"].endswith(f":{kubernetes['newTag']}}}")


def test_loki_is_of_the_version_that_is_tested() -> None:
    """Its image is the version that `make loki` builds."""
    [version] = re.findall(r"^LOKI_VERSION := v(.*)$", (CONFIGS / "build.mk").read_text(), re.MULTILINE)
    assert SERVICES["loki"]["image"].endswith(f"loki:{version}}}")


def test_ports_are_published_on_loopback_only() -> None:
    """Who is not on this machine reaches nothing."""
    ports = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_what_is_mounted_is_there() -> None:
    """Each file or folder that is mounted exists, and each volume is declared."""
    mounts = [mount.split(":")[0] for service in SERVICES.values() for mount in service.get("volumes", ())]
    assert {mount for mount in mounts if mount.startswith(".") and not (CONFIGS / mount).exists()} == set()
    assert {mount for mount in mounts if not mount.startswith(".")} == STACK["volumes"].keys()


def test_grafana_knows_its_datasources() -> None:
    """Each datasource has the address of a service and the uid that boards and links use."""
    sources = yaml.safe_load((CONFIGS / "compose" / "datasources.yaml").read_text())["datasources"]
    assert {source["uid"]: source["url"] for source in sources} == {
        "prometheus": "http://prometheus:9090",
        "alertmanager": "http://alertmanager:9093",
        "loki": "http://loki:3100",
        "tempo": "http://tempo:3200",
    }
    boards = yaml.safe_load((CONFIGS / "compose" / "boards.yaml").read_text())["providers"]
    assert [board["options"]["path"] for board in boards] == ["/etc/grafana/boards"]
    assert list((ROOT / "dashboards" / "grafana").glob("*.json"))


def test_the_machine_has_a_name() -> None:
    """`host.name` is told, since a container only knows its own, which is another one each time."""
    assert SERVICES["collector"]["environment"]["OTEL_RESOURCE_ATTRIBUTES"] == "host.name=${HOST_NAME:-localhost}"
    standalone = yaml.safe_load((CONFIGS / "standalone.yaml").read_text())
    assert standalone["processors"]["resource_detection"]["detectors"][0] == "env"


def test_a_rate_has_samples() -> None:
    """Grafana knows how often programs send, so that the window of a rate is never too short for two samples."""
    sources = yaml.safe_load((CONFIGS / "compose" / "datasources.yaml").read_text())["datasources"]
    (prometheus,) = [source for source in sources if source["uid"] == "prometheus"]
    assert prometheus["jsonData"]["timeInterval"] == SENT_EVERY


def test_objectives_find_all_of_their_time() -> None:
    """Prometheus keeps more than the period of the objectives."""
    kept = re.search(r"retention\.time=(\d+)d", " ".join(SERVICES["prometheus"]["command"]))
    assert kept is not None
    assert int(kept[1]) > int(PERIOD.removesuffix("d"))


def test_memory_is_refused_before_it_is_gone() -> None:
    """The Collector's own limits stand at 80 percent of what the kernel allows it."""
    collector = SERVICES["collector"]
    environ = collector["environment"]
    assert environ["GOMEMLIMIT"] == f"{environ['OTELCOL_MEMORY_MIB']}MiB"
    assert int(environ["OTELCOL_MEMORY_MIB"]) <= 0.81 * int(collector["mem_limit"].removesuffix("m"))
