"""Flex: runs, plans, nodes, policies, validations and questions of the runtime that comes along; must not know signals.

It is treated like anybody's orchestrator: nothing of it is imported, and it does not know that it is watched.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from otel_agents import guard, questions
from otel_agents.content import type_name
from otel_agents.lineage import current_open
from otel_agents.operation import CANCELLED, OK, PAUSED, Identity, Operation
from otel_agents.patching.table import Adapter, Call, Patch, Start
from otel_agents.recorder import RECORDER
from otel_agents.semconv import agents as a
from otel_agents.semconv import events as e
from otel_agents.semconv import kinds as k
from otel_agents.semconv.gen_ai import ERROR_TYPE

RUNTIME: Final = "flex"
PLACE: Final = "otel_agents.runtime.flex"
OUTCOMES: Final[Mapping[str, str]] = {"completed": OK, "cancelled": CANCELLED, "awaiting_hitl": PAUSED}
GIVEN_BACK: Final = "given_back"  # the reason of a segment that ended here so that another process goes on
MS: Final = 1000


# Runs


def before_run(call: Call) -> Start:
    """A segment of a run starts; one that goes on after a pause links to what asked."""
    segment = call.argument("segment")
    identity = Identity(RUNTIME, segment.run_id, segment.correlation_id, plan_version=segment.plan_version)
    values: dict[str, object] = {a.FLEX_RUN_GOAL: segment.envelope.objective}
    if not segment.resumed:
        return Start(segment.name, values, identity=identity)
    waiting = guard.run("pauses.find", RECORDER.pauses.find, _key(segment.run_id)) or ()
    links = tuple({pause.traceparent: None for pause in waiting if pause.traceparent})
    return Start(segment.name, {**values, a.FLEX_RUN_RESUMED: True}, identity=identity, links=links)


def after_run(run: Operation, call: Call, ending: Any) -> str:
    """A segment ended; what it failed of is no exception any more here."""
    if ending.reason:
        run.put(a.FLEX_RUN_REASON, ending.reason)
    if ending.status == "failed":
        RECORDER.end(run, ending.cause or ending.error)
    if ending.status != "awaiting_hitl" and call.argument("segment").resumed:
        questions.forget(_key(run.run.id))
    return OUTCOMES.get(ending.status, "")


def failed_run(run: Operation, call: Call, error: BaseException) -> str:
    """Another process goes on, or will: this one stops, or lost the run or the store."""
    run.put(a.FLEX_RUN_REASON, GIVEN_BACK)
    return CANCELLED


def before_cancel(call: Call) -> None:
    """Somebody wants the run to stop."""
    RECORDER.fact(e.CANCEL_REQUESTED, {a.FLEX_CANCEL_SOURCE: call.argument("source")})


def before_obeyed(call: Call) -> None:
    """The run has stopped."""
    values = {a.FLEX_CANCEL_SOURCE: call.argument("source"), a.FLEX_CANCEL_LATENCY_MS: call.argument("latency_ms")}
    RECORDER.fact(e.CANCEL_ACKNOWLEDGED, values)


def before_note(call: Call) -> None:
    """The run says something; policies of the caller may have worded it, so it is content."""
    message = {a.FLEX_MESSAGE: call.argument("message")} if RECORDER.capture.on else {}
    RECORDER.fact(e.LOG, {**_of(call.argument("node")), **message})


# Plans


def before_plan(call: Call) -> Start:
    """A planner makes an attempt."""
    request = call.argument("request")
    return Start("", {a.FLEX_PLAN_PHASE: request.phase, a.FLEX_PLAN_ATTEMPT: request.attempt})


def after_plan(plan: Operation, call: Call, graph: Any) -> None:
    """The plan is accepted; on replan it takes the place of another."""
    request = call.argument("request")
    values: dict[str, object] = {
        a.FLEX_PLAN_VERSION: graph.version,
        a.FLEX_PLAN_NODE_COUNT: len(graph.nodes),
        a.FLEX_PLAN_NODES: graph.summary(),
    }
    if request.phase == "replan":
        values |= {a.FLEX_PLAN_PREVIOUS_VERSION: request.previous.version, a.FLEX_PLAN_TRIGGER: request.trigger}
    RECORDER.set(plan, values)


def failed_plan(plan: Operation, call: Call, error: Any) -> str | None:
    """A plan that is no good is an answer, and no error of the planner."""
    diagnostics = getattr(error, "diagnostics", None)
    if diagnostics is None:
        return None
    codes = list(dict.fromkeys(each.code for each in diagnostics))
    RECORDER.set(plan, {a.FLEX_PLAN_DIAGNOSTIC_COUNT: len(diagnostics), a.FLEX_PLAN_CODES: codes})
    return OK


# Nodes


def before_node(call: Call) -> Start:
    """A node is executed, with all its attempts."""
    node = call.argument("node")
    values: dict[str, object] = {
        **_of(node),
        a.FLEX_NODE_KIND: node.kind,
        a.FLEX_NODE_LABEL: node.label,
        a.FLEX_NODE_ATTEMPT: 1,
        a.FLEX_FACET_INPUT: _facets(node.provenance, "input"),
        a.FLEX_FACET_OUTPUT: _facets(node.provenance, "output"),
    }
    return Start(node.capability, values)


def after_node(node: Operation, call: Call, result: Any) -> None:
    """The node gave its outputs."""
    node.put(a.FLEX_NODE_ATTEMPT, result.attempts)


def before_attempt_failed(call: Call) -> None:
    """An attempt failed: told here when there is another, else by the end of the node."""
    inside, attempt = current_open(), call.argument("attempt")
    node = inside.node if inside is not None else None
    if node is None:
        return
    is_last = not call.argument("retried")
    node.put(a.FLEX_NODE_ATTEMPT, attempt if is_last else attempt + 1)
    if not is_last:
        error = call.argument("error")
        values = {a.FLEX_NODE_ATTEMPT: attempt, ERROR_TYPE: type_name(error)}
        message = guard.run("recorder.message", str, error) if RECORDER.capture.events else None
        RECORDER.fact(e.NODE_ERROR, {**values, a.FLEX_ERROR_MESSAGE: message})
        RECORDER.fact(e.NODE_RETRY, values)


# Policies, validations


def before_policy(call: Call) -> Start:
    """A policy that applies is acted on: about a node, or about the run."""
    values = {**_of(call.argument("node")), a.FLEX_POLICY_TRIGGER: call.argument("trigger")}
    return Start(call.argument("policy").id, values)


def after_policy(policy: Operation, call: Call, action: Any) -> None:
    """What is done about it."""
    policy.put(a.FLEX_POLICY_ACTION, action.type)


def before_validation(call: Call) -> Start:
    """A value is held against a schema."""
    attempt = call.argument("attempt", 1)
    return Start("", {a.FLEX_VALIDATION_SCOPE: call.argument("scope"), a.FLEX_VALIDATION_ATTEMPT: attempt})


def after_validation(validation: Operation, call: Call, details: Any) -> None:
    """What is wrong with it, as a number."""
    validation.put(a.FLEX_VALIDATION_ERROR_COUNT, len(details))
    if details and call.argument("retried"):
        validation.put(a.FLEX_VALIDATION_RETRIED, True)


# Questions


def before_ask(call: Call) -> None:
    """A human is asked."""
    question, inside = call.argument("question"), current_open()
    if inside is not None:
        node_id = question.node_id or ""
        key, origin, about = _key(question.run_id), question.origin, _about(question)
        questions.ask(inside, key, question.id, origin=origin, node_id=node_id, about=about)


def before_settle(call: Call) -> None:
    """The run acts on what a human answered."""
    question, answer = call.argument("question"), call.argument("answer")
    wait_ms = max((answer.at or question.asked_at) - question.asked_at, 0.0) * MS
    key, about = _key(question.run_id), _about(question)
    questions.answer(key, question.id, answer.decision, wait_ms=round(wait_ms, 3), about=about)


def _about(question: Any) -> dict[str, object]:
    return {
        a.FLEX_NODE_ID: question.node_id,
        a.FLEX_CAPABILITY_ID: question.capability_id,
        a.FLEX_FACET_PROVENANCE: question.provenance,
    }


def _of(node: Any) -> dict[str, object]:
    """Return what facts say of the node that they are about."""
    if node is None:
        return {}
    return {
        a.FLEX_NODE_ID: node.id,
        a.FLEX_CAPABILITY_ID: node.capability,
        a.FLEX_FACET_PROVENANCE: node.provenance,
    }


def _key(run_id: str) -> str:
    return f"{RUNTIME}:{run_id}"


def _facets(provenance: Mapping[str, Any], side: str) -> list[str]:
    return [entry["facet"] for entry in provenance.get(side, ())]


PATCHES: Final = (
    Patch(
        f"{PLACE}.coordinator.coordinator:Coordinator.execute",
        k.RUN,
        "One call is one segment of a run, from its first frame to its last.",
        before=before_run,
        after=after_run,
        failed=failed_run,
    ),
    Patch(
        f"{PLACE}.coordinator.coordinator:Coordinator.cancel_asked",
        why="Called once inside the run when somebody wants it to stop.",
        before=before_cancel,
    ),
    Patch(
        f"{PLACE}.coordinator.coordinator:Coordinator.cancel_obeyed",
        why="Called once inside the run when nothing of it runs any more.",
        before=before_obeyed,
    ),
    Patch(
        f"{PLACE}.planner:Planner.plan",
        k.PLAN,
        "One call is one attempt at a plan, accepted or rejected.",
        before=before_plan,
        after=after_plan,
        failed=failed_plan,
    ),
    Patch(
        f"{PLACE}.engine.engine:Engine.run_node",
        k.NODE,
        "One call is one node with all its attempts.",
        before=before_node,
        after=after_node,
        paused=(f"{PLACE}.engine.endings:NodePaused",),
    ),
    Patch(
        f"{PLACE}.engine.engine:Engine.attempt_failed",
        why="Told of every attempt that failed, and whether there is another: nothing else tells attempts apart.",
        before=before_attempt_failed,
    ),
    Patch(
        f"{PLACE}.engine.scene:Scene.note",
        why="Says what a run has to say for people.",
        before=before_note,
    ),
    Patch(
        f"{PLACE}.policy:Policies.act",
        k.POLICY,
        "Called for each policy that applies, with what is then done.",
        before=before_policy,
        after=after_policy,
    ),
    Patch(
        f"{PLACE}.validation:Validator.validate",
        k.VALIDATION,
        "Everything that is validated goes through it: inputs, outputs, the final answer.",
        before=before_validation,
        after=after_validation,
    ),
    Patch(
        f"{PLACE}.hitl:Desk.ask",
        why="Every question to a human goes over this desk.",
        before=before_ask,
    ),
    Patch(
        f"{PLACE}.hitl:Desk.settle",
        why="Called once for each answer, inside the segment that acts on it.",
        before=before_settle,
    ),
)

ADAPTER: Final = Adapter(
    name="flex",
    runtime=RUNTIME,
    distribution="otel-agents",
    tested=("0.1", "0.1"),
    patches=PATCHES,
)
