"""Beside instrumentations that make spans of tools: theirs is the span, ours stay numbers and events."""

from __future__ import annotations

import sys
import types
from typing import Any

import pytest
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor

from otel_agents.adapters.langgraph.runs import OTHERS
from otel_agents.testing import Telemetry
from tests.adapters.graphs import agent, calls, chain, ping, thread


class Other(BaseInstrumentor):  # type: ignore[misc]
    """An instrumentation as OpenTelemetry knows them."""

    def instrumentation_dependencies(self) -> tuple[str, ...]:
        return ()

    def _instrument(self, **options: Any) -> None: ...

    def _uninstrument(self, **options: Any) -> None: ...


def _play() -> None:
    def own(state: Any) -> Any:
        ping.invoke({"text": "b"})
        return {}

    graph = chain(agent(calls(("ping", {"text": "a"}, "1")), "done", tools=[ping]), own)
    graph.invoke({"messages": [("user", "hi")]}, thread())


@pytest.mark.parametrize("module", OTHERS)
def test_tool_spans_are_left_to_who_makes_them(
    module: str, telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While another instrumentation is active tools have no span of ours, but events and metrics; then they have."""
    fresh: Any = type(OTHERS[module], (Other,), {"_instance": None})
    monkeypatch.setitem(sys.modules, module, types.SimpleNamespace(**{OTHERS[module]: fresh}))
    other = fresh()
    other.instrument()
    _play()
    with_other = [span.name for span in telemetry.spans if "ping" in span.name]
    measured = telemetry.metrics()["flex.node.duration_count{capability=ping,kind=tool,outcome=ok,runtime=langgraph}"]
    tree = telemetry.tree()
    other.uninstrument()
    telemetry.reset()
    _play()

    assert with_other == []
    assert measured == 2
    assert tree == telemetry.tree()
    assert [span.name for span in telemetry.spans if "ping" in span.name] == ["flex.node ping"] * 2
