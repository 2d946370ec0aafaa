"""Zero-code OpenTelemetry for agent orchestrators; the public names, loaded when they are first used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from otel_agents import record as record
    from otel_agents.api import (
        asgi_app,
        context_refresh,
        decision,
        delivery,
        gate,
        handoff,
        health,
        hitl,
        iteration,
        log_context,
        node,
        phase,
        plan,
        policy,
        run,
        state_load,
        state_save,
        subscribe,
        validation,
    )
    from otel_agents.version import __version__

__all__ = [
    "__version__",
    "asgi_app",
    "context_refresh",
    "decision",
    "delivery",
    "gate",
    "handoff",
    "health",
    "hitl",
    "iteration",
    "log_context",
    "node",
    "phase",
    "plan",
    "policy",
    "record",
    "run",
    "state_load",
    "state_save",
    "subscribe",
    "validation",
]


if not TYPE_CHECKING:  # a type checker shall know the names above, and no other

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module 'otel_agents' has no attribute {name!r}")
        if name == "record":
            return import_module("otel_agents.record")
        owner = import_module("otel_agents.version" if name == "__version__" else "otel_agents.api")
        return globals().setdefault(name, getattr(owner, name))


def __dir__() -> list[str]:
    return __all__
