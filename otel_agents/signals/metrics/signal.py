"""The metrics signal: what facts add up to and how long operations took; must not know spans, logs or the feed."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any, Final

from opentelemetry import metrics
from opentelemetry.metrics import MeterProvider

from otel_agents.operation import Fact, Operation, Run, Signal
from otel_agents.pauses import PauseStore
from otel_agents.semconv import agents as a
from otel_agents.semconv import events as e
from otel_agents.semconv import kinds as k
from otel_agents.semconv import metrics as m
from otel_agents.semconv.agents import OURS
from otel_agents.semconv.model import Count, EventType, Metric
from otel_agents.signals.metrics.instruments import Measure, instruments_on, is_heard
from otel_agents.signals.metrics.observed import Dropped, Observed, PatchPoints, Recorder
from otel_agents.signals.metrics.sources import Values, amount_of, labels_of_fact, labels_of_operation

RUNTIMES: Final = 50  # announced at most: names of runtimes are few, unless somebody makes them up


# What takes a duration, and where its labels come from: the label set of values, the values of an operation.
Timed = tuple[Measure, Callable[[Values], dict[str, str] | None], Callable[[Operation], Values]]


class Metrics(Signal):
    """The metrics signal.

    Args:
        provider: None for the global one, whenever it comes.
        sets: Label sets that an instrument may have, where its row has no bound of its own.
        recorder: Knows the open runs and the clocks.
        pauses: Asked for open questions when somebody collects, at most once a second.
        patch_points: Returns the number of patch points by adapter and state.
        dropped: Returns the number of events that each subscriber missed.

    Counters whose labels all have closed sets of values start at 0 (``announce`` for those with a runtime), so that
    ``increase`` sees their first step; others where an adapter knows what to expect. Histograms cannot: the API has no
    way to make an empty one.
    """

    name = "metrics"

    def __init__(
        self,
        provider: MeterProvider | None = None,
        *,
        sets: int,
        recorder: Recorder,
        pauses: PauseStore,
        patch_points: PatchPoints,
        dropped: Dropped,
    ) -> None:
        now_global = metrics.get_meter_provider()
        self._provider = None if provider is now_global else provider  # a stand-in gives way to the SDK that comes
        self._heard = False
        self._expected: dict[tuple[str, ...], tuple[Measure, dict[str, str]]] = {}
        self._instruments = instruments_on(provider or now_global, sets)
        self._observed = Observed(recorder, pauses, patch_points, dropped)
        self._takes = {row.name: tuple(map(self._counted, row.counts)) for row in e.EVENTS if row.counts}
        self._also(e.START, self._meet)
        self._also(e.AGENT_STATUS, self._observed.agents.changed)
        self._also(e.NODE_START, self._observed.agents.works)
        self._also(e.NODE_COMPLETE, self._observed.agents.rests)
        self._also(e.CONTEXT_REFRESHED, self._observed.agents.refreshed)
        self._also(e.HITL_REQUEST, self._observed.asked)
        self._also(e.HITL_RESOLVED, self._observed.asked)
        self._times = {row.name: self._timed(row.duration) for row in k.KINDS if row.duration is not None}
        self._tokens = self._instruments.measures[m.MODEL_TOKENS.name], self._instruments.sets[m.MODEL_TOKENS.name]
        self._instruments.watched = self._observed
        self.listening()

    def listening(self) -> bool:
        """Whether an SDK takes what is measured; the global one may come late."""
        if self._heard:
            return True
        if not is_heard(self._provider or metrics.get_meter_provider()):
            return False
        self._heard = True
        self.start_at_zero()
        return True

    @property
    def runtimes(self) -> tuple[str, ...]:
        """The runtimes that are reported."""
        return tuple(self._observed.runtimes)

    def start_at_zero(self) -> None:
        """Have the counters of closed label sets say 0, once more for a reader that comes later than we."""
        if self._heard:
            self._start_at_zero(())
            for runtime in self.runtimes:
                self._start_at_zero((runtime,))
            for measure, labels in tuple(self._expected.values()):
                measure(0, labels)

    def announce(self, runtime: str) -> None:
        """Report a runtime from now on, with zeros until something happens; its first run does the same."""
        known = self._observed.runtimes
        if runtime in known or len(known) >= RUNTIMES:
            return
        known[runtime] = None
        if self.listening():
            self._start_at_zero((runtime,))

    def close(self) -> None:
        """Fall silent: instruments stay registered for as long as their provider lives, and report nothing."""
        if self._instruments.watched is self._observed:
            self._instruments.watched = None

    def takers(self, event: EventType) -> tuple[Callable[[Fact], None], ...]:
        """Return what adds up such facts."""
        return self._takes.get(event.name, ())

    def expects(self, fact: Fact) -> None:
        """Have the counters of such a fact say 0, as far as there is room."""
        for count in fact.type.counts:
            sets, measure = self._instruments.sets[count.metric.name], self._instruments.measures[count.metric.name]
            labels = sets.admit(labels_of_fact(count)(fact)) if sets.has_room else None
            if labels is None:
                continue
            self._expected[count.metric.name, *labels.values()] = measure, labels
            if self.listening():
                measure(0, labels)

    def ended(self, operation: Operation) -> None:
        """Measure the duration, whatever the outcome."""
        timed = self._times.get(operation.kind.name)
        if timed is None:
            return
        measure, labels_of, values_in = timed
        labels, trace = labels_of(values_in(operation)), operation.trace
        if labels is not None:
            measure(operation.duration_ns / 1e9, labels, trace.context if trace is not None else None)

    def used(self, run: Run, input_tokens: int, output_tokens: int) -> None:
        """Add the tokens of one model call."""
        add, sets = self._tokens
        for direction, amount in (("input", input_tokens), ("output", output_tokens)):
            labels = sets.of((direction, run.runtime)) if amount > 0 else None
            if labels is not None:
                add(amount, labels)

    def _also(self, event: EventType, take: Callable[[Fact], None]) -> None:
        self._takes[event.name] = (take, *self._takes.get(event.name, ()))

    def _meet(self, fact: Fact) -> None:
        self.announce(fact.run.runtime)

    def _counted(self, count: Count) -> Callable[[Fact], None]:
        measure, sets = self._instruments.measures[count.metric.name], self._instruments.sets[count.metric.name]
        amount_in, values_in = amount_of(count), labels_of_fact(count)

        def take(fact: Fact) -> None:
            amount = amount_in(fact)
            labels = sets.of(values_in(fact)) if amount is not None else None
            if amount is not None and labels is not None:
                measure(amount, labels, _context(fact.operation))

        return take

    def _timed(self, metric: Metric) -> Timed:
        measure, sets = self._instruments.measures[metric.name], self._instruments.sets[metric.name]
        return measure, sets.of, labels_of_operation(metric.labels)

    def _start_at_zero(self, runtime: tuple[str, ...]) -> None:
        """Add nothing to every closed label set: of all runtimes, or of metrics without a runtime."""
        for row in m.METRICS:
            if row.instrument != "counter" or (a.FLEX_RUNTIME in row.labels) != bool(runtime):
                continue
            words = [runtime if name == a.FLEX_RUNTIME else OURS[name].values for name in row.labels]
            for values in product(*words):
                labels = self._instruments.sets[row.name].admit(values)
                if labels is not None:
                    self._instruments.measures[row.name](0, labels)


def _context(operation: Operation | None) -> Any:
    """Return the context in which an operation is measured: an exemplar then points at its span."""
    trace = operation.trace if operation is not None else None
    return trace.context if trace is not None else None
