"""PromQL made from rows of metrics, so that no name, label or unit is written twice; must not know panels or alerts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from otel_agents.semconv.agents import FLEX_RUNTIME, attribute
from otel_agents.semconv.export import prometheus_name
from otel_agents.semconv.model import Metric

JOB: Final = "job"
INSTANCE: Final = "instance"
OF_TARGET: Final = (JOB, INSTANCE)
SHARE: Final = "1"  # OpenTelemetry's unit of a ratio

Where = Mapping[str, str]
ANY: Final[Where] = MappingProxyType({})
OPERATORS: Final = {(False, False): "=", (True, False): "!=", (False, True): "=~", (True, True): "!~"}


def label(metric: Metric, name: str) -> str:
    """Return the label of a metric that an attribute becomes.

    Raises:
        ValueError: The metric has no such label.
    """
    if name in OF_TARGET:
        return name
    row = attribute(name)
    if name not in metric.labels:
        raise ValueError(f"{metric.name} has no label {name}")
    return row.label if row is not None else name


def series_name(metric: Metric) -> str:
    """Return a metric's name in Prometheus; one that a recording rule writes, with a colon in it, has it already."""
    return metric.name if ":" in metric.name else prometheus_name(metric)


@dataclass(frozen=True, slots=True)
class Query:
    """An expression, and what is known of its result: unit, labels, and whether its buckets have exemplars."""

    text: str
    unit: str
    labels: tuple[str, ...] = ()
    has_exemplars: bool = False

    def __str__(self) -> str:
        return self.text

    def of(self, whole: Query) -> Query:
        """Return the share of a whole; where there is none, there is no share, instead of a NaN."""
        return Query(f"{self} / ({whole} > 0)", SHARE, self.labels)

    def per(self, other: Query, unit: str) -> Query:
        """Return how much there is for each of another, where there is another."""
        return Query(f"{self} / ({other} > 0)", unit, self.labels)

    def or_none(self, whole: Query) -> Query:
        """Return 0 where there is a whole and nothing of this: a counter of failures is born with the first."""
        return replace(self, text=f"{self} or 0 * {whole}")

    def top(self, count: int) -> Query:
        """Return the highest series only."""
        return replace(self, text=f"topk({count}, {self})")


def _matcher(value: str) -> str:
    """Write the right side of a matcher: ``a``, ``a|b``, and with ``!`` before it what it must not be."""
    name = value.removeprefix("!")
    return f'{OPERATORS[name != value, "|" in name]}"{name}"'


@dataclass(frozen=True, slots=True)
class Reader:
    """How a reader of metrics writes queries.

    ``keeps`` are labels that stay beside those that are asked for. A reader with ``variables`` narrows every selector
    by the variables of a dashboard: these two for job and instance, and `runtime` where the metric has it. ``window``
    is how far a rate looks back, ``span`` how far a sum of events does.
    """

    keeps: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    window: str = "5m"
    span: str = "15m"

    def select(self, metric: Metric, where: Where = ANY, part: str = "") -> str:
        """Return a selector; ``part`` is `bucket`, `sum` or `count` of a histogram."""
        found = [f"{label(metric, name)}{_matcher(value)}" for name, value in where.items()]
        if self.variables:
            chosen = dict(zip(OF_TARGET, self.variables, strict=True))
            if FLEX_RUNTIME in metric.labels and FLEX_RUNTIME not in where:
                chosen[label(metric, FLEX_RUNTIME)] = "runtime"
            found = [*(f'{name}=~"${variable}"' for name, variable in chosen.items()), *found]
        name = series_name(metric) + (f"_{part}" if part else "")
        return f"{name}{{{', '.join(found)}}}" if found else name

    def by(self, metric: Metric, names: Iterable[str]) -> tuple[str, ...]:
        """Return the labels that a result keeps."""
        return (*self.keeps, *(each for each in (label(metric, name) for name in names) if each not in self.keeps))

    def now(self, metric: Metric, *names: str, how: str = "sum", where: Where = ANY) -> Query:
        """Return a gauge, or whatever else has a value at one moment, put together by `sum`, `max` or `min`."""
        kept = self.by(metric, names)
        return Query(_together(how, kept, self.select(metric, where)), metric.unit, kept)

    def shared(self, metric: Metric, *names: str) -> Query:
        """Return a gauge that all processes of a job report alike, because they read the same store."""
        own = (FLEX_RUNTIME,) if FLEX_RUNTIME in metric.labels else ()
        once = _together("max", (JOB, *(label(metric, each) for each in own)), self.select(metric))
        kept = self.by(metric, names)
        return Query(_together("sum", kept, once), metric.unit, kept)

    def rate(self, metric: Metric, *names: str, where: Where = ANY, window: str = "") -> Query:
        """Return how many a second; of a histogram, how many were measured."""
        kept, part = self.by(metric, names), _count_of(metric)
        text = _together("sum", kept, f"rate({self.select(metric, where, part)}[{window or self.window}])")
        return Query(text, f"{'{measurement}' if part else metric.unit}/s", kept)

    def increase(self, metric: Metric, *names: str, where: Where = ANY, span: str = "") -> Query:
        """Return how many there were, between the samples of series that were there before."""
        kept, part = self.by(metric, names), _count_of(metric)
        text = _together("sum", kept, f"increase({self.select(metric, where, part)}[{span or self.span}])")
        return Query(text, "{measurement}" if part else metric.unit, kept)

    def added(self, metric: Metric, *names: str, where: Where = ANY, span: str = "") -> Query:
        """Return how many there were, the first of a series among them.

        A series with open labels is born with its first event, so `increase` never sees the step from nothing to 1.
        """
        kept, part, back = self.by(metric, names), _count_of(metric), span or self.span
        found = self.select(metric, where, part)
        text = _together("sum", kept, f"({found} unless {found} offset {back}) or increase({found}[{back}])")
        return Query(text, "{measurement}" if part else metric.unit, kept)

    def mean(self, metric: Metric, *names: str, where: Where = ANY, window: str = "") -> Query:
        """Return the mean of what a histogram measured, where it measured anything."""
        kept, back = self.by(metric, names), window or self.window
        total, count = (
            _together("sum", kept, f"rate({self.select(metric, where, part)}[{back}])") for part in ("sum", "count")
        )
        return Query(f"{total} / ({count} > 0)", metric.unit, kept)

    def quantile(self, level: float, metric: Metric, *names: str, where: Where = ANY, window: str = "") -> Query:
        """Return a quantile of what a histogram measured, computed from its buckets."""
        kept = self.by(metric, names)
        buckets = f"rate({self.select(metric, where, 'bucket')}[{window or self.window}])"
        text = f"histogram_quantile({level:g}, {_together('sum', ('le', *kept), buckets)})"
        return Query(text, metric.unit, kept, has_exemplars=True)


BOARD: Final = Reader(variables=OF_TARGET, window="$__rate_interval", span="$__range")
RULES: Final = Reader(keeps=(JOB,))


def _together(how: str, kept: Iterable[str], text: str) -> str:
    names = ", ".join(kept)
    return f"{how} by ({names}) ({text})" if names else f"{how}({text})"


def _count_of(metric: Metric) -> str:
    return "count" if metric.instrument == "histogram" else ""
