"""What boards promise of exemplars: points that lead to spans which the traces' backend has, and on which ways."""

from __future__ import annotations

import json
import time
import urllib.parse
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.collector.collectors import CONFIGS, read
from tests.collector.prometheus import Prometheus
from tests.collector.test_prometheus import WAYS, all_ways
from tests.dashboards.reading import Target, resolved, targets
from tests.need import require_module

pytestmark = [pytest.mark.proof, pytest.mark.timeout(300)]

require_module("langgraph_swarm", "demo")

EVERYTHING = CONFIGS.parent / "tests" / "dashboards" / "program.py"
WAIT_S = 60
# Exemplars come once, with the export after them, and stand on the Collector's page until the next one: Prometheus
# scrapes it every second.
EVERY_MS = 5000
TRACE, SPAN = "trace_id", "span_id"
Seen = tuple[dict[str, dict[str, list[dict[str, str]]]], set[tuple[str, str]]]
PROMISED = {target.place: target for target in targets() if target.query.get("exemplar")}
# OpenTelemetry's Python exporter writes a page without exemplars, whatever format Prometheus asks for.
WITHOUT = WAYS[0]


def exemplars(known: Prometheus, target: Target, way: str) -> list[dict[str, str]]:
    """Return the labels of the exemplars of a panel's query that came this way."""
    narrowed = resolved(target.expr, job=f'.+", way="{"" if way == "OTLP" else way}')
    asked = urllib.parse.urlencode({"query": narrowed, "start": "0", "end": str(time.time() + 1)})
    found: list[dict[str, Any]] = json.loads(read(f"{known.url}/api/v1/query_exemplars?{asked}"))["data"]
    return [exemplar["labels"] for series in found for exemplar in series["exemplars"]]


def spans(path: Path) -> set[tuple[str, str]]:
    """Return trace id and span id of every span in the Collector's file."""
    return {
        (span["traceId"], span["spanId"])
        for line in path.read_text().splitlines()
        for resource in json.loads(line)["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    }


def arrived(known: Prometheus, way: str) -> dict[str, list[dict[str, str]]]:
    """Return the exemplars of each panel on a way, waiting for them where there are any."""
    end = time.monotonic() + WAIT_S
    while True:
        found = {place: exemplars(known, target, way) for place, target in PROMISED.items()}
        if all(found.values()) or way == WITHOUT or time.monotonic() > end:
            return found
        time.sleep(0.5)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """Let everything happen twice, for a rate of it; give the exemplars by way and panel, and all spans."""
    folder = tmp_path_factory.mktemp("exemplars")
    with all_ways(folder, str(EVERYTHING), str(folder), every_ms=EVERY_MS) as (known, running):
        for number in (1, 2):
            running.do("round")
            known.until(f'otel_agents_guard_errors_total{{place="proof"}} == {number}', len(WAYS))
        found = {way: arrived(known, way) for way in reversed(WAYS)}
    return found, spans(folder / "data" / "traces.jsonl")


def test_panels_promise_them() -> None:
    """Quantiles over time do, on most boards."""
    assert len(PROMISED) > 10
    assert len({target.board for target in PROMISED.values()}) > 5


@pytest.mark.parametrize("way", [way for way in WAYS if way != WITHOUT])
@pytest.mark.parametrize("place", PROMISED)
def test_points_lead_to_spans(place: str, way: str, seen: Seen) -> None:
    """Each exemplar of a panel's query has the ids of a span that arrived at the traces' backend."""
    found, known = seen
    assert found[way][place]
    assert {(labels[TRACE], labels[SPAN]) for labels in found[way][place]} <= known


def test_the_program_s_own_page_has_none(seen: Seen) -> None:
    """Where Prometheus scrapes the program itself, its series have no exemplars, as the docs say."""
    found, _ = seen
    assert not any(found[WITHOUT].values())


def test_grafana_follows_the_label() -> None:
    """The stack's data source takes the label that exemplars have to the data source of traces."""
    sources = yaml.safe_load((CONFIGS / "compose" / "datasources.yaml").read_text())["datasources"]
    by_type = {source["type"]: source for source in sources}
    (destination,) = by_type["prometheus"]["jsonData"]["exemplarTraceIdDestinations"]
    assert destination == {"name": TRACE, "datasourceUid": by_type["tempo"]["uid"]}
    stack = yaml.safe_load((CONFIGS / "compose.yaml").read_text())
    assert "--enable-feature=exemplar-storage" in stack["services"]["prometheus"]["command"]
