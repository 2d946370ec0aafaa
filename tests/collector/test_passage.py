"""A real run of the example program goes through each shipped configuration: what arrives is what was sent."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.collector.passage import assert_unchanged, run_through
from tests.collector.tiers import Tiers, standalone, two_tiers
from tests.need import require_module

pytestmark = pytest.mark.proof

require_module("langgraph_swarm", "demo")


@pytest.mark.parametrize("through", [standalone, two_tiers])
def test_what_arrives_is_what_was_sent(tmp_path: Path, through: Callable[..., AbstractContextManager[Tiers]]) -> None:
    """Every span, metric and log record of a run arrives once and unchanged."""
    with through(tmp_path, OTELCOL_ENVIRONMENT="test") as tiers:
        sent = run_through(tmp_path, tiers.first.http, tiers.backend)
    assert_unchanged(sent, tiers.backend)
