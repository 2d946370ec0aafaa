"""Planning: what is proposed, what is rejected, what stays on another plan."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from otel_agents.runtime.flex.capabilities import ANY, Registry
from otel_agents.runtime.flex.capabilities.shipped import shipped
from otel_agents.runtime.flex.plan import PlanGraph
from otel_agents.runtime.flex.planner import Planner, PlanRejected, PlanRequest
from tests.runtime.flex.documents import POST
from tests.runtime.flex.graphs import capability, node, plan, registry, request

VARIANTS = ["draft_post-1", "draft_post-2", "draft_post-3"]


def _ids(graph: PlanGraph) -> list[str]:
    return [each.id for each in graph.nodes]


async def test_variants_of_a_post_are_drafted_in_parallel_between_research_and_review() -> None:
    """Research, drafts beside each other, review, and a node that arranges the answer to the contract."""
    graph = await plan(POST)

    assert {each.id: each.depends_on for each in graph.nodes} == {
        "research": (),
        **dict.fromkeys(VARIANTS, ("research",)),
        "review_posts": ("research", *VARIANTS),
        "structure_output": ("research", *VARIANTS, "review_posts"),
    }
    assert [graph.node(each).parameters for each in VARIANTS] == [
        {"variant": {"number": number, "of": 3}} for number in (1, 2, 3)
    ]
    assert graph.version == 1
    assert graph.node("review_posts").provenance["input"][1] == {
        "facet": "drafts",
        "title": "Drafts",
        "direction": "input",
        "pointer": "/drafts",
    }


async def test_without_a_contract_one_post_is_composed() -> None:
    """Nothing is arranged, since nobody said how."""
    assert _ids(await plan({})) == ["research", *VARIANTS, "review_posts", "compose_post"]


def _list(**limits: int) -> dict[str, Any]:
    schema = {"type": "object", "properties": {"posts": {"type": "array", "items": {"type": "object"}, **limits}}}
    return {"outputContract": {"mode": "json_schema", "schema": schema}}


@pytest.mark.parametrize(
    ("envelope", "count"),
    [
        ({}, 3),
        ({"policies": {"planner": {"variants": 5}}, "inputs": {"variants": 2}}, 5),
        ({"inputs": {"variants": 2}, "constraints": {"variants": 4}}, 2),
        ({"constraints": {"variants": 4}}, 4),
        ({"inputs": {"variants": True}}, 3),
        ({"inputs": {"variants": 1000}}, 10),
        (_list(minItems=6), 6),
        (_list(maxItems=2), 2),
        (_list(), 3),
    ],
)
async def test_the_caller_decides_how_many_variants_there_are(envelope: dict[str, Any], count: int) -> None:
    """A policy says it, else inputs, constraints or the contract, and never more than ten."""
    graph = await plan(envelope)

    assert sum(each.capability == "draft_post" for each in graph.nodes) == count


async def test_the_same_request_gives_the_same_plan() -> None:
    """Nothing in it is by chance."""
    assert await plan(POST) == await plan(POST)


async def test_what_was_added_last_is_taken_first() -> None:
    """One's own capability replaces the one that came along, unless it is forbidden or just failed."""
    own = shipped().add(capability("my_research", ("objective",), ("research",)))

    assert _ids(await plan({}, own))[0] == "my_research"
    assert _ids(await plan({"policies": {"planner": {"forbid": ["my_research"]}}}, own))[0] == "research"
    assert _ids(await plan({"policies": {"planner": {"require": ["research"]}}}, own))[0] == "research"
    assert _ids(await plan({}, own, failed=("my_research",)))[0] == "research"


async def test_a_required_capability_leads_the_plan_elsewhere() -> None:
    """The default work is left out when the caller is after something else; the contract is still answered."""
    own = registry(*shipped(), capability("weather", ("inputs",), ("forecast",)), facets=("forecast",))
    graph = await plan({**_list(), "policies": {"planner": {"require": ["weather"]}}}, own)

    assert {each.id: each.depends_on for each in graph.nodes} == {"weather": (), "structure_output": ("weather",)}


async def test_a_registry_of_ones_own_needs_nothing_that_came_along() -> None:
    """What nobody else needs is what is wanted."""
    own = registry(
        capability("fetch", ("inputs",), ("rows",)),
        capability("count", ("rows",), ("total",)),
        capability("draw", ("rows",), ("chart",), optional_input=("total",)),
        facets=("rows", "total", "chart"),
    )
    graph = await plan({}, own)

    assert {each.id: each.depends_on for each in graph.nodes} == {
        "fetch": (),
        "count": ("fetch",),
        "draw": ("fetch", "count"),
    }


