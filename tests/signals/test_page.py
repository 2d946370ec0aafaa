from __future__ import annotations

import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

import otel_agents
from otel_agents import pipeline
from otel_agents.config import Config
from otel_agents.signals.page import Page
from tests import need


def samples(page: Page) -> dict[tuple[str, ...], float]:
    """Return the samples of a page by name and label values, our scope's labels left out; each stands there once."""
    found: dict[tuple[str, ...], float] = {}
    for family in text_string_to_metric_families(page.text()[0].decode()):
        for sample in family.samples:
            labels = [value for name, value in sorted(sample.labels.items()) if not name.startswith("otel_scope")]
            key = (sample.name, *labels)
            assert key not in found
            found[key] = sample.value
    return found


def test_the_page_shows_what_the_host_measures_too() -> None:
    """On an SDK of the host all its instruments are shown, from before and after, and nothing is counted twice."""
    provider = MeterProvider(shutdown_on_exit=False)
    counter = provider.get_meter("host").create_counter("orders", "{order}")
    page = Page(provider)
    counter.add(2)

    assert not page.is_own
    assert samples(page)[("orders_total",)] == 2
    provider.force_flush()
    assert samples(page)[("orders_total",)] == 2
    page.close()
    assert samples(page) == {}
    provider.shutdown()


def test_the_page_stands_on_no_registry() -> None:
    """An exporter of the host, on the usual registry, shows its metrics once and not ours again."""
    before = list(REGISTRY.collect())
    page = Page(MeterProvider(shutdown_on_exit=False))

    assert len(list(REGISTRY.collect())) == len(before)
    page.close()


def test_an_sdk_of_our_own_where_there_is_none() -> None:
    """Without an SDK the page has one, which nobody else gets."""
    page = Page(NoOpMeterProvider())
    page.provider.get_meter("x").create_counter("orders").add(1)

    assert page.is_own
    assert samples(page)[("orders_total",)] == 1
    page.close()


def test_what_the_format_cannot_hold_is_left_out() -> None:
    """One exponential histogram of the host does not take the other metrics along."""
    view = View(instrument_type=Histogram, aggregation=ExponentialBucketHistogramAggregation())
    provider = MeterProvider(views=[view, View(instrument_type=Counter)], shutdown_on_exit=False)
    page = Page(provider)
    meter = provider.get_meter("host")
    meter.create_histogram("spread").record(1.0)
    meter.create_counter("orders").add(1)

    assert set(samples(page)) >= {("orders_total",)}
    assert not any(name.startswith("spread") for name, *_ in samples(page))
    provider.shutdown()


def test_a_name_stands_once_however_many_describe_it() -> None:
    """Two libraries with one name share its heading; what has another type under that name is not shown."""
    provider = MeterProvider(shutdown_on_exit=False)
    page = Page(provider)
    provider.get_meter("one").create_counter("orders", description="One.").add(1)
    provider.get_meter("two").create_counter("orders", description="Two.").add(2)
    provider.get_meter("three").create_up_down_counter("orders_total", description="Three.").add(3)
    text = page.text()[0].decode()

    headings = [line for line in text.splitlines() if line.startswith("#") and "orders" in line]
    assert headings == ["# HELP orders_total One.", "# TYPE orders_total counter"]
    values = [line.rpartition(" ")[2] for line in text.splitlines() if line.startswith("orders_total{")]
    assert values == ["1.0", "2.0"]
    page.close()


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", "text/plain; version=0.0.4; charset=utf-8"),
        ("text/html,*/*", "text/plain; version=0.0.4; charset=utf-8"),
        ("application/openmetrics-text; version=1.0.0", "application/openmetrics-text; version=1.0.0; charset=utf-8"),
    ],
)
def test_the_format_is_the_scrapers_choice(accept, expected) -> None:
    """The content type follows the `Accept` header, as with Prometheus' own library."""
    page = Page(NoOpMeterProvider())

    body, content_type = page.text(accept)
    assert content_type.startswith(expected)
    assert body.endswith(b"# EOF\n") == accept.startswith("application/openmetrics")
    page.close()


def test_scrapes_at_once_see_the_same() -> None:
    """Fifty scrapes at the same time each get every sample, once."""
    provider = MeterProvider(shutdown_on_exit=False)
    page = Page(provider)
    provider.get_meter("host").create_counter("orders").add(3, {"kind": "a"})
    with ThreadPoolExecutor(50) as threads:
        pages = list(threads.map(lambda _: page.text()[0], range(50)))

    lines = [line for text in pages for line in text.decode().splitlines() if line.startswith("orders_total{")]
    assert len(lines) == 50
    assert {line.rpartition(" ")[2] for line in lines} == {"3.0"}
    provider.shutdown()


def test_the_page_of_a_pipeline_has_zeros_from_the_start() -> None:
    """Counters with closed label sets are there before anything happens, also on an SDK that was there before us."""
    provider = MeterProvider(shutdown_on_exit=False)
    with_page = pipeline.start(Config(), meter_provider=provider)
    with_page.announce("langgraph")

    shown = samples(with_page.page())
    assert shown[("flex_run_status_total", "langgraph", "failed")] == 0
    assert shown[("flex_planner_requests_total", "replan", "langgraph")] == 0
    assert with_page.page() is with_page.page()
    pipeline.stop()
    provider.shutdown()


def test_a_pipeline_without_an_sdk_measures_for_its_page() -> None:
    """Where no SDK is set up, asking for the page is enough: operations are recorded, each counted once."""
    alone = pipeline.start(Config())
    page = alone.page()
    with otel_agents.run("r"):
        pass

    shown = samples(page)
    assert shown[("flex_run_status_total", "manual", "completed")] == 1
    assert shown[("flex_run_duration_seconds_count", "manual", "completed")] == 1
    assert alone.health()["signals"] == ["spans", "metrics", "logs", "feed"]


def test_a_page_that_comes_late_knows_the_runtimes() -> None:
    """Also on an SDK of its own the page begins with zeros for every runtime that was announced before."""
    alone = pipeline.start(Config())
    alone.announce("langgraph")

    assert samples(alone.page())[("flex_run_status_total", "langgraph", "failed")] == 0


def test_promtool_finds_nothing_but_the_older_name() -> None:
    """Prometheus' own check of the page complains of `yolo_memory_usage_mb` only, whose name is the older system's."""
    need.require_command("promtool", "apt-get install prometheus")
    alone = pipeline.start(Config())
    page = alone.page()
    with otel_agents.run("r"), otel_agents.node("n"):
        pass
    promtool = shutil.which("promtool") or ""
    done = subprocess.run([promtool, "check", "metrics"], input=page.text()[0], capture_output=True, check=False)

    assert [line for line in done.stderr.decode().splitlines() if "yolo_memory_usage_mb" not in line] == []
