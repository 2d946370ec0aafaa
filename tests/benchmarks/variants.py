"""Ways to watch a program: nobody, we, hand-written code, others. Each patches its process for good."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Final

from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Sampler

from tests.benchmarks.floors import Around
from tests.benchmarks.providers import Sdk

CONTENT_OFF: Final = {
    "TRACELOOP_TRACE_CONTENT": "false",
    "OPENINFERENCE_HIDE_INPUTS": "true",
    "OPENINFERENCE_HIDE_OUTPUTS": "true",
    "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "NO_CONTENT",
}


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to watch. ``watch`` patches the process, and returns what each run is to be surrounded with.

    ``module`` is what has to be installed, ``distribution`` what brings it; empty for what is always there.
    """

    name: str
    says: str
    watch: Callable[[Sdk], Around]
    otlp: bool = False
    sampler: Sampler = ALWAYS_ON
    module: str = ""
    distribution: str = ""

    def sdk(self) -> Sdk:
        """Return the providers that it writes to."""
        return Sdk(sampler=self.sampler, otlp=self.otlp)


def _nobody(sdk: Sdk) -> Around:
    return nullcontext


def _ours(**options: str) -> Callable[[Sdk], Around]:
    def watch(sdk: Sdk) -> Around:
        return _instrumented("otel_agents.instrumentor", "OtelAgentsInstrumentor", **_providers(sdk), **options)

    return watch


def _silent(sdk: Sdk) -> Around:
    return _instrumented("otel_agents.instrumentor", "OtelAgentsInstrumentor")


def _peer(module: str, name: str) -> Callable[[Sdk], Around]:
    def watch(sdk: Sdk) -> Around:
        return _instrumented(module, name, **_providers(sdk), raise_exception_on_conflict=True)

    return watch


def _instrumented(module: str, name: str, **options: Any) -> Around:
    getattr(importlib.import_module(module), name)().instrument(**options)
    return nullcontext


def _providers(sdk: Sdk) -> dict[str, Any]:
    return {
        "tracer_provider": sdk.tracer_provider,
        "meter_provider": sdk.meter_provider,
        "logger_provider": sdk.logger_provider,
    }


def peer(name: str, says: str, distribution: str, instrumentor: str) -> Variant:
    """Return an instrumentation of OpenTelemetry's kind; ``instrumentor`` is ``module:Class``."""
    module, _, cls = instrumentor.partition(":")
    return Variant(name, says, _peer(module, cls), module=module, distribution=distribution)


def logfire(name: str, says: str, instrument: str) -> Variant:
    """Return Logfire, sending nothing; ``instrument`` is the name of its function for a framework."""

    def watch(sdk: Sdk) -> Around:
        fire = importlib.import_module("logfire")
        # It has providers of its own; what they make goes the way of all spans here.
        fire.configure(send_to_logfire=False, console=False, additional_span_processors=[sdk.spans])
        getattr(fire, instrument)()
        return nullcontext

    return Variant(name, says, watch, module="logfire", distribution="logfire")


NOTHING, FLOOR, OURS, SPANS, UNSAMPLED, SILENT = (
    "nothing",
    "floor",
    "ours",
    "ours-spans",
    "ours-unsampled",
    "ours-silent",
)
FLOOR_OTLP, OURS_OTLP = "floor-otlp", "ours-otlp"


def own(floor: Callable[[Sdk], Around]) -> tuple[Variant, ...]:
    """Return nobody, the hand-written floor, and us."""
    return (
        Variant(NOTHING, "nobody watches", _nobody),
        Variant(FLOOR, "hand-written floor", floor),
        Variant(FLOOR_OTLP, "hand-written floor, encoded as OTLP", floor, otlp=True),
        Variant(OURS, "otel-agents, all signals", _ours()),
        Variant(OURS_OTLP, "otel-agents, all signals, encoded as OTLP", _ours(), otlp=True),
        Variant(SPANS, "otel-agents, spans only", _ours(signals="spans")),
        Variant(UNSAMPLED, "otel-agents, all signals, unsampled", _ours(), sampler=ALWAYS_OFF),
        Variant(SILENT, "otel-agents while no SDK listens", _silent),
    )
