"""The board and the alerts about the Collector show what real Collectors say that refuse, give up and run full."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from dashboards.boards import boards
from dashboards.queries import Query
from tests.collector.collectors import CONFIGS, Collector, collecting
from tests.collector.ledger import Books, Ledger
from tests.collector.prometheus import Prometheus, prometheus
from tests.collector.tiers import Tiers, standalone, two_tiers
from tests.dashboards.reading import LIMITS, metrics, resolved, rules

pytestmark = pytest.mark.proof

SECTION = "otelcol_"
ROOM = 6000  # items in a queue
QUERIES = {
    f"{board.name}: {panel.title} {number}": line.query
    for board in boards(LIMITS)
    for panel in board.panels()
    for number, line in enumerate(panel.lines)
    if isinstance(line.query, Query)
}
ASKED = {place: query for place, query in QUERIES.items() if SECTION in str(query)}
ALERTS = {rule["alert"]: rule["expr"] for rule in rules() if "alert" in rule}
FIRE = {
    "CollectorEnqueueFailed", "CollectorGatewayFailing", "CollectorQueueFilling", "CollectorRefused",
    "CollectorRestarted", "CollectorSamplerOverflow", "CollectorSendFailed",
}  # fmt: skip
LITTLE_ROOM = "processors: {tail_sampling: {num_traces: 100, decision_wait: 3s}}\n"
TOO_EARLY = "otelcol_processor_tail_sampling_sampling_trace_dropped_too_early_total"
UPTIME = "otelcol_process_uptime_seconds_total"
TOOK = "otelcol_loadbalancer_backend_outcome_total"


def send(collector: Collector, items: int) -> None:
    """Send so many items of each signal, whatever the answer."""
    Books(collector.http).send(items)


def give_up(tiers: Tiers) -> None:
    """Have the backend take something, and refuse something for good."""
    for status, name in ((200, "sent"), (400, "send_failed")):
        tiers.backend.status = status
        send(tiers.first, 10)
        for signal in ("spans", "log_records", "metric_points"):
            tiers.first.until(f"otelcol_exporter_{name}_{signal}_total", 10)


def run_full(tiers: Tiers) -> None:
    """Have the backend ask for time until no queue has room."""
    tiers.backend.status = 503
    for _ in range(ROOM // 1000 + 10):
        send(tiers.first, 1000)
    for signal in ("spans", "log_records", "metric_points"):
        tiers.first.until(f"otelcol_exporter_enqueue_failed_{signal}_total", 1000)


def lose_the_gateway(tiers: Tiers, known: Prometheus) -> None:
    """Kill a gateway, start it again after an agent asked for it in vain, and send it more traces than it samples."""
    rest = Ledger(tiers.first.http)
    rest.send()
    known.until(f'{TOOK}{{success="true"}} > 0', 1)
    tiers.last.kill()
    rest.send()
    known.until(f'increase({TOOK}{{success="false"}}[5m]) > 0', 1)
    tiers.last.start()
    known.until(f"resets({UPTIME}[5m]) > 0", 1)
    rest.send(500)
    known.until(f"{TOO_EARLY} > 0", 1)


@contextmanager
def scraping(folder: Path, *collectors: Collector) -> Iterator[Prometheus]:
    """Scrape Collectors as the stack does."""
    config = yaml.safe_load((CONFIGS / "compose" / "prometheus.yaml").read_text())
    (job,) = [each for each in config["scrape_configs"] if each["job_name"] == "otel-collector"]
    job["static_configs"] = [{"targets": [f"127.0.0.1:{one.ports['METRICS']}" for one in collectors]}]
    with prometheus(folder, scrape_configs=[job]) as known:
        known.until('up{job="otel-collector"} == 1', len(collectors))
        yield known


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Let one Collector give up and run full, and another one want for memory, under the eyes of Prometheus."""
    folder = tmp_path_factory.mktemp("board")
    room = folder / "room.yaml"
    room.write_text(LITTLE_ROOM)
    little = {"OTELCOL_MEMORY_MIB": "8", "OTELCOL_MEMORY_SPIKE_MIB": "4"}
    with (
        standalone(folder, OTELCOL_QUEUE_ITEMS=str(ROOM)) as tiers,
        collecting(folder / "little", "standalone.yaml", **little) as small,
        two_tiers(folder, str(room)) as two,
        scraping(folder, tiers.first, small, two.first, two.last) as known,
    ):
        small.said("Memory usage is above", 0)
        send(small, 10)
        give_up(tiers)
        run_full(tiers)
        lose_the_gateway(two, known)
        for signal in ("spans", "log_records", "metric_points"):
            known.until(f"rate(otelcol_exporter_enqueue_failed_{signal}_total[5m]) >= 0", 1)
        yield known
        tiers.backend.status = 200


@pytest.mark.proves("panel", of="place")
@pytest.mark.parametrize("place", ASKED)
def test_every_panel_about_the_collector_shows_something(place: str, seen: Prometheus) -> None:
    """Each expression gives numbers, under exactly the labels that its legend counts on."""
    query = ASKED[place]
    found = seen.query(resolved(str(query)))
    assert found
    assert {frozenset(each["metric"]) - {"__name__"} for each in found} == {frozenset(query.labels)}


def test_what_is_asked_for_is_told() -> None:
    """There are panels about the Collector, and alerts."""
    assert len(ASKED) > 20
    assert ALERTS.keys() >= FIRE


@pytest.mark.proves("alert", of="name")
@pytest.mark.parametrize("name", sorted(FIRE))
def test_the_alerts_about_losses_fire(name: str, seen: Prometheus) -> None:
    """What refuses, gives up or runs full is what the alert for it asks for."""
    assert metrics(ALERTS[name])
    assert seen.query(ALERTS[name])
