"""The caller's policies: which ones apply when something happens; must not know the engine that acts on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol

from otel_agents.runtime.flex.condition import Condition, ConditionError
from otel_agents.runtime.flex.envelope import Action, Policy, Selector, TriggerKind
from otel_agents.runtime.flex.plan import PlanNode

MAX_REPLANS: Final = 5
"""How often one run makes another plan, whatever its policies say."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a trigger is about.

    Attributes:
        node_id: The node, when it is about one; the same for the next two.
        capability_id: The node's capability.
        kind: The node's kind: agent, tool or step.
        data: What conditions see: `{run, node, output, validation, inputs, metadata}`, those that are known.
    """

    node_id: str | None = None
    capability_id: str | None = None
    kind: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


class Matches(NamedTuple):
    """The policies that apply, in the caller's order, and a sentence for each whose condition could not be answered."""

    policies: tuple[Policy, ...]
    complaints: tuple[str, ...]


class PolicyBook:
    """The policies of one run, and how often each was acted on.

    Attributes:
        fired: Policy id -> times; stored with the run, so that a restart does not begin to count again.
    """

    def __init__(self, policies: Iterable[Policy], fired: Mapping[str, int] | None = None) -> None:
        self.policies = tuple(policies)
        self.fired: Counter[str] = Counter(fired or {})
        self._conditions = {
            policy.id: Condition(policy.trigger.condition)
            for policy in self.policies
            if policy.trigger.condition is not None
        }

    def get(self, policy_id: str) -> Policy | None:
        """Return the policy of that id."""
        return next((policy for policy in self.policies if policy.id == policy_id), None)

    def match(self, kind: TriggerKind, subject: Subject, only: str | None = None) -> Matches:
        """Return what applies, of all policies or of one; nothing is counted by that."""
        policies, complaints = [], []
        for policy in self.policies:
            if policy.trigger.kind != kind or only not in (None, policy.id):
                continue
            if not _selects(policy.trigger.selector, subject) or not self.may(policy):
                continue
            try:
                if self._holds(policy, subject):
                    policies.append(policy)
            except ConditionError as error:
                complaints.append(f"The condition of policy {policy.id} cannot be answered: {error}")
        return Matches(tuple(policies), tuple(complaints))

    def _holds(self, policy: Policy, subject: Subject) -> bool:
        condition = self._conditions.get(policy.id)
        return condition is None or condition.holds(subject.data)

    def may(self, policy: Policy) -> bool:
        """Tell whether the policy was not acted on too often yet."""
        if policy.action.type == "replan" and self.replans >= MAX_REPLANS:
            return False
        return self.fired[policy.id] < policy.action.max_times

    @property
    def replans(self) -> int:
        """How often this run made another plan."""
        return sum(self.fired[policy.id] for policy in self.policies if policy.action.type == "replan")


def _selects(selector: Selector | None, subject: Subject) -> bool:
    if selector is None:
        return True
    pairs = (
        (selector.node_id, subject.node_id),
        (selector.capability_id, subject.capability_id),
        (selector.kind, subject.kind),
    )
    return all(wanted is None or wanted == found for wanted, found in pairs)


class Ruled(Protocol):
    """What has a book of policies: the scene of a run."""

    @property
    def book(self) -> PolicyBook:
        """The policies of the run."""
        ...


class Policies:
    """Acts on policies that match. One call is one decision, which an observer sees."""

    async def act(self, policy: Policy, trigger: TriggerKind, scene: Ruled, node: PlanNode | None = None) -> Action:
        """Count the policy as acted on, and return what is to be done about the run, or about a node."""
        scene.book.fired[policy.id] += 1
        return policy.action
