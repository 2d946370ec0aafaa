"""What a process lets others see over HTTP: events, progress, metrics, health, profile; must not know who patched."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from otel_agents.serve.app import create_app, routes
    from otel_agents.serve.observation import Observation

__all__ = ["Observation", "create_app", "routes"]

if not TYPE_CHECKING:  # loaded when they are first used: what can only say that Starlette is missing needs none

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module 'otel_agents.serve' has no attribute {name!r}")
        return getattr(import_module(f"otel_agents.serve.{'observation' if name == 'Observation' else 'app'}"), name)
