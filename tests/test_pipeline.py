"""Which signals a pipeline builds, and what it leaves alone."""

from __future__ import annotations

import logging

import pytest

import otel_agents
from otel_agents import pipeline
from otel_agents.testing import capture


@pytest.mark.parametrize("signals", ["spans", "metrics", "logs", "feed", "spans,feed"])
def test_only_the_signals_asked_for(signals: str) -> None:
    """OTEL_AGENTS_SIGNALS decides which signals there are; the others tell nothing at all."""
    with capture(signals=signals) as telemetry:
        with otel_agents.run("brief"), otel_agents.node("research"):
            pass
        told = {
            "spans": bool(telemetry.spans),
            "metrics": bool(telemetry.metrics(zero=True)),
            "logs": bool(telemetry.logs),
            "feed": bool(telemetry.event_types()),
        }
    assert {name for name, is_told in told.items() if is_told} == set(signals.split(","))


def test_stopping_leaves_logging_as_it_was() -> None:
    """After a pipeline has stopped, the standard library's loggers are what they were before it started."""
    before = dict(vars(logging.Logger)), list(logging.getLogger("otel_agents.events").handlers)
    with capture(event_log="stderr"):
        pass
    assert (dict(vars(logging.Logger)), list(logging.getLogger("otel_agents.events").handlers)) == before


def test_a_pipeline_that_starts_while_another_runs_takes_over() -> None:
    """A second pipeline takes over, and the first one is there again after it."""
    with capture() as outer:
        with capture() as inner, otel_agents.run("inner"):
            pass
        with otel_agents.run("outer"):
            pass
    assert (outer.tree(), inner.tree()) == (["run outer: ok"], ["run inner: ok"])
    assert pipeline.active() is None
