"""Zeros from the start, one set of instruments for a provider, silence after the end."""

from __future__ import annotations

import subprocess
import sys

import pytest
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from otel_agents.semconv import agents as a
from otel_agents.semconv import kinds as k
from tests.signals.metrics.measured import Measured, Points, added

# Counters without a runtime whose labels all have closed sets of values.
ZERO: Points = {
    "yolo_workflows_total": {
        f"outcome={outcome}": 0 for outcome in ("ok", "error", "cancelled", "paused", "abandoned")
    },
    "yolo_state_saves_total": {"": 0},
}
STATES = ("start", "complete", "cancel_requested", "cancelled", "error", "paused", "resumed")
DECISIONS = ("approved", "edited", "rejected", "responded", "expired")
# Those with a runtime, and the gauges that speak while nothing runs.
ZERO_OF_RUNTIME: Points = {
    "flex.run.status": {
        f"runtime=flex,status={status}": 0 for status in ("completed", "failed", "cancelled", "awaiting_hitl")
    },
    "flex.run.transitions": {f"runtime=flex,state={state}": 0 for state in STATES},
    "flex.planner.requests": {f"phase={phase},runtime=flex": 0 for phase in ("initial", "replan", "resume")},
    "flex.planner.rejections": {"runtime=flex": 0},
    "flex.planner.generated": {"runtime=flex": 0},
    "flex.hitl.requests": {"runtime=flex": 0},
    "flex.hitl.resolved": {f"decision={decision},runtime=flex": 0 for decision in DECISIONS},
    "flex.validation.errors": {f"runtime=flex,scope={scope}": 0 for scope in ("input", "output", "final")},
    "flex.validation.retries": {f"runtime=flex,scope={scope}": 0 for scope in ("input", "output", "final")},
    "flex.model.tokens": {f"direction={direction},runtime=flex": 0 for direction in ("input", "output")},
    "flex.run.active": {"runtime=flex": 0},
    "flex.run.oldest.age": {"runtime=flex": 0},
    "flex.run.last_progress.age": {"runtime=flex": 0},
    "flex.hitl.pending": {"runtime=flex": 0},
    "flex.hitl.oldest.age": {"runtime=flex": 0},
}
ALWAYS = {"yolo_agents_active", "yolo_memory_usage_mb", "yolo_cpu_usage_percent"}

LATE_SDK = """
from opentelemetry import metrics
from tests.signals.metrics.measured import Measured
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

early = Measured(metrics.get_meter_provider())
early.metrics.announce("flex")
assert early.metrics.listening() is False
early.recorder.end(early.run("flex"))

reader = InMemoryMetricReader()
metrics.set_meter_provider(MeterProvider([reader], shutdown_on_exit=False))
assert early.metrics.listening() is True
points = early.collect(reader)
assert points["flex.run.status"]["runtime=flex,status=failed"] == 0
assert points["yolo_state_saves_total"] == {"": 0}

run = early.run("flex")
assert early.collect(reader)["flex.run.active"] == {"runtime=flex": 1}
early.recorder.end(run)
assert early.collect(reader)["flex.run.status"]["runtime=flex,status=completed"] == 1
early.metrics.close()

again = Measured(metrics.get_meter_provider())
run = again.run("flex")
assert again.collect(reader)["flex.run.active"] == {"runtime=flex": 1}
again.recorder.end(run)
assert again.collect(reader)["flex.run.status"]["runtime=flex,status=completed"] == 2
"""


def test_closed_counters_start_at_zero() -> None:
    """Counters without a runtime whose label sets are closed are there before anything happens, and nothing else is."""
    points = Measured().collect()
    assert {name: values for name, values in points.items() if name not in ALWAYS} == ZERO


def test_a_runtime_starts_at_zero_when_it_is_announced() -> None:
    """An announced runtime has its closed counters and its gauges at 0; announcing twice changes nothing."""
    measured = Measured()
    measured.metrics.announce("flex")
    measured.metrics.announce("flex")
    points = measured.collect()
    assert {name: values for name, values in points.items() if name not in ALWAYS} == ZERO | ZERO_OF_RUNTIME


