"""What the engine knows of the run that it walks through; must not know how that is stored or what comes next."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from otel_agents.runtime.flex.engine.story import Story
from otel_agents.runtime.flex.envelope import Action, Policy, TaskEnvelope, TriggerKind
from otel_agents.runtime.flex.hitl import Desk, Question
from otel_agents.runtime.flex.plan import PlanGraph, PlanNode
from otel_agents.runtime.flex.policy import PolicyBook
from otel_agents.runtime.flex.problem import FlexError
from otel_agents.runtime.flex.schema import Schema

# Executed: there is an output, and not everything that policies or humans say to it is done. Not executed again.
NodeStatus = Literal["pending", "running", "executed", "completed", "paused", "failed", "cancelled"]


@dataclass
class NodeState:
    """How far a node is.

    Attributes:
        attempts: How many began.
        feedback: What a human said that should be different.
        is_approved: Whether a human took its output as it is, be it valid or not.
    """

    status: NodeStatus = "pending"
    attempts: int = 0
    outputs: Mapping[str, Any] | None = None
    feedback: str | None = None
    is_approved: bool = False


@dataclass(frozen=True, slots=True)
class Ruling:
    """An action of a policy that is still to be carried out, because other nodes have to come to rest before."""

    policy: Policy
    action: Action
    node: PlanNode | None


@dataclass
class Scene:
    """One segment of a run.

    Attributes:
        envelope: The task, with what humans changed in it.
        is_fresh: Whether nothing was executed or asked in this run yet.
        nodes: Node id -> state; a node that is not there is pending.
        questions: The questions that this segment asked.
        rulings: What policies decided and the walk has not done yet.
        excused: Nodes that failed, while a policy said how to go on -> the error.
        manual: Policies to be triggered by hand.
        news: Set when there is something to look at.
        is_leaving: Whether no further node may start, since the process is about to end.
    """

    envelope: TaskEnvelope
    story: Story
    desk: Desk
    book: PolicyBook
    is_fresh: bool = True
    plan: PlanGraph | None = None
    nodes: dict[str, NodeState] = field(default_factory=dict)
    questions: dict[str, Question] = field(default_factory=dict)
    rulings: list[Ruling] = field(default_factory=list)
    excused: dict[str, Exception] = field(default_factory=dict)
    manual: deque[str] = field(default_factory=deque)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    is_leaving: bool = False

    @property
    def run_id(self) -> str:
        """The run."""
        return self.story.run_id

    @property
    def graph(self) -> PlanGraph:
        """The plan in force; while a walk goes on there is one."""
        if self.plan is None:
            raise FlexError("internal", "The run has no plan")
        return self.plan

    def state(self, node_id: str) -> NodeState:
        """Return the state of a node."""
        return self.nodes.setdefault(node_id, NodeState())

    @cached_property
    def answer_schema(self) -> Schema | None:
        """What the output must look like, compiled once."""
        contract = self.envelope.output_contract
        return Schema(contract.schema_) if contract else None

    @property
    def done(self) -> dict[str, Mapping[str, Any]]:
        """What the completed nodes gave: node id -> facet -> value."""
        return self.outputs("completed")

    def outputs(self, *statuses: NodeStatus) -> dict[str, Mapping[str, Any]]:
        """Return what nodes gave: node id -> facet -> value."""
        return {node_id: state.outputs or {} for node_id, state in self.nodes.items() if state.status in statuses}

    def has_policies(self, kind: TriggerKind) -> bool:
        """Whether the caller has policies for a trigger."""
        return any(policy.trigger.kind == kind for policy in self.book.policies)

    def is_asked(self, node_id: str) -> bool:
        """Whether this segment asked about a node."""
        return any(each.node_id == node_id for each in self.questions.values())

    @property
    def is_held(self) -> bool:
        """Whether nothing may start until a human answers: a question is about the run as a whole."""
        return any(each.node_id is None or each.origin == "pause" for each in self.questions.values())

    def note(self, message: str, node: PlanNode | None = None) -> None:
        """Say something in the stream. An observer sees it."""
        self.story.tell(self.story.frame("log", node, message=message))

    def leave(self) -> None:
        """Let no further node start."""
        self.is_leaving = True
        self.news.set()

    def fire(self, policy_id: str) -> None:
        """Trigger a policy by hand."""
        self.manual.append(policy_id)
        self.news.set()
