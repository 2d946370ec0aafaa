"""The shell that ``opentelemetry-instrument`` loads: attaches adapters and starts the pipeline. Must never raise."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Final

from opentelemetry.instrumentation.instrumentor import BaseInstrumentor

from otel_agents import adapters, guard, pipeline
from otel_agents.config import Config, Options, Problem
from otel_agents.patching import apply
from otel_agents.patching.table import Adapter
from otel_agents.pipeline.leaving import LEAVING

if TYPE_CHECKING:
    from otel_agents.serve.server import ServerThread

PROVIDERS: Final = ("tracer_provider", "meter_provider", "logger_provider")


def _targets(config: Config) -> tuple[list[Adapter], list[Problem]]:
    """Return the adapter of the declared targets, if there are any, and what is wrong with them."""
    if not config.targets:
        return [], []
    from otel_agents.patching.targets.adapting import adapter

    made, problems = guard.run("instrumentor.targets", adapter, config.targets) or (None, [])
    return [made] if made is not None and made.patches else [], problems


class OtelAgentsInstrumentor(BaseInstrumentor):  # type: ignore[misc]
    """Zero-code telemetry. ``instrument()`` takes providers, ``config=`` or the settings as keywords."""

    configuration: ClassVar[type[Options]] = Options  # for OpenTelemetry's declarative configuration
    _applied: ClassVar[list[apply.Applied]] = []
    _served: ServerThread | None = None

    def instrumentation_dependencies(self) -> Collection[str]:
        """Nothing: each adapter looks for its own framework when that is imported."""
        return ()

    def _instrument(self, **options: Any) -> None:
        guard.run("instrumentor.instrument", self._start, options)

    def _uninstrument(self, **options: Any) -> None:
        guard.run("instrumentor.uninstrument", self._stop)

    def _start(self, options: dict[str, Any]) -> None:
        providers = {name: options.pop(name, None) for name in PROVIDERS}
        given = options.get("config")
        config = given if isinstance(given, Config) else Config.load(options, strict=False)
        declared, wrong = _targets(config)
        config = replace(config, problems=(*config.problems, *wrong))
        pipeline.tell_problems(config, *adapters.problems(config))
        pipe = pipeline.start(config, **providers, patch_points=apply.patch_counts)
        guard.run("instrumentor.serve", self._serve, config)
        if config.enabled and config.profile is not None:
            from otel_agents.serve.report import profile

            guard.run("instrumentor.profile", profile, config.profile, pipe.mark)
        for adapter in (*adapters.load(config.adapters), *declared, LEAVING) if config.enabled else ():
            self._applied.append(apply.apply(adapter, on_applied=pipe.announce))

    def _serve(self, config: Config) -> None:
        """Serve what is observed, before the first of it happens."""
        if not config.enabled or config.serve is None:
            return
        from otel_agents import api
        from otel_agents.serve.opening import serve

        self._served = serve(config.serve, config.token, api.observation)

    def _stop(self) -> None:
        served, self._served = self._served, None
        if served is not None:
            guard.run("instrumentor.serve", served.stop)
        while self._applied:
            guard.run("instrumentor.undo", self._applied.pop().undo)
        pipeline.stop()
