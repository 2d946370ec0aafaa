"""The instruments on one meter provider, made once from the table of metrics; must not know operations."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import islice
from operator import attrgetter
from typing import Final, Protocol

from opentelemetry import metrics
from opentelemetry.context import Context
from opentelemetry.metrics import CallbackOptions, Meter, MeterProvider, NoOpMeter, NoOpMeterProvider, Observation

from otel_agents import guard
from otel_agents.semconv import gen_ai as g
from otel_agents.semconv import metrics as m
from otel_agents.semconv.agents import INSTRUMENT, OURS
from otel_agents.semconv.model import Metric
from otel_agents.signals.metrics.labels import LabelSets
from otel_agents.version import __version__

SCOPE: Final = "otel_agents"
SCHEMA_URL: Final = f"https://opentelemetry.io/schemas/{g.VERSION}"

Seen = Iterable[tuple[float, tuple[object, ...]]]  # amount and label values, in the order of the metric's row


class Measure(Protocol):
    """Hands one measurement to the SDK: ``add``, ``record`` or ``set`` of an instrument."""

    def __call__(
        self, amount: float, attributes: Mapping[str, str] | None = None, context: Context | None = None, /
    ) -> None: ...


class Looking(Protocol):
    """Who is asked for the values of observable instruments."""

    def look(self, metric: Metric) -> Seen: ...


def _counter(meter: Meter, row: Metric) -> Measure:
    return meter.create_counter(row.name, row.unit, row.brief).add


def _gauge(meter: Meter, row: Metric) -> Measure:
    return meter.create_gauge(row.name, row.unit, row.brief).set


def _histogram(meter: Meter, row: Metric) -> Measure:
    # Without the advice seconds would fall into boundaries that are made for milliseconds.
    advice = row.boundaries
    return meter.create_histogram(row.name, row.unit, row.brief, explicit_bucket_boundaries_advisory=advice).record


MEASURED: Final[Mapping[str, Callable[[Meter, Metric], Measure]]] = {
    "counter": _counter,
    "gauge": _gauge,
    "histogram": _histogram,
}
OBSERVED: Final[Mapping[str, Callable[[Meter], Callable[..., object]]]] = {
    "observable_counter": attrgetter("create_observable_counter"),
    "observable_gauge": attrgetter("create_observable_gauge"),
    "observable_updown": attrgetter("create_observable_up_down_counter"),
}


class Instruments:
    """All instruments of the table on one provider, with the label sets that each one has so far.

    Nothing can be unregistered from a provider, so whoever instruments again gets the same instruments back
    (see ``instruments_on``), and observable ones ask ``watched``: None makes them silent.
    """

    def __init__(self, provider: MeterProvider, limit: int) -> None:
        self.watched: Looking | None = None
        self._provider = weakref.ref(provider)
        meter = provider.get_meter(SCOPE, __version__, SCHEMA_URL)
        self.measures = {
            row.name: MEASURED[row.instrument](meter, row) for row in m.METRICS if row.instrument in MEASURED
        }
        self.sets = {row.name: LabelSets(row, row.sets or limit, partial(self._overflow, row)) for row in m.METRICS}
        for row in m.METRICS:
            if row.instrument in OBSERVED:
                OBSERVED[row.instrument](meter)(row.name, [partial(self._observe, row)], row.unit, row.brief)

    def serves(self, provider: MeterProvider) -> bool:
        """Whether they are on this provider, or on the API's stand-in that hands on to it."""
        mine = self._provider()
        if mine is None or mine is provider:
            return mine is provider
        return _is_api(mine) and not isinstance(mine, NoOpMeterProvider) and provider is metrics.get_meter_provider()

    def bound(self, limit: int) -> None:
        """Set the bound on label sets, for instruments without a bound of their own."""
        for row in m.METRICS:
            self.sets[row.name].limit = row.sets or limit

    def _overflow(self, row: Metric, amount: int = 1) -> None:
        label = OURS[INSTRUMENT].label
        self.measures[m.METRICS_OVERFLOW.name](amount, {label: row.name})

    def _observe(self, row: Metric, options: CallbackOptions) -> list[Observation]:
        watched = self.watched
        if watched is None:
            return []
        return guard.run(f"metrics.{row.name}", self._seen, row, watched) or []

    def _seen(self, row: Metric, watched: Looking) -> list[Observation]:
        if row.instrument == "observable_counter":
            return self._summed(row, watched.look(row))
        sets, seen = self.sets[row.name], iter(watched.look(row))
        kept = [Observation(amount, sets.clean(values)) for amount, values in islice(seen, sets.limit)]
        beyond = sum(1 for _ in seen)
        if beyond:
            self._overflow(row, beyond)
        return kept

    def _summed(self, row: Metric, seen: Seen) -> list[Observation]:
        """Add up what shares a label set, as everything beyond the bound does."""
        sums: dict[tuple[str, ...], float] = {}
        for amount, values in seen:
            labels = self.sets[row.name].of(values)
            key = tuple(labels.values()) if labels is not None else ()
            sums[key] = sums.get(key, 0) + amount
        return [Observation(amount, self.sets[row.name].clean(key)) for key, amount in sums.items()]


_known: Final[weakref.WeakSet[Instruments]] = weakref.WeakSet()


def instruments_on(provider: MeterProvider, limit: int) -> Instruments:
    """Return the instruments on a provider: those made before, when there are any."""
    for known in list(_known):
        if known.serves(provider):
            known.bound(limit)
            return known
    made = Instruments(provider, limit)
    _known.add(made)
    return made


def is_heard(provider: MeterProvider) -> bool:
    """Whether an SDK takes what is measured: not the API's stand-in, and not an SDK that is switched off."""
    return not _is_api(provider) and not isinstance(provider.get_meter(SCOPE, __version__, SCHEMA_URL), NoOpMeter)


def _is_api(provider: MeterProvider) -> bool:
    return type(provider).__module__.startswith(metrics.__name__)
