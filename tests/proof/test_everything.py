"""Each event, each field of a log record and each metric on its whole way: SDK, OTLP, our Collector, a backend."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from dashboards.checklist import LOG_FIELDS
from otel_agents.semconv.events import EVENTS
from otel_agents.semconv.metrics import METRICS
from tests.collector.tiers import standalone
from tests.need import require_module
from tests.proof.programs import instrumented, sending

pytestmark = [pytest.mark.proof, pytest.mark.timeout(300)]

PROGRAM = Path(__file__).with_name("everything.py")
# A record may not be lost to a busy machine before it is sent: a flood is part of it.
HOST = {"OTEL_BLRP_MAX_QUEUE_SIZE": "16384", "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "SPAN_AND_EVENT"}


class Arrived(NamedTuple):
    """Names that came out at the end: of events, of fields of their records, of metrics."""

    events: set[str]
    fields: set[str]
    metrics: set[str]


@pytest.fixture(scope="module")
def arrived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arrived]:
    """Have the program say everything, with content, through a Collector that lets content pass."""
    require_module("langgraph_swarm", "demo")
    folder = tmp_path_factory.mktemp("everything")
    with standalone(folder, "content.yaml") as tiers:
        done = instrumented(str(PROGRAM), str(folder), env=sending(tiers.first.http, **HOST))
        assert done.returncode == 0, done.stderr
        tiers.backend.wait(lambda end: any(one.event_name == "flex.complete" for one in reversed(end.logs)))
        tiers.first.until("otelcol_exporter_queue_size", 0, exactly=True)
        ours = [one for one in tiers.backend.logs if one.event_name.startswith(("flex.", "yolo."))]
        yield Arrived(
            {one.event_name for one in ours},
            {attribute.key for one in ours for attribute in one.attributes},
            {one.name for one in tiers.backend.metrics},
        )


@pytest.mark.proves("event", of="name")
@pytest.mark.parametrize("name", [event.event_name for event in EVENTS])
def test_an_event_arrives(name: str, arrived: Arrived) -> None:
    """It is the name of a log record."""
    assert name in arrived.events


@pytest.mark.proves("log field", of="name")
@pytest.mark.parametrize("name", LOG_FIELDS)
def test_a_log_field_arrives(name: str, arrived: Arrived) -> None:
    """It is an attribute of a log record."""
    assert name in arrived.fields


@pytest.mark.proves("metric", of="name")
@pytest.mark.parametrize("name", [metric.name for metric in METRICS])
def test_a_metric_arrives(name: str, arrived: Arrived) -> None:
    """It has points."""
    assert name in arrived.metrics


def test_no_other_field_arrives(arrived: Arrived) -> None:
    """Records have the fields of the vocabulary, and no more."""
    assert arrived.fields == set(LOG_FIELDS)
