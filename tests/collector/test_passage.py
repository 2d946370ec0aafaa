"""A real run of the example program goes through each shipped configuration: what arrives is what was sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from tests.collector.backends import Backend, backend
from tests.collector.tiers import Tiers, standalone, two_tiers
from tests.need import require_module
from tests.proof.programs import EXAMPLE, instrumented, sending
from tests.proof.test_otlp import EVENTS, METRICS

pytestmark = pytest.mark.proof

require_module("langgraph_swarm", "demo")

FOUND_OUT = {"host.name", "os.type", "deployment.environment.name"}


def items(all_of: list[Any]) -> Counter[bytes]:
    """Count items by all that they say, however they were batched."""
    return Counter(item.SerializeToString(deterministic=True) for item in all_of)


def points(metrics: list[Any]) -> Counter[bytes]:
    """Count metrics, each with all of its points; the Collector gives no order to attributes."""
    return items(metrics)


def run_through(folder: Path, tiers: Tiers) -> Backend:
    """Run the example program; return what it sent, when all of it has arrived."""
    with backend(tiers.first.http) as between:
        arguments = (str(EXAMPLE), "--pace", "0", "--thread", "t", "--db", str(folder / "db.sqlite"))
        done = instrumented(*arguments, env=sending(between.endpoint))
        assert (done.returncode, done.stderr) == (0, "")
    tiers.backend.wait(
        lambda end: all(
            len(getattr(end, signal)) >= len(getattr(between, signal)) for signal in ("spans", "metrics", "logs")
        )
    )
    return between


@pytest.mark.parametrize("through", [standalone, two_tiers])
def test_what_arrives_is_what_was_sent(tmp_path: Path, through: Callable[..., AbstractContextManager[Tiers]]) -> None:
    """Every span, metric and log record arrives once and unchanged; resources know the machine in addition."""
    with through(tmp_path, OTELCOL_ENVIRONMENT="test") as tiers:
        sent = run_through(tmp_path, tiers)
    end = tiers.backend
    assert items(end.spans) == items(sent.spans)
    assert items(end.logs) == items(sent.logs)
    assert points(end.metrics) == points(sent.metrics)
    assert Counter(record.event_name for record in end.logs) == EVENTS
    assert {metric.name for metric in end.metrics} == METRICS
    added = [of.keys() - sent.resources[0].keys() for of in end.resources]
    assert {name for names in added for name in names} == FOUND_OUT
    assert {of["deployment.environment.name"] for of in end.resources} == {"test"}
    assert {of["service.instance.id"] for of in end.resources} == {sent.resources[0]["service.instance.id"]}
