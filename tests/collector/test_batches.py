"""Batches are measured in bytes: items that are large, as with content, wait together and arrive all the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.collector.ledger import Ledger
from tests.collector.tiers import two_tiers

pytestmark = [pytest.mark.proof, pytest.mark.timeout(200)]

A_SPAN = 100_000  # bytes
REQUESTS, SPANS = 3, 60  # together more than a gateway takes at once, in fewer than a thousand spans


def test_large_items_arrive(tmp_path: Path) -> None:
    """What waited for a gateway is sent in pieces that it takes, so that none is refused for its size."""
    with two_tiers(tmp_path) as tiers:
        assert tiers.gateway is not None
        tiers.gateway.kill()
        ledger = Ledger(tiers.first.http, flex_run_id="r-1", note="x" * A_SPAN)
        answers = [ledger.send(SPANS) for _ in range(REQUESTS)]
        tiers.first.kill()
        tiers.first.start()  # takes all that waits from its disk at once
        tiers.gateway.start()
        ledger.settle(tiers.backend, timeout_s=120)
        assert answers == [200] * REQUESTS
        assert ledger.counted(tiers.first, "exporter_send_failed") == 0
