"""What the tests of adapters share: telemetry of a process in which a framework is watched."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from otel_agents.adapters.langgraph import ADAPTER as LANGGRAPH
from otel_agents.adapters.openai_agents import ADAPTER as OPENAI_AGENTS
from otel_agents.testing import Telemetry
from tests.adapters.watching import watched


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    """Watch LangGraph; an error of ours fails the test, and those of tests before are forgotten."""
    with watched(LANGGRAPH) as recorded:
        yield recorded


@pytest.fixture
def seen() -> Iterator[Telemetry]:
    """Watch the OpenAI Agents SDK in the same way."""
    with watched(OPENAI_AGENTS) as recorded:
        yield recorded
