"""Plans: what a planner node wrote, what the tool write_todos was told; must not know tasks or tools."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from otel_agents.content import to_json
from otel_agents.operation import Operation
from otel_agents.patching.table import Start
from otel_agents.recorder import RECORDER
from otel_agents.semconv import agents as a
from otel_agents.semconv import kinds as k

INITIAL: Final = "initial"
REPLAN: Final = "replan"
TODO: Final = "todo"  # the capability of a todo: nobody knows yet who will do it
LISTS: Final = ("plan", "todos", "tasks", "steps", "subtasks", "sections", "subquestions", "nodes")  # of a state


def begin_plan(operation: Operation) -> Start:
    """Return the plan to start inside an operation: the run's first one, or another one."""
    phase = INITIAL if operation.run.plan_version is None else REPLAN
    return Start(kind=k.PLAN, attributes={a.FLEX_PLAN_PHASE: phase, a.FLEX_PLAN_ATTEMPT: 1})


def accept(plan: Operation, trigger: str, facts: Mapping[str, object]) -> None:
    """Give an accepted plan the run's next version; ``trigger`` is what changed the plan before."""
    previous = plan.run.plan_version
    values = {**facts, a.FLEX_PLAN_VERSION: (previous or 0) + 1}
    if previous is not None:
        values |= {a.FLEX_PLAN_PREVIOUS_VERSION: previous, a.FLEX_PLAN_TRIGGER: trigger}
    RECORDER.set(plan, values)


def written(writes: Iterable[tuple[str, Any]]) -> dict[str, object]:
    """Return what is known of a plan that a node wrote: its size, if a list is recognised in it."""
    for channel, value in writes:
        nodes = _nodes(value) if channel in LISTS else None
        if nodes is not None:
            return {a.FLEX_PLAN_NODE_COUNT: len(nodes)}
    return {}


def accept_todos(plan: Operation, trigger: str, todos: Any) -> None:
    """Accept the todos that a model gave as a plan. The nodes of the first plan are told; of later ones their number.

    What the todos say is told only in signals for which content is captured.
    """
    if not isinstance(todos, list):
        return accept(plan, trigger, {})
    count = {a.FLEX_PLAN_NODE_COUNT: len(todos)}
    if plan.run.plan_version is not None:
        return accept(plan, trigger, count)
    capture = RECORDER.capture
    nodes = [{"id": str(index), "capabilityId": TODO} for index in range(len(todos))]
    told = _labelled(nodes, todos) if capture.events and capture.spans else nodes
    accept(plan, trigger, {**count, a.FLEX_PLAN_NODES: told})
    if capture.events and not capture.spans:  # past the span, which has only what is set by ``accept``
        plan.attributes[a.FLEX_PLAN_NODES] = to_json(_labelled(nodes, todos), capture.length)
    return None


def _labelled(nodes: list[dict[str, str]], todos: list[Any]) -> list[dict[str, str]]:
    return [{**node, "label": str(todo["content"])} for node, todo in zip(nodes, todos, strict=True)]


def _nodes(value: Any) -> list[Any] | tuple[Any, ...] | None:
    """Return the list that a value is, or that stands in it under a name that plans use."""
    if isinstance(value, list | tuple):
        return value
    fields = value if isinstance(value, dict) else getattr(value, "__dict__", {})
    return next((fields[name] for name in LISTS if isinstance(fields.get(name), list | tuple)), None)
