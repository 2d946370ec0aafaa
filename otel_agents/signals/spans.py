"""Operations as OpenTelemetry spans, and trace context around host code; must not know another signal."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from opentelemetry import baggage, trace
from opentelemetry.context import Context, attach, get_current
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TracerProvider

from otel_agents import guard
from otel_agents.content import exception_frames
from otel_agents.operation import ERROR, Operation, Signal, current
from otel_agents.semconv import agents as a
from otel_agents.semconv import gen_ai as g
from otel_agents.semconv import kinds as k
from otel_agents.semconv.agents import OURS
from otel_agents.version import __version__

SCOPE: Final = "otel_agents"
FRAMES: Final = 32
INTERNAL: Final = SpanKind.INTERNAL
TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
CONTENT: Final = frozenset(row.name for row in OURS if row.content)
FAILED: Final = Status(StatusCode.ERROR)  # no description: it would be the exception's message


class SpanTrace:
    """Where an operation stands in a trace.

    ``context`` is ``around``, in which it started, with its span. The rest is for generators, whose steps may each
    begin in another context (``is_elsewhere``): ``inner`` is what was made of that, ``kept`` the span that the host
    keeps current across a yield, ``outside`` what was current around all that.
    """

    __slots__ = ("around", "context", "inner", "is_elsewhere", "kept", "outside", "span")

    def __init__(self, span: Span, context: Context, around: Context | None = None) -> None:
        self.span = span
        self.context = context
        self.around = around
        self.is_elsewhere = False
        self.inner: Context | None = None
        self.kept: Span | None = None
        self.outside: Context | None = None

    @property
    def trace_id(self) -> str:
        """32 hex digits, or "" without a valid trace."""
        known = self.span.get_span_context()
        return trace.format_trace_id(known.trace_id) if known.is_valid else ""

    @property
    def span_id(self) -> str:
        """16 hex digits, or "" without a valid trace."""
        known = self.span.get_span_context()
        return trace.format_span_id(known.span_id) if known.is_valid else ""

    @property
    def traceparent(self) -> str:
        """The W3C traceparent, or "" without a valid trace."""
        known = self.span.get_span_context()
        return f"00-{self.trace_id}-{self.span_id}-{known.trace_flags:02x}" if known.is_valid else ""


def link(traceparent: str) -> Link | None:
    """Return a link to the span that a W3C traceparent names, or None when it names none."""
    found = TRACEPARENT.fullmatch(traceparent)
    if found is None:
        return None
    trace_id, span_id, flags = (int(part, 16) for part in found.groups())
    target = SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(flags))
    return Link(target) if target.is_valid else None


class Spans(Signal):
    """The spans signal. With ``propagate_run`` the run's ids travel in W3C baggage, out to every API the host calls."""

    name = "spans"

    def __init__(
        self, provider: TracerProvider | None = None, *, content: bool = False, propagate_run: bool = False
    ) -> None:
        self._provider = provider
        self._tracer = trace.get_tracer(
            SCOPE, __version__, provider, schema_url=f"https://opentelemetry.io/schemas/{g.VERSION}"
        )
        self._content = content
        self._propagate_run = propagate_run
        self._profile_id = ""

    def mark(self, profile_id: str, operations: Iterable[Operation] = ()) -> None:
        """Have every span that starts from now on, and those of the operations, name a profile; "" ends that."""
        self._profile_id = profile_id
        for operation in operations if profile_id else ():
            if isinstance(operation.trace, SpanTrace) and not operation.ceded:
                operation.trace.span.set_attribute(a.PROFILE_ID, profile_id)

    def listening(self) -> bool:
        """Whether an SDK would see the spans."""
        provider = self._provider or trace.get_tracer_provider()
        return not isinstance(provider, trace.ProxyTracerProvider | trace.NoOpTracerProvider)

    def started(self, operation: Operation) -> None:
        """Start the span, with all that is known, so that samplers see it."""
        kind, own, run = operation.kind, operation.attributes, operation.run
        is_plain = operation.parent is current() and kind is not k.RUN
        around = get_current() if is_plain else self._context_around(operation)
        if operation.ceded:
            operation.trace = SpanTrace(trace.get_current_span(around), around, around)
            return
        if not self._content and not CONTENT.isdisjoint(own):
            own = _without_content(own)
        values: Any = {a.FLEX_RUN_ID: run.id, a.FLEX_RUNTIME: run.runtime, **own}
        shown = kind.gen_ai.get(str(own.get(a.FLEX_NODE_KIND, "")))
        if shown is not None:
            values[g.GEN_AI_OPERATION_NAME] = shown.operation
            if shown.subject:
                values.setdefault(shown.subject, operation.subject)
        if self._profile_id:
            values[a.PROFILE_ID] = self._profile_id
        links = tuple(filter(None, map(link, operation.links))) if operation.links else None
        inside = self._with_ids(operation, around) if kind is k.RUN else around
        name = kind.span_name(operation.subject)
        span = self._tracer.start_span(name, inside, INTERNAL, values, links, operation.started_ns)
        operation.trace = SpanTrace(span, trace.set_span_in_context(span, inside), around)

    def ended(self, operation: Operation) -> None:
        """End the span with the duration that the metrics have."""
        if operation.ceded or not isinstance(operation.trace, SpanTrace):
            return
        span, end_ns = operation.trace.span, operation.started_ns + operation.duration_ns
        if span.is_recording():
            if operation.late is not None or operation.tokens is not None:
                span.set_attributes(self._at_end(operation))  # type: ignore[arg-type]
            span.set_attribute(a.FLEX_OUTCOME, operation.outcome)  # alone it costs the SDK half as much as a dict
            if operation.outcome == ERROR:
                guard.run("spans.exception", self._fail, span, operation, end_ns)
        span.end(end_ns)

    def enter(self, operation: Operation) -> Context | None:
        """Make the span current."""
        if not isinstance(operation.trace, SpanTrace):
            return None
        known = operation.trace
        before = attach(known.context).old_value  # the context that was current, never the token itself
        around, known.is_elsewhere = known.around, False
        if around is not None and before is around:
            return around
        return self._enter_elsewhere(operation, known, before if isinstance(before, Context) else Context())

    def leave(self, operation: Operation, entered: object) -> None:
        """Make current what was before; what the host attached meanwhile stays, but for our span."""
        known = operation.trace
        if not isinstance(known, SpanTrace) or not isinstance(entered, Context):
            return
        now = get_current()
        if now is known.inner:
            attach(entered)
        elif now is known.context:  # entered so, unless the host came back to it from what it kept across a yield
            attach(known.around if known.is_elsewhere and known.around is not None else entered)
        elif (span := trace.get_current_span(now)) is not known.span:
            known.kept, known.outside = None if span is trace.INVALID_SPAN else span, entered
        elif not operation.ceded:
            attach(trace.set_span_in_context(trace.get_current_span(entered), now))

    def _context_around(self, operation: Operation) -> Context:
        parent = operation.parent
        if parent is not None and parent is not current() and isinstance(parent.trace, SpanTrace):
            return parent.trace.context
        return get_current()

    def _with_ids(self, operation: Operation, context: Context) -> Context:
        """Add the run's ids to the baggage, if they are to travel."""
        if not self._propagate_run:
            return context
        context = baggage.set_baggage(a.FLEX_RUN_ID, operation.run.id, context)
        return baggage.set_baggage(a.FLEX_CORRELATION_ID, operation.run.correlation_id, context)

    def _enter_elsewhere(self, operation: Operation, known: SpanTrace, before: Context) -> Context:
        """Make a span current where another context is than at its start, beside all that is current there.

        A span that the host itself keeps current across a yield stays current. Threads have no context to keep.
        """
        if not before:
            return before
        known.is_elsewhere = True
        if known.kept is not None and known.outside is not None and trace.get_current_span(before) is known.kept:
            attach(before)
            return known.outside
        known.inner = trace.set_span_in_context(known.span, self._with_ids(operation, before))
        attach(known.inner)
        return before

    def _at_end(self, operation: Operation) -> dict[str, object]:
        late = operation.late or {}
        values = dict(late) if self._content else _without_content(late)
        if operation.tokens is not None:
            values[g.GEN_AI_INPUT_TOKENS], values[g.GEN_AI_OUTPUT_TOKENS] = operation.tokens
        return values

    def _fail(self, span: Span, operation: Operation, end_ns: int) -> None:
        """Mark the innermost operation that failed and the run; record the exception once, where it was seen first."""
        if operation.seen_below and operation.kind is not k.RUN:
            return
        span.set_status(FAILED)
        error = operation.error
        if error is None or operation.seen_below:
            return
        values: dict[str, str] = {
            g.EXCEPTION_TYPE: str(operation.attributes[g.ERROR_TYPE]),
            g.EXCEPTION_STACKTRACE: exception_frames(error, FRAMES),
        }
        message = operation.attributes.get(a.FLEX_ERROR_MESSAGE)
        if self._content and message is not None:
            values[g.EXCEPTION_MESSAGE] = str(message)
        span.add_event("exception", values, timestamp=end_ns)


def _without_content(attributes: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in attributes.items() if name not in CONTENT}
