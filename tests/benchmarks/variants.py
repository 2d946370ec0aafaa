"""Who may watch the LangGraph program: nobody, we, hand-written code, others. Each patches its process for good."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Final

from opentelemetry.context import attach, detach, get_current
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Sampler

from tests.benchmarks.floor import Floor
from tests.benchmarks.providers import Sdk

Around = Callable[[], AbstractContextManager[None]]
PLUMBING: Final = {"__start__", "tools"}  # the tools themselves are told of
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


def _floor(sdk: Sdk) -> Around:
    from langchain_core.tools import BaseTool
    from langgraph.pregel import _runner

    floor = Floor(sdk, "langgraph")
    for owner, name, watched, names in (
        (_runner, "run_with_retry", floor.watched, _task),
        (_runner, "arun_with_retry", floor.watched_coroutine, _task),
        (BaseTool, "run", floor.watched, _named),
        (BaseTool, "arun", floor.watched_coroutine, _named),
    ):
        host = getattr(owner, name)
        setattr(owner, name, _but_plumbing(host, watched(host, names)))

    @contextmanager
    def run() -> Iterator[None]:
        before = attach(get_current())
        span = floor.run("report")
        try:
            yield
        finally:
            span.end()
            detach(before)

    return run


def _task(args: tuple[Any, ...]) -> tuple[str, str]:
    return args[0].name, args[0].id


def _named(args: tuple[Any, ...]) -> tuple[str, str]:
    return args[0].name, args[0].name


def _but_plumbing(host: Callable[..., Any], watched: Callable[..., Any]) -> Callable[..., Any]:
    """Leave out the tasks that we leave out, too, so that the records are the same."""

    def call(*args: Any, **kwargs: Any) -> Any:
        return (host if args[0].name in PLUMBING else watched)(*args, **kwargs)

    return call


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


def _other(name: str, says: str, distribution: str, module: str, instrumentor: str) -> Variant:
    return Variant(name, says, _peer(module, instrumentor), module=module, distribution=distribution)


NOTHING, FLOOR, OURS, SPANS, UNSAMPLED, SILENT = (
    "nothing",
    "floor",
    "ours",
    "ours-spans",
    "ours-unsampled",
    "ours-silent",
)
FLOOR_OTLP, OURS_OTLP = "floor-otlp", "ours-otlp"
PEERS: Final = (
    _other(
        "openllmetry",
        "OpenLLMetry",
        "opentelemetry-instrumentation-langchain",
        "opentelemetry.instrumentation.langchain",
        "LangchainInstrumentor",
    ),
    _other(
        "openinference",
        "OpenInference",
        "openinference-instrumentation-langchain",
        "openinference.instrumentation.langchain",
        "LangChainInstrumentor",
    ),
    _other(
        "genai",
        "OpenTelemetry GenAI",
        "opentelemetry-instrumentation-genai-langchain",
        "opentelemetry.instrumentation.genai.langchain",
        "LangChainInstrumentor",
    ),
)
OWN: Final = (
    Variant(NOTHING, "nobody watches", _nobody),
    Variant(FLOOR, "hand-written floor", _floor),
    Variant(FLOOR_OTLP, "hand-written floor, encoded as OTLP", _floor, otlp=True),
    Variant(OURS, "otel-agents, all signals", _ours()),
    Variant(OURS_OTLP, "otel-agents, all signals, encoded as OTLP", _ours(), otlp=True),
    Variant(SPANS, "otel-agents, spans only", _ours(signals="spans")),
    Variant(UNSAMPLED, "otel-agents, all signals, unsampled", _ours(), sampler=ALWAYS_OFF),
    Variant(SILENT, "otel-agents while no SDK listens", _silent),
)
VARIANTS: Final = {variant.name: variant for variant in (*OWN, *PEERS)}
