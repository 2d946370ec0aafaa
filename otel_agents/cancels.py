"""Cancels of runs: wished for from anywhere, obeyed inside; each told once. Knows no signal."""

from __future__ import annotations

from typing import Final

from otel_agents.lineage import current_in, own
from otel_agents.operation import Operation
from otel_agents.recorder import RECORDER
from otel_agents.semconv import agents as a
from otel_agents.semconv import events as e

WISHED: Final = "wished"  # remembered of a run's operation


def wish(runtime: str, run_id: str, source: str) -> None:
    """Tell that somebody asks a run to stop, in whatever thread or task, if the run goes on now."""
    for operation in own(RECORDER.open):
        if operation.run.runtime == runtime and operation.run.id == run_id:
            wish_of(operation, source)


def wish_of(operation: Operation, source: str) -> None:
    """Tell that somebody asked a run to stop, unless that was told: also of one that was asked before it went on."""
    if operation.memory != WISHED:
        operation.memory = WISHED
        RECORDER.fact(e.CANCEL_REQUESTED, {a.FLEX_CANCEL_SOURCE: source}, operation=operation)


def obeyed(runtime: str, source: str, latency_s: float) -> None:
    """Tell, inside a run of the runtime, that it has stopped, and how long after the wish."""
    if current_in(runtime) is not None:
        values = {a.FLEX_CANCEL_SOURCE: source, a.FLEX_CANCEL_LATENCY_MS: round(latency_s * 1000, 3)}
        RECORDER.fact(e.CANCEL_ACKNOWLEDGED, values)
