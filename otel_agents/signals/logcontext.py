"""The run's ids on the application's own log lines; must not know handlers, formatters or any signal."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from opentelemetry import trace

from otel_agents import guard
from otel_agents.operation import Operation, current, log_fields
from otel_agents.semconv import agents as a
from otel_agents.semconv.kinds import PHASE

Passed = bool | logging.LogRecord
Pass = Callable[[logging.Logger, logging.LogRecord], Passed]

# Looked up by every logger for every record, once all that the host adds to the record is there, and left again
# before any handler runs. The other places disturb: a record factory makes the host's `extra={"runId": ...}` raise
# KeyError, `makeRecord` does the same to subclasses that check for themselves, and a frame around `handle` is what
# handlers that look for the caller (loguru's, for one) would find.
PLACE: Final = "filter"


class LogContext:
    """Adds to log records, as attributes, what is known of the run that they are written in.

    ``runId``, ``correlationId``, ``workOrderId``, ``iteration``, ``phase``, ``traceId``, ``spanId`` inside a run, and
    anywhere the fields of ``log_context``. Nothing that the host has put on a record is changed.
    """

    def __init__(self) -> None:
        self._stamp: Pass | None = None
        self._before: Pass | None = None  # no logger has a `filter` of its own, unless somebody else put one there

    def open(self) -> None:
        """Begin; a second call does nothing."""
        if self._stamp is None:
            self._before = vars(logging.Logger).get(PLACE)
            self._stamp = self._made(self._before)
            setattr(logging.Logger, PLACE, self._stamp)

    def close(self) -> None:
        """End, and leave everything as it was; what somebody else put around us meanwhile stays and goes on."""
        stamp, self._stamp = self._stamp, None
        if stamp is None or vars(logging.Logger).get(PLACE) is not stamp:
            return
        if self._before is None:
            delattr(logging.Logger, PLACE)
        else:
            setattr(logging.Logger, PLACE, self._before)

    def _made(self, before: Pass | None) -> Pass:
        def filter(self_: logging.Logger, record: logging.LogRecord) -> Passed:  # noqa: A001
            if filter is self._stamp:
                guard.run("logcontext.add", add, record)
            return logging.Filterer.filter(self_, record) if before is None else before(self_, record)

        return filter


def add(record: logging.LogRecord) -> None:
    """Put what is known here and now on the record, beside what is there."""
    operation, chosen = current(), log_fields()
    if operation is None and not chosen:
        return
    known = record.__dict__
    for name, value in (chosen or {}).items():
        known.setdefault(name, value)
    if operation is not None:
        _add_run(known, operation)


def _add_run(known: dict[str, object], operation: Operation) -> None:
    run, span = operation.run, trace.get_current_span().get_span_context()
    known.setdefault("runId", run.id)
    known.setdefault("correlationId", run.correlation_id)
    if run.work_order_id is not None:
        known.setdefault("workOrderId", run.work_order_id)
    for name, value in zip(("iteration", "phase"), _progress(operation), strict=True):
        if value is not None:
            known.setdefault(name, value)
    if span.is_valid:
        known.setdefault("traceId", trace.format_trace_id(span.trace_id))
        known.setdefault("spanId", trace.format_span_id(span.span_id))


def _progress(operation: Operation) -> tuple[object, object]:
    """Return the number of the iteration and the name of the phase around, the nearest of each."""
    iteration: object = None
    phase: object = None
    around: Operation | None = operation
    while around is not None:
        if iteration is None:
            iteration = around.attributes.get(a.FLEX_ITERATION_NUMBER)
        if phase is None and around.kind is PHASE:
            phase = around.subject
        around = around.parent
    return iteration, phase
