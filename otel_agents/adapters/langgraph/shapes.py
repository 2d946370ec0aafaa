"""What a task is: agent, tool, step, plan or policy, found out once per node of a graph; must not know operations."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Final, Literal

from otel_agents.adapters.langgraph.frames import GRAPH, is_a

Role = Literal["node", "tools", "plan", "guard", "hook"]

START: Final = "__start__"
DECLARED: Final = "otel_agents.kind"  # a key of a node's metadata
PLANNERS: Final = frozenset(("planner", "plan", "replan"))
MODEL_NODES: Final = frozenset(("model", "agent"))  # of create_agent, and of its predecessor
HOOKS: Final = ("before_agent", "before_model", "after_model", "after_agent")
TOOL_NODES: Final = ("langgraph.prebuilt.tool_node:ToolNode", "langchain.tools.tool_node:_ToolNode")
MIDDLEWARE: Final = "langchain.agents.middleware.types:AgentMiddleware"
LANGCHAIN: Final = "langchain.agents.middleware."
OF_OTHERS: Final = "langchain.agents.middleware.types"  # what its decorators make of the user's functions


@dataclass(frozen=True, slots=True)
class Shape:
    """What the tasks of one node are.

    ``kind`` is agent or step. ``hosts`` is the name of the graph that such a task is. ``tools`` are the names of the
    tools that it runs. ``policy`` and ``trigger`` are the middleware and its hook, ``acts`` what it does when it
    changes messages.
    """

    role: Role = "node"
    kind: Literal["agent", "step"] = "step"
    hosts: str = ""
    tools: Collection[str] = ()
    policy: str = ""
    trigger: str = ""
    acts: str = ""


@dataclass(frozen=True, slots=True)
class Guard:
    """A middleware that is a policy; ``acts`` says what it does when it changes messages, "" when that is no act."""

    name: str
    acts: Callable[[Any], str]


GUARDS: Final = (
    Guard("PIIMiddleware", lambda middleware: str(middleware.strategy)),
    Guard("ToolCallLimitMiddleware", lambda middleware: "continue"),
    Guard("ModelCallLimitMiddleware", lambda middleware: ""),
)

_known: Final[dict[int, tuple[weakref.ref[Any], Shape | None]]] = {}  # by the id of what the node runs, while it lives


def shape_of(task: Any) -> Shape | None:
    """Return what a task is; None for one that belongs to the framework alone."""
    proc = task.proc
    known = _known.get(id(proc))
    if known is not None and known[0]() is proc:
        return known[1]
    shape, key = _look(task), id(proc)
    if type(proc).__weakrefoffset__:
        _known[key] = (weakref.ref(proc, lambda _: _known.pop(key, None)), shape)
    return shape


def is_agent(graph: Any) -> bool:
    """Whether a graph is an agent: it asks a model, and runs tools."""
    nodes = graph.nodes
    return not MODEL_NODES.isdisjoint(nodes) or any(is_a(node.bound, *TOOL_NODES) for node in nodes.values())


def _look(task: Any) -> Shape | None:
    name = task.name
    if name == START:
        return None
    steps = getattr(task.proc, "steps", None)
    first = steps[0] if steps else task.proc
    if is_a(first, GRAPH):
        return Shape(kind="agent", hosts=first.name)
    if any(graph.name == name for graph in task.subgraphs if is_a(graph, GRAPH)):
        return Shape(kind="agent", hosts=name)
    if is_a(first, *TOOL_NODES):
        return Shape("tools", tools=frozenset(first.tools_by_name))
    middleware = getattr(getattr(first, "func", None) or getattr(first, "afunc", None), "__self__", None)
    policy, _, hook = name.rpartition(".")
    if hook in HOOKS and is_a(middleware, MIDDLEWARE):
        return _hook(middleware, policy, hook)
    declared = (task.config.get("metadata") or {}).get(DECLARED)
    return Shape("plan") if declared == "plan" or name in PLANNERS else Shape()


def _hook(middleware: Any, policy: str, hook: str) -> Shape:
    """Return the shape of a middleware's hook. One that may jump is there to stop or divert the agent: a policy."""
    made_by = next((cls for cls in type(middleware).__mro__ if _is_langchain(cls)), None)
    if made_by is None:
        hooks = (getattr(type(middleware), prefix + hook, None) for prefix in ("", "a"))
        may_jump = any(getattr(each, "__can_jump_to__", None) for each in hooks)
        return Shape("guard" if may_jump else "hook", policy=policy, trigger=hook)
    guard = next((each for each in GUARDS if each.name == made_by.__name__), None)
    if guard is None:
        return Shape()  # retries, summaries, approvals: steps like any other
    return Shape("guard", policy=policy, trigger=hook, acts=guard.acts(middleware))


def _is_langchain(cls: type) -> bool:
    return cls.__module__.startswith(LANGCHAIN) and cls.__module__ != OF_OTHERS
