"""Policies: which apply, how often, and what is to be done."""

from __future__ import annotations

from typing import Any

from otel_agents.runtime.flex.envelope import Policy, read_envelope
from otel_agents.runtime.flex.policy import MAX_REPLANS, Policies, PolicyBook, Subject


def _policies(*policies: dict[str, Any]) -> tuple[Policy, ...]:
    return read_envelope({"objective": "x", "policies": {"runtime": list(policies)}}).policies.runtime


def _policy(policy_id: str, kind: str = "onNodeComplete", **more: Any) -> dict[str, Any]:
    action = more.pop("action", {"type": "emit", "message": "hello"})
    return {"id": policy_id, "trigger": {"kind": kind, **more}, "action": action}


class _Scene:
    def __init__(self, *policies: dict[str, Any]) -> None:
        self.book = PolicyBook(_policies(*policies))


NODE = Subject("draft-1", "draft", "agent", {"output": {"score": 42}})


def _matching(book: PolicyBook, subject: Subject = NODE, kind: Any = "onNodeComplete") -> list[str]:
    return [policy.id for policy in book.match(kind, subject).policies]


def test_trigger_selector_and_condition_all_have_to_fit() -> None:
    """In the order of the caller."""
    book = PolicyBook(
        _policies(
            _policy("all"),
            _policy("other", "onStart"),
            _policy("node", selector={"nodeId": "draft-1"}),
            _policy("not-node", selector={"nodeId": "draft-2"}),
            _policy("capability", selector={"capabilityId": "draft", "kind": "agent"}),
            _policy("not-kind", selector={"capabilityId": "draft", "kind": "tool"}),
            _policy("low", condition={"<": [{"var": "output.score"}, 50]}),
            _policy("high", condition={">": [{"var": "output.score"}, 50]}),
            _policy("never", condition=False),
        )
    )

    assert _matching(book) == ["all", "node", "capability", "low"]
    assert _matching(book, Subject(), "onStart") == ["other"]


def test_a_selector_of_nodes_fits_nothing_that_is_no_node() -> None:
    """The start of a run has no node."""
    assert (
        _matching(PolicyBook(_policies(_policy("p", "onStart", selector={"kind": "tool"}))), Subject(), "onStart") == []
    )


def test_a_condition_that_cannot_be_answered_does_not_hold_and_is_told() -> None:
    """The run goes on, and its reader hears why a policy kept silent."""
    book = PolicyBook(_policies(_policy("odd", condition={"/": [1, {"var": "output.none"}]}), _policy("fine")))
    matches = book.match("onNodeComplete", NODE)

    assert [policy.id for policy in matches.policies] == ["fine"]
    assert matches.complaints == ("The condition of policy odd cannot be answered: ZeroDivisionError",)


async def test_acting_is_counted_and_has_a_limit() -> None:
    """Matching counts nothing; acting does, up to what the policy says, by default once."""
    scene = _Scene(_policy("twice", action={"type": "hitl", "maxTimes": 2}), _policy("once", action={"type": "replan"}))
    policies = Policies()
    seen = []
    for _ in range(3):
        matching = scene.book.match("onNodeComplete", NODE).policies
        seen.append([(await policies.act(policy, "onNodeComplete", scene)).type for policy in matching])

    assert seen == [["hitl", "replan"], ["hitl"], []]
    assert dict(scene.book.fired) == {"twice": 2, "once": 1}


def test_counts_survive_in_a_store() -> None:
    """A run that goes on elsewhere does not begin to count again."""
    policies = _policies(_policy("once", action={"type": "replan"}))

    assert _matching(PolicyBook(policies, {"once": 1})) == []
    assert PolicyBook(policies, {"once": 1}).replans == 1


def test_a_run_has_a_limit_of_plans_whatever_policies_say() -> None:
    """Two policies that make plans for each other end."""
    policies = _policies(
        _policy("a", action={"type": "replan", "maxTimes": 100}),
        _policy("b", action={"type": "replan", "maxTimes": 100}),
    )

    assert _matching(PolicyBook(policies, {"a": 2, "b": 2})) == ["a", "b"]
    assert _matching(PolicyBook(policies, {"a": 3, "b": MAX_REPLANS - 3})) == []


def test_a_policy_is_found_by_its_id() -> None:
    """The manual trigger names it."""
    book = PolicyBook(_policies(_policy("p", "manual")))

    assert book.get("p") is book.policies[0]
    assert book.get("q") is None
