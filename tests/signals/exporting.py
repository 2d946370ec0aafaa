"""OpenTelemetry's own handlers of log lines, as far as the installed versions have them."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from importlib.util import find_spec

from tests.signals.recording import Shelf

Exporter = Callable[[Shelf], logging.Handler]


def of_the_sdk(shelf: Shelf) -> logging.Handler:
    """The SDK's handler, deprecated from 1.40 on."""
    from opentelemetry.sdk._logs import LoggingHandler

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return LoggingHandler(logger_provider=shelf.provider)


def of_the_instrumentation(shelf: Shelf) -> logging.Handler:
    """The handler of opentelemetry-instrumentation-logging."""
    from opentelemetry.instrumentation.logging.handler import LoggingHandler

    return LoggingHandler(logger_provider=shelf.provider)


EXPORTERS: tuple[Exporter, ...] = (
    (of_the_sdk, of_the_instrumentation)
    if find_spec("opentelemetry.instrumentation.logging.handler")
    else (of_the_sdk,)  # before 0.61b0 the SDK had the only one
)
