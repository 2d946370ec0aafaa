"""Which operations are around one another, as far as they still run: rules over parents; must not know signals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Final

from otel_agents.operation import Operation, current
from otel_agents.semconv.agents import FLEX_NODE_KIND
from otel_agents.semconv.kinds import RUN

TRIES: Final = 8


def current_open() -> Operation | None:
    """Return the nearest operation around that still runs; the last one, when a task outlives them all."""
    last = current()
    if last is None or not last.outcome:
        return last
    step_over(last)
    return last.parent or last


def current_in(runtime: str) -> Operation | None:
    """Return the current operation when it belongs to a run of this runtime that goes on now."""
    operation = current()
    if operation is None or operation.run.runtime != runtime or not operation.run.is_open:
        return None
    return operation


def step_over(operation: Operation) -> None:
    """Forget the operations around this one that are over: tasks that start each other would keep them all alive.

    What is asked of the operations around, is asked of those that still run.
    """
    operation.parent = still_open(operation.parent)


def still_open(operation: Operation | None) -> Operation | None:
    """Return the operation if it runs, else the nearest one around it that does; None without any."""
    while operation is not None and operation.outcome:
        operation = operation.parent
    return operation


def is_inside(operation: Operation, around: Operation) -> bool:
    """Whether an operation that runs was started inside another."""
    inside = None if operation.outcome else operation.parent
    while inside is not None and inside is not around:
        inside = inside.parent
    return inside is not None


def was_left_inside(ended: Operation, operation: Operation) -> bool:
    """Whether an operation is over and ran inside another; a generator closed by another task leaves such."""
    inside: Operation | None = ended if ended.outcome else None
    while inside is not None and inside is not operation:
        inside = inside.parent
    return inside is not None


def inherited(parent: Operation | None, names: tuple[str, ...]) -> dict[str, object]:
    """Return the named attributes as the nearest operation around has them."""
    found: dict[str, object] = {}
    while parent is not None and len(found) < len(names):
        found |= {name: parent.attributes[name] for name in names if name not in found and name in parent.attributes}
        parent = parent.parent
    return found


def spenders(inside: Operation) -> Iterator[Operation]:
    """Return the agents and the runs around, this operation included: the tokens of a model call are theirs."""
    around: Operation | None = inside
    while around is not None:
        if around.kind is RUN or around.attributes.get(FLEX_NODE_KIND) == "agent":
            yield around
        around = around.parent


def own(operations: Iterable[Operation]) -> list[Operation]:
    """Return which operations of a set began in this process; other threads may add some meanwhile."""
    for _ in range(TRIES):
        with suppress(RuntimeError):  # the set changed while we read it
            return [each for each in list(operations) if not each.is_inherited]
    return []
