"""What the tests of adapters share: telemetry of a process in which a framework is watched."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from otel_agents import guard
from otel_agents.adapters.langgraph import ADAPTER
from otel_agents.adapters.openai_agents import ADAPTER as OPENAI_AGENTS
from otel_agents.patching.apply import apply, patch_counts
from otel_agents.testing import Telemetry, capture
from tests.adapters.watching import watched


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    """Watch LangGraph; an error of ours fails the test, and those of tests before are forgotten."""
    guard.reset()
    with capture() as recorded:
        applied = apply(ADAPTER)
        try:
            yield recorded
        finally:
            applied.undo()
            assert patch_counts() == {}, "the test applied what it did not undo"


@pytest.fixture
def seen() -> Iterator[Telemetry]:
    """Watch the OpenAI Agents SDK in the same way."""
    with watched(OPENAI_AGENTS) as recorded:
        yield recorded
