"""Where labels and amounts come from, by table; must not know instruments or OpenTelemetry."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from types import MappingProxyType
from typing import Final, TypeVar

from otel_agents.operation import Fact, Operation
from otel_agents.semconv import agents as a
from otel_agents.semconv import events as e
from otel_agents.semconv.model import Count

MOST: Final = 1e15  # an amount beyond is a mistake, and from 2**63 on no exporter could encode it

Told = TypeVar("Told", Fact, Operation)
Read = Callable[[Told], object]
Values = tuple[object, ...]


def outcome(fact: Fact) -> object:
    """The outcome of the operation that just ended, or what the fact itself says of it."""
    if fact.operation is not None and fact.operation.outcome:
        return fact.operation.outcome
    if fact.status in a.OUTCOMES:
        return fact.status
    success = fact.attributes.get(a.YOLO_WORKFLOW_SUCCESS)
    return None if success is None else ("ok" if success else "error")


def status(fact: Fact) -> object:
    """The run status."""
    return fact.attributes.get(a.FLEX_RUN_STATUS) or fact.status


def state(fact: Fact) -> object:
    """The state that a run enters: it stands on no operation, since an operation passes through several."""
    if fact.type is e.START:
        return "resumed" if fact.attributes.get(a.FLEX_RUN_RESUMED) else "start"
    if fact.type is e.CANCEL_REQUESTED:
        return "cancel_requested"
    return e.END_STATES.get(str(status(fact)))


OF_FACT: Final[Mapping[str, Read[Fact]]] = MappingProxyType(
    {
        a.FLEX_RUNTIME: attrgetter("run.runtime"),
        a.FLEX_CHANNEL: attrgetter("run.channel"),
        a.FLEX_CAPABILITY_ID: lambda fact: fact.of_node(a.FLEX_CAPABILITY_ID),
        a.FLEX_OUTCOME: outcome,
        a.FLEX_RUN_STATUS: status,
        a.FLEX_RUN_STATE: state,
    }
)
OF_OPERATION: Final[Mapping[str, Read[Operation]]] = MappingProxyType(
    {
        a.FLEX_RUNTIME: attrgetter("run.runtime"),
        a.FLEX_CHANNEL: attrgetter("run.channel"),
        a.FLEX_OUTCOME: attrgetter("outcome"),
    }
)


def _attribute(name: str) -> Callable[[Told], object]:
    return lambda told: told.attributes.get(name)


def _together(reads: Sequence[Read[Told]]) -> Callable[[Told], Values]:
    """Read up to four labels as one tuple; written out, because a loop costs as much as the reading."""
    match reads:
        case []:
            return lambda told: ()
        case [one]:
            return lambda told: (one(told),)
        case [one, two]:
            return lambda told: (one(told), two(told))
        case [one, two, three]:
            return lambda told: (one(told), two(told), three(told))
        case [one, two, three, four]:
            return lambda told: (one(told), two(told), three(told), four(told))
        case _:
            raise ValueError(f"a metric has at most four labels, not {len(reads)}")


def labels_of_fact(count: Count) -> Callable[[Fact], Values]:
    """Return what reads the label values of a count off a fact, in the order of the metric's row."""
    names = [count.sources.get(name, name) for name in count.metric.labels]
    return _together([OF_FACT.get(name) or _attribute(name) for name in names])


def labels_of_operation(names: Sequence[str]) -> Callable[[Operation], Values]:
    """Return what reads label values off an operation, in the order of the names."""
    return _together([OF_OPERATION.get(name) or _attribute(name) for name in names])


def number(value: object) -> float | None:
    """Return a measurable amount: True is 1, what is no number, negative, not finite or absurd is None."""
    if value is True:
        return 1
    if type(value) not in (int, float):
        return None
    return value if 0 <= value <= MOST else None  # type: ignore[operator,return-value]  # a number: looked at above


def amount_of(count: Count) -> Callable[[Fact], float | None]:
    """Return what reads the amount of a count off a fact, in the metric's unit; None is not measured."""
    if count.duration:
        return _seconds
    if not count.value:
        return _one
    name, scale = count.value, count.scale
    if scale == 1:
        return lambda fact: number(fact.attributes.get(name))
    return lambda fact: _scaled(number(fact.attributes.get(name)), scale)


def _one(fact: Fact) -> float:
    return 1


def _seconds(fact: Fact) -> float | None:
    return None if fact.duration_ns is None else fact.duration_ns / 1e9


def _scaled(amount: float | None, scale: float) -> float | None:
    return None if amount is None else amount * scale
