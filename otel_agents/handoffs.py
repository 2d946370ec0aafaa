"""When a handoff ends and when it is a loop: rules over runs and operations; must not know signals."""

from __future__ import annotations

from typing import Final

from otel_agents.operation import OK, Operation
from otel_agents.semconv import agents as a
from otel_agents.semconv import kinds as k

PENDING: Final = 64  # handoffs of one run that may wait for their targets; targets that never start fill no memory
WORK: Final = (k.PLAN, k.ITERATION, k.PHASE, k.GATE, k.DELIVERY)


def arrived(node: Operation) -> list[Operation]:
    """Return the pending handoffs whose target is this node, and forget them."""
    run = node.run
    names = {node.subject, node.attributes.get(a.FLEX_NODE_LABEL), node.attributes.get(a.FLEX_NODE_ID)}
    return [handoff for handoff in tuple(run.handoffs) if handoff.subject in names and _is_taken(handoff)]


def _is_taken(handoff: Operation) -> bool:
    """Take a handoff from those that wait. Others may ask for some, and take some, in other threads meanwhile."""
    try:
        handoff.run.handoffs.remove(handoff)
    except ValueError:
        return False
    return True


def mark_loop(handoff: Operation) -> None:
    """Mark a handoff by which the work comes back to whom it came from, with no progress between."""
    run, from_agent, to_agent = handoff.run, str(handoff.attributes.get(a.YOLO_FROM_AGENT)), handoff.subject
    before, run.last_handoff = run.last_handoff, (from_agent, to_agent)
    progressed, run.progressed = run.progressed, False
    if before == (to_agent, from_agent) and not progressed:
        handoff.attributes[a.YOLO_HANDOFF_LOOP] = True


def is_progress(operation: Operation) -> bool:
    """Whether work was done: not by handing over, nor by being the agent in whom work is done."""
    if operation.outcome != OK:
        return False
    if operation.kind is k.NODE:
        return operation.attributes.get(a.FLEX_NODE_KIND) == "tool" and not operation.hands_over
    return operation.kind in WORK