def test_the_first_run_announces_its_runtime() -> None:
    """A runtime that nobody announced is known from its first run on, and stays known after it."""
    measured = Measured()
    measured.recorder.end(measured.run("manual"))
    points = measured.collect()
    assert points["flex.run.status"]["runtime=manual,status=failed"] == 0
    assert points["flex.run.active"] == {"runtime=manual": 0}


def test_made_up_runtimes_are_bounded() -> None:
    """Of many runtimes fifty are reported while nothing of them runs."""
    measured = Measured()
    for n in range(60):
        measured.metrics.announce(f"runtime-{n}")
    assert len(measured.collect()["flex.run.active"]) == 50


def test_instrument_uninstrument_instrument(caplog: pytest.LogCaptureFixture) -> None:
    """A second signal on the same provider goes on with the same instruments: no warning, nothing observed twice."""
    first = Measured()
    first.recorder.end(first.run())
    first.metrics.close()
    second = Measured(first.provider)
    open_run = second.run()
    points = second.collect(first.reader)
    assert points["flex.run.active"] == {"runtime=langgraph": 1}
    assert points["yolo_agents_active"] == {"": 0}
    second.recorder.end(open_run)
    assert second.collect(first.reader)["flex.run.status"]["runtime=langgraph,status=completed"] == 2
    assert caplog.records == []


def test_label_sets_are_bounded_across_signals() -> None:
    """Sets that an earlier signal used count against the bound of the next one on the same provider."""
    first = Measured(sets=2)
    for name in ("a", "b"):
        node = first.recorder.start(k.NODE, name, {a.FLEX_NODE_KIND: "tool"})
        assert node is not None
        first.recorder.end(node)
    first.metrics.close()
    second = Measured(first.provider, sets=2)
    node = second.recorder.start(k.NODE, "c", {a.FLEX_NODE_KIND: "tool"})
    assert node is not None
    second.recorder.end(node)
    assert set(second.collect(first.reader)["flex.node.duration"]) == {
        "capability=a,kind=tool,outcome=ok,runtime=manual",
        "capability=b,kind=tool,outcome=ok,runtime=manual",
        "capability=_other,kind=tool,outcome=ok,runtime=_other",
    }


def test_after_close_nothing_is_observed() -> None:
    """A closed signal reports no gauge any more, also with a run open; closing twice does no harm."""
    measured = Measured()
    _run = measured.run()
    measured.metrics.close()
    measured.metrics.close()
    points = measured.collect()
    assert ALWAYS & set(points) == set()
    assert "flex.run.active" not in points


def test_closing_the_older_leaves_the_younger_alone() -> None:
    """When a signal is replaced before it is closed, its end does not silence the one that replaced it."""
    older = Measured()
    younger = Measured(older.provider)
    _run = younger.run()
    older.metrics.close()
    assert younger.collect(older.reader)["flex.run.active"] == {"runtime=langgraph": 1}


def test_two_providers_are_two_worlds() -> None:
    """Signals on different providers do not see each other."""
    one, other = Measured(), Measured()
    before = other.collect()
    one.recorder.end(one.run())
    assert added(before, other.collect()) == {}
    assert one.collect()["flex.run.status"]["runtime=langgraph,status=completed"] == 1


def test_several_readers_see_the_same() -> None:
    """Each reader of a provider gets the counts and the gauges."""
    readers = [InMemoryMetricReader(), InMemoryMetricReader()]
    measured = Measured(MeterProvider(readers, shutdown_on_exit=False))
    _run = measured.run()
    first, second = (measured.collect(reader) for reader in readers)
    assert added(first, second) == {}
    assert set(first) == set(second)


def test_listening(monkeypatch: pytest.MonkeyPatch) -> None:
    """The signal listens when an SDK takes what it measures: not without one, not with one that is switched off."""
    assert Measured().metrics.listening() is True
    assert Measured(NoOpMeterProvider()).metrics.listening() is False
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert Measured().metrics.listening() is False


def test_the_sdk_may_come_late() -> None:
    """On the global provider everything works from the moment an SDK is set, zeros and gauges included."""
    done = subprocess.run([sys.executable, "-c", LATE_SDK], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
