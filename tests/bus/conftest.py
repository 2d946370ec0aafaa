"""What the tests of the bus share: a hub that is closed at the end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from otel_agents.bus.hub import Hub


@pytest.fixture
def hub() -> Iterator[Hub]:
    """A hub of its own, whose thread is gone after the test."""
    hub = Hub(ring_size=10, queue_size=100)
    yield hub
    hub.close(timeout_s=5.0)
