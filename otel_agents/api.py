"""The manual API: every kind as context manager and decorator, and who wants to listen; must not know adapters."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from otel_agents import pipeline
from otel_agents.bus.event import Event
from otel_agents.operation import Identity, log_fields, set_log_fields
from otel_agents.patching.collecting import keep_context
from otel_agents.scopes import MANUAL, Scope
from otel_agents.semconv import agents as a
from otel_agents.semconv import kinds as k

if TYPE_CHECKING:
    from otel_agents.door import Door
    from otel_agents.serve.observation import Observation

_shown: WeakKeyDictionary[pipeline.Pipeline, Observation] = WeakKeyDictionary()


def run(
    name: str,
    *,
    runtime: str = MANUAL,
    run_id: str = "",
    correlation_id: str = "",
    work_order_id: str | None = None,
    session_id: str | None = None,
    channel: str | None = None,
    plan_version: int | None = None,
    thread_id: str | None = None,
    strategy: str | None = None,
    max_iterations: int | None = None,
    goal: str | None = None,
) -> Scope:
    """A run. Inside an open run of the same ``runtime`` it is that run; inside another it is its child.

    ``thread_id`` is the key under which a paused run is found again, by this process or, with a shared
    ``OTEL_AGENTS_PAUSE_STORE``, by another: the resumed run keeps its id and links to the paused one.

    Set ``reason``, ``iterations`` and ``metrics`` before it ends, ``version`` when its plan changed elsewhere.
    """
    identity = Identity(runtime, run_id, correlation_id, work_order_id, session_id, channel, plan_version)
    fields = {"thread_id": thread_id, "strategy": strategy, "max_iterations": max_iterations, "goal": goal}
    return Scope(k.RUN, name, fields, identity)


def plan(*, phase: str = "initial", attempt: int = 1) -> Scope:
    """A planner makes (``initial``) or changes (``replan``, ``resume``) a plan; attempts count from 1.

    Set ``version``, ``node_count`` and ``nodes`` when it is accepted, ``previous_version`` and ``trigger`` when it
    replaces one, ``diagnostic_count`` and ``codes`` when it is rejected.
    """
    return Scope(k.PLAN, "", {"phase": phase, "attempt": attempt})


def node(
    capability: str,
    *,
    node_id: str | None = None,
    kind: str = "step",
    label: str | None = None,
    facet_provenance: Mapping[str, object] | None = None,
) -> Scope:
    """A node is executed with all its attempts; ``kind`` is agent, tool or step. Set ``attempt``, the last one."""
    fields = {a.FLEX_NODE_ID: capability if node_id is None else node_id, "kind": kind, "label": label}
    return Scope(k.NODE, capability, {**fields, a.FLEX_FACET_PROVENANCE: facet_provenance})


def policy(policy_id: str, *, trigger: str | None = None, action: str | None = None) -> Scope:
    """A policy looks at the run; it triggered when an ``action`` is named, here or later by ``set``."""
    return Scope(k.POLICY, policy_id, {"trigger": trigger, "action": action})


def hitl(request_id: str, *, origin: str | None = None, pending_node_id: str | None = None) -> Scope:
    """Code blocks until a human answers; set ``decision`` and, if it was measured elsewhere, ``wait_ms``."""
    return Scope(k.HITL, "", {"request_id": request_id, "origin": origin, "pending_node_id": pending_node_id})


def validation(scope: str, *, attempt: int = 1) -> Scope:
    """An input, an output or the final answer is validated (``scope``: input, output, final).

    Set ``error_count``, and ``retried`` when the work is asked for again.
    """
    return Scope(k.VALIDATION, "", {"scope": scope, "attempt": attempt})


def iteration(number: int, *, max_iterations: int | None = None, feedback: str | None = None) -> Scope:
    """One iteration of a converging run, from 1; set ``success``, ``phase_timings`` (ms by phase), ``gate_results``."""
    return Scope(k.ITERATION, "", {"iteration": number, "max_iterations": max_iterations, "feedback": feedback})


def phase(name: str, *, iteration: int | None = None) -> Scope:
    """One phase of an iteration; set ``success``."""
    return Scope(k.PHASE, name, {"iteration": iteration})


def gate(name: str, *, iteration: int | None = None) -> Scope:
    """A gate is checked; set ``passed``."""
    return Scope(k.GATE, name, {"iteration": iteration})


def delivery() -> Scope:
    """The result is delivered; set ``success``, ``pr_url``, ``ci_status``."""
    return Scope(k.DELIVERY)


def handoff(from_agent: str, to_agent: str) -> Scope:
    """Work is handed from one agent to another, for as long as the block takes."""
    return Scope(k.HANDOFF, to_agent, {"from_agent": from_agent})


def decision(agent: str, decision_type: str) -> Scope:
    """An agent decides."""
    return Scope(k.DECISION, decision_type, {"agent": agent})


def context_refresh(agent: str) -> Scope:
    """An agent's context is refreshed; set ``items``, ``tokens`` and ``limit``."""
    return Scope(k.CONTEXT_REFRESH, "", {"agent": agent})


def state_save() -> Scope:
    """The orchestrator's state is saved; set ``size_bytes``."""
    return Scope(k.STATE_SAVE)


def state_load() -> Scope:
    """The orchestrator's state is loaded."""
    return Scope(k.STATE_LOAD)


@contextmanager
def log_context(**fields: object) -> Iterator[None]:
    """Add fields to the application's log lines written inside the block, in this task and what it starts."""
    before = log_fields()
    mine = {**(before or {}), **fields}
    set_log_fields(mine)
    try:
        yield
    finally:
        keep_context()
        if log_fields() is mine:  # a generator may be closed where something else is current
            set_log_fields(before)


def subscribe(
    listener: Callable[[Event], None],
    types: Iterable[str] | None = None,
    lifecycle: bool = False,  # noqa: FBT001, FBT002  # the contract's signature
) -> Callable[[], None]:
    """Have ``listener`` called with each event, in another thread; returns what ends it.

    ``types`` narrows to event types, ``lifecycle`` to the planner and policy families. A listener that raises is
    dropped; one that is slow misses the oldest events, which is counted.
    """
    return pipeline.ensure().hub.subscribe(listener, types=types, lifecycle=lifecycle)


def health() -> dict[str, object]:
    """Return how telemetry is doing: status, signals that are heard, patch points, dropped events, own errors."""
    return pipeline.ensure().health()


def observation() -> Observation:
    """Return what this process lets others see, the same for all who ask; it costs from the first call on."""
    from otel_agents.serve.observation import Observation

    pipe = pipeline.ensure()
    known = _shown.get(pipe)
    if known is None:
        page = pipe.page()
        known = Observation(pipe.hub, telemetry=pipe.health, page=page.text, mark=pipe.mark)
        _shown[pipe] = known
    return known


def asgi_app(*, token: str | None = None, hosts: Collection[str] = ()) -> Door:
    """Return the live endpoints as an ASGI app: mount it in a server of the program, before the work begins.

    ``token`` is what clients show, ``OTEL_AGENTS_TOKEN`` when not given; without one nothing but loopback is let in.
    ``hosts`` are the names by which clients call the server, beside loopback and its address.
    """
    from otel_agents.serve.app import create_app

    return create_app(observation(), token=token or pipeline.ensure().config.token, hosts=hosts)
