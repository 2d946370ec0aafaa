"""Which operations are around one another, as far as they still run: rules over parents; must not know signals."""

from __future__ import annotations

from otel_agents.operation import Operation, current


def current_open() -> Operation | None:
    """Return the nearest operation around that still runs; the last one, when a task outlives them all."""
    last = current()
    if last is None or not last.outcome:
        return last
    step_over(last)
    return last.parent or last


def step_over(operation: Operation) -> None:
    """Forget the operations around this one that are over: tasks that start each other would keep them all alive.

    What is asked of the operations around, is asked of those that still run.
    """
    around = operation.parent
    while around is not None and around.outcome:
        around = around.parent
    operation.parent = around


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
