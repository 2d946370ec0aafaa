"""What holds for every test: no settings from outside, and no context detached where it was not attached."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator

import pytest

from otel_agents import guard, pipeline

# The developer's own settings must not decide what a test sees.
for _name in [name for name in os.environ if name.startswith("OTEL_") or name in {"JSON_LOGS", "LOG_LEVEL"}]:
    del os.environ[_name]

# A shell ignores these for what it runs in the background, and programs that tests start would ignore them, too.
for _number, _handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGQUIT, signal.SIG_DFL)):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _handler)


@pytest.fixture(autouse=True)
def clean_process() -> Iterator[None]:
    """Leave no pipeline to the next test, and none of the errors that a test swallowed on purpose."""
    guard.reset()
    yield
    if pipeline.active() is not None:
        pipeline.stop()


class _Records(logging.Handler):
    """Keep what a logger says."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture(autouse=True)
def context_log() -> Iterator[list[logging.LogRecord]]:
    """Fail the test when OpenTelemetry complains about its context ("Failed to detach context")."""
    logger, kept = logging.getLogger("opentelemetry.context"), _Records()
    logger.addHandler(kept)
    try:
        yield kept.records
    finally:
        logger.removeHandler(kept)
    said = [record.getMessage() for record in kept.records]
    assert said == [], "a context was detached where it was not attached"
