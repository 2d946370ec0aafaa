"""Warnings reach a person: through the host's handlers, else on stderr, and never twice."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from io import StringIO

import pytest

from otel_agents import notice

NAME = "otel_agents.test_notice"


class Exporting(logging.Handler):
    """Stands for a handler that sends log lines away."""

    __module__ = "opentelemetry.instrumentation.logging.handler"

    def emit(self, record: logging.LogRecord) -> None:
        pass


@pytest.fixture
def logger(monkeypatch: pytest.MonkeyPatch) -> Iterator[logging.Logger]:
    """Return a logger of which no handler of the test run hears, not even pytest's own, set back when it is called."""
    logger = logging.getLogger(NAME)
    monkeypatch.setattr(logger, "parent", None)
    yield logger
    logger.handlers.clear()
    logger.setLevel(logging.NOTSET)


def said(capsys: pytest.CaptureFixture[str]) -> str:
    notice.warn(NAME, "%s is wrong", "this")
    return capsys.readouterr().err


def test_without_a_handler_python_says_it(logger: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    """A program that set up no logging reads it on stderr, once."""
    assert said(capsys) == "this is wrong\n"


def test_with_exporting_handlers_alone_it_is_on_stderr_too(
    logger: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    """A handler that only sends lines away does not hide it."""
    logger.addHandler(Exporting())
    assert said(capsys) == "this is wrong\n"


def test_a_handler_of_the_host_is_enough(logger: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    """A program that set up logging has it where it has all lines, and nowhere else."""
    lines = StringIO()
    logger.addHandler(logging.StreamHandler(lines))
    logger.addHandler(Exporting())
    assert said(capsys) == ""
    assert lines.getvalue() == "this is wrong\n"


def test_a_logger_that_is_silenced_stays_silent(logger: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    """Who switches the logger off, or gives it a handler that does nothing, hears nothing."""
    logger.addHandler(Exporting())
    logger.setLevel(logging.ERROR)
    assert said(capsys) == ""
    logger.setLevel(logging.NOTSET)
    logger.addHandler(logging.NullHandler())
    assert said(capsys) == ""
