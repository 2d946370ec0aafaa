"""Beside instrumentations that make spans of models and tools: theirs is the span, ours stay numbers and events."""

from __future__ import annotations

import sys
import types
from typing import Any

import pytest
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor

from otel_agents.adapters.openai_agents.runs import INSTRUMENTOR, OTHERS
from otel_agents.testing import Telemetry
from tests.adapters.assistants import WAYS, agent, call, ping


class Other(BaseInstrumentor):  # type: ignore[misc]
    """An instrumentation as OpenTelemetry knows them."""

    def instrumentation_dependencies(self) -> tuple[str, ...]:
        return ()

    def _instrument(self, **options: Any) -> None: ...

    def _uninstrument(self, **options: Any) -> None: ...


def _play(way: str) -> None:
    helper = agent("helper", call("ping", text="x"), "done", tools=[ping]).as_tool("ask", "Ask.")
    WAYS[way](agent("a", call("ask", input="q"), "done", tools=[helper]))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("module", OTHERS)
def test_spans_of_models_and_tools_are_left_to_who_makes_them(
    module: str, way: str, seen: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While another instrumentation is active they have no span of ours, but events and metrics; then they have."""
    fresh: Any = type(INSTRUMENTOR, (Other,), {"_instance": None})
    monkeypatch.setitem(sys.modules, module, types.SimpleNamespace(**{INSTRUMENTOR: fresh}))
    other = fresh()
    other.instrument()
    _play(way)
    beside = sorted(span.name for span in seen.spans)
    tree, counted = seen.tree(), seen.metrics()
    other.uninstrument()
    seen.reset()
    _play(way)

    assert beside == ["flex.node a", "flex.node helper", "flex.run a"]
    assert seen.tree() == tree
    assert counted["flex.node.duration_count{capability=ping,kind=tool,outcome=ok,runtime=openai_agents}"] == 1
    assert counted["flex.node.duration_count{capability=model,kind=step,outcome=ok,runtime=openai_agents}"] == 4
    assert sorted({span.name for span in seen.spans}) == sorted(
        {*beside, "flex.node ask", "flex.node ping", "flex.node model"}
    )
