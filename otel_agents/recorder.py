"""Starts and ends operations and tells the signals; knows no OpenTelemetry and no framework."""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from otel_agents import guard
from otel_agents.audience import Audience
from otel_agents.cleaning import Cleaner, fit
from otel_agents.content import Capture, type_name
from otel_agents.handoffs import PENDING, arrived, is_progress, mark_loop
from otel_agents.lineage import current_open, inherited, spenders, step_over, was_left_inside
from otel_agents.operation import (
    ABANDONED,
    ERROR,
    OK,
    Fact,
    Identity,
    Operation,
    Run,
    Signal,
    current,
    outcome_of,
    set_current,
)
from otel_agents.pauses import MemoryPauses, PauseStore
from otel_agents.semconv import agents as a
from otel_agents.semconv import kinds as k
from otel_agents.semconv.gen_ai import ERROR_TYPE, OTHER
from otel_agents.semconv.model import EventType, Kind

Entered = tuple[Operation | None, object]  # what was current before an operation was entered: for us, for signals


class Recorder:
    """The one place that operations go through. There is one in a process; the pipeline installs signals into it.

    Nothing here raises into the caller: what a signal raises is swallowed and counted by the guard.
    """

    def __init__(self) -> None:
        self.open: weakref.WeakSet[Operation] = weakref.WeakSet()  # operations of running runs
        self.wall_ns: Callable[[], int] = time.time_ns
        self.clock_ns: Callable[[], int] = time.perf_counter_ns
        # Not uuid4, which a host's test may have replaced by a sequence of its own: ours would be missing from it.
        self.new_id: Callable[[], str] = lambda: os.urandom(16).hex()
        self.install(())

    def install(
        self,
        signals: Iterable[Signal],
        *,
        listening: Callable[[], bool] = bool,  # nobody listens
        capture: Capture | None = None,
        pauses: PauseStore | None = None,
        remote_correlation: Callable[[], str] = str,
    ) -> None:
        """Replace the signals, in the order in which they are told of starts.

        ``listening`` is asked before each operation: False when telemetry is suppressed or nobody would see it.
        ``remote_correlation`` returns the correlation id that came with a request from another process, or "".
        """
        self._audience = Audience(signals)
        self.listening = listening
        self.capture = capture or Capture()
        self._clean = Cleaner(self.capture).clean
        self.pauses: PauseStore = pauses or MemoryPauses()
        self.remote_correlation = remote_correlation

    # Starting

    def start_run(
        self,
        name: str,
        identity: Identity,
        attributes: Mapping[str, object] | None = None,
        *,
        links: tuple[str, ...] = (),
    ) -> Operation | None:
        """Start a run, or return None when nobody listens or a run of the same runtime is open around it.

        ``links`` are W3C traceparent strings of the spans that this run goes on from.
        """
        if not self.listening():
            return None
        parent = current_open()
        around = parent.run if parent is not None and parent.run.is_open else None
        if around is not None and around.runtime == identity.runtime:
            return None
        run = self._new_run(identity, around)
        values = self._clean(attributes)
        values[a.FLEX_CORRELATION_ID] = run.correlation_id
        operation = Operation(k.RUN, name, run, parent, values)
        operation.links = links
        run.operation = operation
        self.open.add(operation)
        return self._begin(operation)

    def start(
        self,
        kind: Kind,
        subject: str = "",
        attributes: Mapping[str, object] | None = None,
        *,
        runtime: str = "manual",
        parent: Operation | None = None,
        ceded: bool = False,
        heard: bool = False,
    ) -> Operation | None:
        """Start an operation that is no run, inside ``parent`` or the current operation; None when nobody listens.

        Outside any run it belongs to a nameless run of ``runtime``. ``ceded``: another instrumentation makes the span.
        ``heard``: the caller has just asked whether somebody listens.
        """
        if not heard and not self.listening():
            return None
        parent = parent or current_open()
        run = parent.run if parent is not None else self._new_run(Identity(runtime), None)
        values = self._clean(attributes)
        if kind.inherits:
            values = inherited(parent, kind.inherits) | values
        operation = Operation(kind, subject, run, parent, values)
        operation.ceded = ceded
        if run.handoffs and kind is k.NODE:
            for handoff in arrived(operation):
                self.end(handoff)
        if kind is k.HANDOFF:
            mark_loop(operation)
        return self._begin(operation)

    def start_handoff(self, from_agent: str, to_agent: str) -> None:
        """Start a handoff that ends when the target's first node starts, with the run, or when too many wait."""
        around = inside.run.operation if (inside := current_open()) is not None else None
        operation = self.start(k.HANDOFF, to_agent, {a.YOLO_FROM_AGENT: from_agent}, parent=around)
        if operation is not None and around is not None:
            around.run.handoffs.append(operation)
            if len(around.run.handoffs) > PENDING:
                self.end(around.run.handoffs.pop(0), outcome=ABANDONED)
        elif operation is not None:
            self.end(operation)

    # Ending

    def end(self, operation: Operation, error: BaseException | None = None, outcome: str = "") -> None:
        """End an operation; a second end is ignored, and so is the end of what began before this process was forked."""
        if operation.outcome or operation.is_inherited:
            return
        kind, run = operation.kind, operation.run
        operation.duration_ns = duration_ns = self.clock_ns() - operation.began_ns
        operation.outcome = outcome or (OK if error is None else outcome_of(error))
        if operation.outcome == ERROR:
            known = operation.attributes.get(ERROR_TYPE, OTHER)
            operation.put(ERROR_TYPE, known if error is None else type_name(error))
        if error is not None and operation.outcome == ERROR:
            self._fail(operation, error)
        if kind is k.RUN:
            self._close(operation)
        elif run.last_handoff is not None and is_progress(operation):
            run.progressed = True
        status = operation.status if kind is k.RUN else operation.outcome
        time_ns = operation.started_ns + duration_ns
        for end in kind.ends:
            if end.when is None or end.when(operation):
                self._tell(Fact(end.event, run, operation, operation.attributes, time_ns, status, duration_ns))
        guard.each("signals.ended", self._audience.ended, operation)
        step_over(operation)
        operation.error = None  # a host's exception must not live longer than it would without us
        if kind is k.RUN:
            run.operation = None  # a run and its operation would otherwise wait for the garbage collector

    def completed(
        self,
        kind: Kind,
        subject: str,
        attributes: Mapping[str, object],
        *,
        duration_ns: int,
        outcome: str = OK,
    ) -> None:
        """Record an operation that was measured elsewhere and ended just now; its start event is not told."""
        if not self.listening():
            return
        parent = current_open()
        run = parent.run if parent is not None else self._new_run(Identity(), None)
        operation = Operation(kind, subject, run, parent, self._clean(attributes))
        if kind is k.HANDOFF:
            mark_loop(operation)
        ago_ns = max(duration_ns, 0)
        operation.started_ns, operation.began_ns = self.wall_ns() - ago_ns, self.clock_ns() - ago_ns
        guard.each("signals.started", self._audience.started, operation)
        self.end(operation, outcome=outcome)

    # Facts

    def fact(
        self,
        event: EventType,
        attributes: Mapping[str, object] | None = None,
        *,
        operation: Operation | None = None,
        identity: Identity | None = None,
        status: str | None = None,
        duration_ns: int | None = None,
    ) -> None:
        """Tell of a fact in ``operation`` or the current one; as ``identity`` where none of its runtime is around."""
        if not self.listening():
            return
        inside = operation or current_open()
        run = inside.run if inside is not None else None
        if run is None or (identity is not None and identity.runtime != run.runtime):
            run = self._new_run(identity or Identity(), run)
        self._tell(Fact(event, run, inside, self._clean(attributes), self.wall_ns(), status, duration_ns, attributes))

    def expect(self, event: EventType, attributes: Mapping[str, object], identity: Identity) -> None:
        """Have what counts such facts say 0 until one happens."""
        guard.each("signals.expects", self._audience.expects, Fact(event, Run(fit(identity)), None, attributes, 0))

    def use(self, input_tokens: int, output_tokens: int) -> None:
        """Count the tokens of one model call on the agents and the runs that are open around it."""
        if (inside := current()) is None or not self.listening():
            return
        for around in spenders(inside):
            around.use(input_tokens, output_tokens)
        self._audience.used(inside.run, input_tokens, output_tokens)

    def set(self, operation: Operation, attributes: Mapping[str, object]) -> None:
        """Set attributes of an operation from values of the host: cleaned, content only when it is captured."""
        for name, value in self._clean(attributes).items():
            operation.put(name, value)
        if operation.kind is k.PLAN and isinstance(version := operation.attributes.get(a.FLEX_PLAN_VERSION), int):
            operation.run.plan_version = version

    # Being current

    def enter(self, operation: Operation) -> Entered:
        """Make an operation current while host code runs; give the result to ``leave``."""
        enter = self._audience.enter
        before = current(), None if enter is None else guard.run("signals.enter", enter, operation)
        set_current(operation)
        return before

    def leave(self, operation: Operation, entered: Entered) -> None:
        """Restore what was current before, unless somebody else took over; never detaches a token."""
        now = current()
        if now is not operation and now is not None and was_left_inside(now, operation):
            operation = now  # it ended elsewhere and could not take itself away here
        before, carried = entered
        if now is operation:
            set_current(before)
        if (leave := self._audience.leave) is not None:
            guard.run("signals.leave", leave, operation, carried)

    # Inside

    def _new_run(self, identity: Identity, around: Run | None) -> Run:
        run = Run(fit(identity))
        run.id = run.id or self.new_id()
        inherited = around.correlation_id if around is not None else self.remote_correlation()
        run.correlation_id = run.correlation_id or inherited or run.id
        return run

    def _begin(self, operation: Operation) -> Operation:
        operation.started_ns, operation.began_ns = self.wall_ns(), self.clock_ns()
        guard.each("signals.started", self._audience.started, operation)
        if (starts := operation.kind.starts) is not None:
            self._tell(Fact(starts, operation.run, operation, operation.attributes, operation.started_ns))
        return operation

    def _tell(self, fact: Fact) -> None:
        fact.run.touched_ns = self.clock_ns()
        guard.each("signals.happened", self._audience.happened[fact.type.name], fact)

    def _fail(self, operation: Operation, error: BaseException) -> None:
        operation.error = error
        operation.seen_below = operation.saw(error)
        if self.capture.on:
            message = guard.run("recorder.message", str, error)
            operation.attributes.update(self._clean({a.FLEX_ERROR_MESSAGE: message}))
        if operation.parent is not None:
            operation.parent.fail_below(error)

    def _close(self, operation: Operation) -> None:
        """Add what is known of a run only at its end, and end the handoffs that still wait."""
        run = operation.run
        operation.put(a.FLEX_RUN_STATUS, operation.status)
        if run.plan_version is not None:
            operation.put(a.FLEX_PLAN_VERSION, run.plan_version)
        if operation.outcome == ABANDONED:
            operation.put(a.FLEX_RUN_REASON, ABANDONED)
        self.open.discard(operation)
        for handoff in run.handoffs:
            self.end(handoff, outcome=operation.outcome)
        run.handoffs.clear()


RECORDER: Final = Recorder()
