"""The gateway that comes along: its runs, agents, trigger rules and cancels; must not know signals.

Nothing of the runtime is imported: it is watched like anybody else's.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from otel_agents import cancels
from otel_agents.lineage import current_in
from otel_agents.operation import CANCELLED, OK, Identity, Operation
from otel_agents.patching.table import Adapter, Call, Patch, Start
from otel_agents.recorder import RECORDER
from otel_agents.semconv import agents as a
from otel_agents.semconv import events as e
from otel_agents.semconv import kinds as k

RUNTIME: Final = "gateway"
GATEWAY: Final = "otel_agents.runtime.gateway.gateway:Gateway"
RULES: Final = "otel_agents.runtime.gateway.rules:Rules"
RUN: Final = "otel_agents.runtime.gateway.run:Run"
OUTCOMES: Final[Mapping[str, str]] = MappingProxyType({"completed": OK, "cancelled": CANCELLED})


# Runs and agents


def before_run(call: Call) -> Start:
    """A run was accepted."""
    run = call.argument("run")
    session = run.session
    identity = Identity(RUNTIME, run.id, run.correlation_id, session_id=session.key, channel=session.channel)
    return Start(call.self.name, identity=identity)


def run_started(operation: Operation, call: Call) -> None:
    """Tell the rule that the run comes from, and whether somebody asked it to stop before it could begin."""
    run = call.argument("run")
    if run.match is not None:
        values = {
            a.FLEX_REACTION_RULE: run.match.rule.name,
            a.FLEX_REACTION_SENDER: run.match.sender,
            a.FLEX_REACTION_FILTER_SUMMARY: run.match.rule.summary,
        }
        RECORDER.fact(e.REACTION_MATCHED, values, operation=operation)
    if run.cancellation.is_requested:
        cancels.wish_of(operation, run.cancellation.source)


def after_run(operation: Operation, call: Call, run: Any) -> str:
    """A run is over: it was answered, or it obeyed."""
    if run.status == CANCELLED:
        RECORDER.set(operation, {a.FLEX_RUN_REASON: f"cancelled by {run.cancellation.source}"})
    return OUTCOMES[run.status]


def before_agent(call: Call) -> Start | None:
    """An agent is asked."""
    agent = call.argument("run").agent
    if current_in(RUNTIME) is None:
        return None
    return Start(agent, {a.FLEX_NODE_ID: agent, a.FLEX_NODE_KIND: "agent", a.FLEX_NODE_LABEL: agent})


# Rules


def after_rules(_: None, call: Call, result: object) -> None:
    """There are rules: what may come of them is counted from zero on, on the channels that they name."""
    rules = call.self.rules
    for channel in sorted({channel for rule in rules for channel in rule.channels}):
        identity = Identity(RUNTIME, channel=channel)
        for rule in rules:
            if rule.concerns(channel):
                RECORDER.expect(e.REACTION_MATCHED, {a.FLEX_REACTION_RULE: rule.name}, identity)
        for reason in call.self.reasons:
            RECORDER.expect(e.REACTION_SKIPPED, {a.FLEX_REACTION_REASON: reason}, identity)


def after_match(_: None, call: Call, found: Any) -> None:
    """The rules were asked. A match is told by the run that it starts; a message that starts none has no run."""
    reason = getattr(found, "reason", None)
    if reason is not None:
        session = call.argument("session")
        identity = Identity(RUNTIME, session_id=session.key, channel=session.channel)
        values = {a.FLEX_REACTION_REASON: reason, a.FLEX_REACTION_CANDIDATE_COUNT: found.candidates}
        RECORDER.fact(e.REACTION_SKIPPED, values, identity=identity)


# Cancels


def before_cancel(call: Call) -> None:
    """Somebody asks a run to stop; told before the run can obey. One that has not begun is told when it does."""
    run = call.self
    if not run.cancellation.is_requested:
        cancels.wish(RUNTIME, run.id, call.argument("source"))


def after_acknowledge(_: None, call: Call, latency_s: float) -> None:
    """A run obeyed."""
    cancels.obeyed(RUNTIME, call.self.cancellation.source, latency_s)


PATCHES: Final = (
    Patch(
        f"{GATEWAY}.execute",
        k.RUN,
        "One call is one run, from a channel or from the gateway itself, with its wait for its turn.",
        before=before_run,
        started=run_started,
        after=after_run,
    ),
    Patch(
        f"{GATEWAY}.invoke",
        k.NODE,
        "One call is one agent being asked.",
        before=before_agent,
    ),
    Patch(
        f"{RULES}.__init__",
        why="Rules and their channels are known from here on, and with them what is counted from zero.",
        after=after_rules,
    ),
    Patch(
        f"{RULES}.match",
        why="Called once for each message; what it returns says which rule fits, or why none does.",
        after=after_match,
    ),
    Patch(f"{RUN}.cancel", why="Called by whoever wants a run to stop, in any thread.", before=before_cancel),
    Patch(
        f"{RUN}.acknowledge",
        why="Called when a run has stopped; knows how long that took.",
        after=after_acknowledge,
    ),
)

ADAPTER: Final = Adapter(
    name="gateway",
    runtime=RUNTIME,
    distribution="otel-agents",
    tested=("0.1", "0.1"),
    patches=PATCHES,
)
