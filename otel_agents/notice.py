"""Says what a person has to know, where a person reads it; must not know what is said, nor who says it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Final

EXPORTERS: Final = "opentelemetry."  # where the handlers come from that send log lines away


def warn(name: str, message: str, *args: object) -> None:
    """Log a warning. Where OpenTelemetry's handlers are all that there are it goes to stderr as well.

    Python writes warnings to stderr while a program has no handler. OpenTelemetry's instrumentation of logging adds
    one, and from then on they would be read nowhere but in a backend, which they may say cannot be reached.
    """
    logger = logging.getLogger(name)
    logger.warning(message, *args)
    handlers = list(_handlers(logger))
    if logging.lastResort is None or not handlers or not logger.isEnabledFor(logging.WARNING):
        return
    if all(type(each).__module__.startswith(EXPORTERS) for each in handlers):
        logging.lastResort.handle(logger.makeRecord(name, logging.WARNING, __file__, 0, message, args, None))


def _handlers(logger: logging.Logger) -> Iterator[logging.Handler]:
    """Yield all handlers that a record of the logger reaches."""
    step: logging.Logger | None = logger
    while step is not None:
        yield from step.handlers
        step = step.parent if step.propagate else None
