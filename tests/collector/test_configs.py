"""The shipped configurations, as files: what each has to have, whatever it is run by."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from otel_agents.semconv.agents import OURS
from otel_agents.semconv.gen_ai import UPSTREAM

ROOT = Path(__file__).parents[2]
COLLECTOR = ROOT / "collector"
CONFIGS = ("standalone.yaml", "agent.yaml", "gateway.yaml")
OVERLAYS = ("secure.yaml", "content.yaml", "kubernetes.yaml")
# The components of the official contrib distribution of the same version, by the last part of their module.
CONTRIB = (Path(__file__).parent / "contrib.txt").read_text().split()
MODULES = {
    "receivers": {"otlp": "otlpreceiver"},
    "processors": {
        "batch": "batchprocessor",
        "filter": "filterprocessor",
        "k8s_attributes": "k8sattributesprocessor",
        "memory_limiter": "memorylimiterprocessor",
        "redaction": "redactionprocessor",
        "resource": "resourceprocessor",
        "resource_detection": "resourcedetectionprocessor",
        "tail_sampling": "tailsamplingprocessor",
        "transform": "transformprocessor",
    },
    "connectors": {"forward": "forwardconnector"},
    "exporters": {
        "file": "fileexporter",
        "load_balancing": "loadbalancingexporter",
        "otlp_grpc": "otlpexporter",
        "otlp_http": "otlphttpexporter",
        "prometheus": "prometheusexporter",
        "prometheus_remote_write": "prometheusremotewriteexporter",
    },
    "extensions": {
        "bearertokenauth": "bearertokenauthextension",
        "file_storage": "filestorage",
        "health_check": "healthcheckextension",
    },
}
KEEPS_NOTHING = ("file", "prometheus", "prometheus_remote_write")
TAKEN = 16 * 1024 * 1024  # bytes of a request


def load(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((COLLECTOR / name).read_text())
    return loaded


def kind(component: str) -> str:
    """Return the type of a component: `otlp_http` of `otlp_http/traces`."""
    return component.partition("/")[0]


def used(section: str) -> set[str]:
    return {kind(component) for name in (*CONFIGS, *OVERLAYS) for component in load(name).get(section) or {}}


@pytest.mark.parametrize("section", MODULES)
def test_the_manifest_has_what_the_configurations_use(section: str) -> None:
    """Built in is each component that a configuration names, and no other; contrib has them all."""
    named = [line["gomod"].split()[0].rsplit("/", 1)[1] for line in load("manifest.yaml")[section]]
    assert {MODULES[section][component] for component in used(section)} == set(named)
    assert set(named) - set(CONTRIB) == set()


def test_contrib_reads_what_the_manifest_reads() -> None:
    """Files, variables and `--set` mean the same to both: contrib has every provider of the manifest."""
    named = {line["gomod"].split()[0].rsplit("/", 1)[1] for line in load("manifest.yaml")["providers"]}
    assert named - set(CONTRIB) == set()


@pytest.mark.parametrize("name", CONFIGS)
def test_memory_is_limited_first(name: str) -> None:
    """In each pipeline that takes data in, the memory limiter stands before all else."""
    pipelines = load(name)["service"]["pipelines"].values()
    first = {pipeline["processors"][0] for pipeline in pipelines if pipeline["receivers"] == ["otlp"]}
    assert first == {"memory_limiter"}


@pytest.mark.parametrize("name", CONFIGS)
def test_what_is_sent_waits_on_disk_for_as_long_as_it_takes(name: str) -> None:
    """Each exporter that sends has a queue on disk, never gives up, and makes its batches itself."""
    config = load(name)
    sending = {one: of for one, of in config["exporters"].items() if kind(one) not in KEEPS_NOTHING}
    for exporter in sending.values():
        queue = exporter["sending_queue"]
        assert queue["storage"] == "file_storage"
        assert queue["batch"]["sizer"] == "bytes"
        assert TAKEN >= queue["batch"]["max_size"] >= queue["batch"]["min_size"] > 0
        assert exporter["retry_on_failure"]["max_elapsed_time"] == 0
    assert config["extensions"]["file_storage"]["fsync"] is True
    # Behind the sampler the data is in memory anyhow.
    processors = [[kind(one) for one in of["processors"]] for of in config["service"]["pipelines"].values()]
    assert [one for one in processors if "batch" in one] == [one for one in processors if "tail_sampling" in one]


@pytest.mark.parametrize("name", CONFIGS)
def test_metrics_are_sent_in_order(name: str) -> None:
    """An exporter of metrics has one consumer, since Prometheus refuses what is older than the last sample."""
    config = load(name)
    exporters = config["service"]["pipelines"]["metrics"]["exporters"]
    names = exporters if isinstance(exporters, list) else ["otlp_http/metrics"]
    consumers = [config["exporters"][one]["sending_queue"]["num_consumers"] for one in names]
    assert consumers == [1]


@pytest.mark.parametrize("name", CONFIGS)
def test_a_gateway_takes_what_an_agent_sends(name: str) -> None:
    """No request is refused for its size: all take requests as large as the largest batch."""
    protocols = load(name)["receivers"]["otlp"]["protocols"]
    assert protocols["grpc"]["max_recv_msg_size_mib"] * 1024 * 1024 == TAKEN
    assert protocols["http"]["max_request_body_size"] == TAKEN


def test_all_redact_the_same() -> None:
    """What is content and what is secret is said three times, and each time the same."""
    redacting = ("redaction/content", "transform/content", "redaction/secrets")
    said = [{one: load(name)["processors"][one] for one in redacting} for name in CONFIGS]
    assert said[0] == said[1] == said[2]
    for name in CONFIGS:
        pipelines = load(name)["service"]["pipelines"]
        assert set(redacting) <= set(pipelines["traces"]["processors"])
        assert set(redacting) <= set(pipelines["logs"]["processors"])
        assert "redaction/secrets" in pipelines["metrics"]["processors"]


def patterns(processor: str) -> list[re.Pattern[str]]:
    """Return the patterns of keys; `$$` is a dollar in a configuration."""
    found = load("standalone.yaml")["processors"][processor]["blocked_key_patterns"]
    return [re.compile(pattern.replace("$$", "$")) for pattern in found]


def test_content_is_all_that_the_vocabulary_calls_so() -> None:
    """Of our own attributes, those that are content are masked, and no other is, by either list."""
    known = [*OURS, *UPSTREAM]
    content = {one.name for one in known if one.content} | {"exception.message"}
    masked = {one.name for one in known if any(pattern.search(one.name) for pattern in patterns("redaction/content"))}
    assert masked == content
    secret = {one.name for one in known if any(pattern.search(one.name) for pattern in patterns("redaction/secrets"))}
    assert secret == set()


def test_what_cannot_be_a_secret_is_not_looked_at() -> None:
    """Left alone are our numbers, words of closed sets and ids, and nothing that a host names or writes."""
    sure = {"flex.runtime", "flex.event.type"}
    for one in (*OURS, *UPSTREAM):
        closed = one.type in {"int", "double", "boolean"} or one.values
        if not one.content and (closed or (one.type == "string" and one.name.endswith(".id"))):
            sure.add(one.name)
    ignored = load("standalone.yaml")["processors"]["redaction/secrets"]["ignored_keys"]
    assert ignored == sorted(sure)


def test_every_variable_is_documented() -> None:
    """Each variable that a configuration reads has a row on the reference page, and each row is read."""
    texts = [(COLLECTOR / name).read_text() for name in (*CONFIGS, *OVERLAYS)]
    read = set(re.findall(r"\$\{env:(\w+)", "\n".join(texts)))
    page = (ROOT / "docs" / "reference" / "collector.md").read_text()
    assert set(re.findall(r"^\| `(OTELCOL_\w+)`", page, re.MULTILINE)) == read
