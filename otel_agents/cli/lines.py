"""What a server of ours logs itself, as lines on stderr beside those of events and in their form; knows no event."""

from __future__ import annotations

import json
import logging
import sys
from typing import Final

from otel_agents.bus.event import rfc3339
from otel_agents.cli.run import say
from otel_agents.config import Config

NAME: Final = "otel_agents"
IDS: Final = ("runId", "correlationId")  # which records have that are written inside a run, while that is observed
QUIETEST: Final = logging.WARNING  # of libraries more is not wanted, whatever LOG_LEVEL says


class _Readable(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 - its name
        return rfc3339(int(record.created * 1_000_000_000))


class _Json(_Readable):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "level": record.levelname,
            "timestamp": self.formatTime(record),
            "message": record.getMessage(),
            "module": record.name,
        }
        line |= {name: getattr(record, name) for name in IDS if hasattr(record, name)}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, separators=(",", ":"))


def attach(config: Config) -> logging.Formatter:
    """Write what is logged to stderr, also once OpenTelemetry has put handlers of its own; returns the form of a line.

    Python does so itself only while a program has no handler.
    """
    form, handler = _Json() if config.json_logs else _Readable(), logging.StreamHandler()
    handler.setLevel(max(QUIETEST, config.log_level))
    handler.setFormatter(form)
    logging.getLogger().addHandler(handler)
    return form


def announce(message: str, form: logging.Formatter) -> None:
    """Say something that is no warning and has to be said all the same: among JSON lines as one of them."""
    if isinstance(form, _Json):
        record = logging.LogRecord(NAME, logging.INFO, __file__, 0, message, (), None)
        sys.stderr.write(form.format(record) + "\n")
        sys.stderr.flush()
    else:
        say(message)