async def test_a_way_that_leads_nowhere_is_left_for_another() -> None:
    """The provider that was added last needs what it would itself be needed for."""
    own = registry(
        capability("plain", ("inputs",), ("left",)),
        capability("right", ("left",), ("right",)),
        capability("round", ("right",), ("left",)),
        capability("end", ("left", "right"), ("goal",), optional_input=(ANY,)),
        facets=("left", "right", "goal"),
    )
    graph = await plan({}, own)

    assert "end" in _ids(graph)
    assert len(graph.order()) == len(graph.nodes)


async def _rejected(envelope: dict[str, Any], registry: Registry, **more: Any) -> PlanRejected:
    with pytest.raises(PlanRejected) as caught:
        await plan(envelope, registry, **more)
    return caught.value


async def test_a_plan_that_lacks_something_is_rejected_with_the_reason() -> None:
    """The plan is proposed as far as it goes, and the diagnosis says what is missing."""
    own = registry(capability("b", ("left",), ("goal",)), facets=("left", "goal"))
    rejected = await _rejected({}, own, attempt=2)

    assert [(each.code, each.node_id, each.message) for each in rejected.diagnostics] == [
        ("missing_facet", "b", "nothing gives the facet left")
    ]
    assert (rejected.attempt, rejected.code, rejected.status) == (2, "plan_rejected", 422)
    assert pickle.loads(pickle.dumps(rejected)).diagnostics == rejected.diagnostics


async def test_a_contract_without_a_capability_that_answers_it_is_rejected() -> None:
    """Nobody gives `structured_output`."""
    own = registry(capability("a", ("objective",), ("left",)), facets=("left",))

    assert [each.code for each in (await _rejected(_list(), own)).diagnostics] == ["unreachable_output"]


async def test_required_and_forbidden_at_once_is_rejected() -> None:
    """What the caller wants cannot be."""
    both = {"policies": {"planner": {"require": ["research"], "forbid": ["research"]}}}

    assert "forbidden_capability" in {each.code for each in (await _rejected(both, shipped())).diagnostics}


async def test_a_plan_with_too_many_nodes_is_smaller_in_the_next_attempt() -> None:
    """The diagnostics of one attempt lead the next."""
    limited = {"policies": {"planner": {"variants": 8, "maxNodes": 6}}}
    first = await _rejected(limited, shipped())
    second = await _rejected(limited, shipped(), attempt=2, diagnostics=first.diagnostics)
    graph = await plan(limited, attempt=3, diagnostics=second.diagnostics)

    assert [each.code for each in first.diagnostics] == ["too_many_nodes"]
    assert len(graph.nodes) == 5


async def test_another_plan_keeps_what_is_done() -> None:
    """Nodes that are complete stay as they were, under a new version."""
    first = await plan({})
    done: dict[str, dict[str, Any]] = {"research": {"research": {}}, "draft_post-1": {"draft": {}}}
    own = shipped().add(capability("my_review", ("drafts",), ("review",)))
    envelope = {"policies": {"planner": {"variants": 2}}}
    second = await plan(envelope, own, phase="replan", previous=first, done=done, trigger="p")

    assert second.version == 2
    assert second.node("research") is first.node("research")
    assert second.node("draft_post-1") is first.node("draft_post-1")
    assert _ids(second) == ["research", "draft_post-1", "draft_post-2", "my_review", "compose_post"]


async def test_a_run_that_goes_on_has_the_plan_that_it_had() -> None:
    """Nothing is proposed again, but the plan is looked at: capabilities may be gone by then."""
    first = await plan({})
    same = await plan({}, phase="resume", previous=first)

    assert same is first
    rejected = await _rejected({}, registry(), phase="resume", previous=first)
    assert {each.code for each in rejected.diagnostics} == {"unknown_capability"}


async def test_plans_of_others_are_diagnosed_all_the_same() -> None:
    """A proposer may be a model, which makes things up."""

    class Dreamer:
        async def propose(self, request: PlanRequest, registry: Registry) -> PlanGraph:
            return PlanGraph(77, (node("unicorn"),))

    with pytest.raises(PlanRejected) as caught:
        await Planner(shipped(), Dreamer()).plan(request({}))
    assert [each.code for each in caught.value.diagnostics] == ["unknown_capability"]
