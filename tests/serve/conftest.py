"""What the tests of the server share: an observation that is served."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.serve.serving import Served, serving


@pytest.fixture
def served() -> Iterator[Served]:
    """An observation of its own, served on a free port."""
    with serving() as running:
        yield running
