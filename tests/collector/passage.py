"""A real run of the example program on its way through Collectors, compared item by item."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from tests.collector.backends import Backend, backend
from tests.proof.programs import EXAMPLE, instrumented, sending
from tests.proof.test_otlp import EVENTS, METRICS

FOUND_OUT = {"host.name", "os.type", "deployment.environment.name"}


def run_through(folder: Path, first: str, end: Backend) -> Backend:
    """Run the example program; return what it sent to the first Collector, when all of it has arrived at the end."""
    with backend(first) as between:
        arguments = (str(EXAMPLE), "--pace", "0", "--thread", "t", "--db", str(folder / "db.sqlite"))
        done = instrumented(*arguments, env=sending(between.endpoint))
        assert (done.returncode, done.stderr) == (0, "")
    end.wait(
        lambda end: all(
            len(getattr(end, signal)) >= len(getattr(between, signal)) for signal in ("spans", "metrics", "logs")
        )
    )
    return between


def items(all_of: list[Any]) -> Counter[bytes]:
    """Count items by all that they say, however they were batched."""
    return Counter(item.SerializeToString(deterministic=True) for item in all_of)


def assert_unchanged(sent: Backend, end: Backend) -> None:
    """Each span, metric and log record arrived once and unchanged; resources know the machine in addition."""
    assert items(end.spans) == items(sent.spans)
    assert items(end.logs) == items(sent.logs)
    assert items(end.metrics) == items(sent.metrics)
    assert Counter(record.event_name for record in end.logs) == EVENTS
    assert {metric.name for metric in end.metrics} == METRICS
    known = sent.resources[0]
    assert {name for of in end.resources for name in of.keys() - known.keys()} == FOUND_OUT
    assert {of["deployment.environment.name"] for of in end.resources} == {"test"}
    assert {of["service.instance.id"] for of in end.resources} == {known["service.instance.id"]}
