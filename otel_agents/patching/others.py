"""Tells whether another instrumentation is at work, without importing or making it; must not know what it makes."""

from __future__ import annotations

import sys


def is_at_work(module: str, name: str) -> bool:
    """Whether an instrumentor is active: asked of its one instance, which is not made for the question."""
    instrumentor = getattr(sys.modules.get(module), name, None)
    return bool(getattr(getattr(instrumentor, "_instance", None), "is_instrumented_by_opentelemetry", False))
