"""Plans: what is ready, what depends on what, what a node is given, and what is wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from otel_agents.runtime.flex.capabilities import Registry
from otel_agents.runtime.flex.diagnosis import diagnose
from otel_agents.runtime.flex.envelope import read_envelope
from otel_agents.runtime.flex.plan import ENVELOPE, PlanGraph, PlanNode, Source, bundle_for, plan_schema
from otel_agents.runtime.flex.schema import Schema
from tests.runtime.flex.documents import POST
from tests.runtime.flex.graphs import capability, node, plan, registry

DIAMOND = PlanGraph(1, (node("d", "b", "c"), node("a"), node("b", "a"), node("c", "a"), node("e")))


def _ids(nodes: tuple[PlanNode, ...]) -> list[str]:
    return [each.id for each in nodes]


def test_nodes_are_ready_when_what_they_depend_on_is_done() -> None:
    """Branches that do not depend on each other are ready together, in the order of the plan."""
    assert _ids(DIAMOND.ready(set())) == ["a", "e"]
    assert _ids(DIAMOND.ready({"a"})) == ["b", "c", "e"]
    assert _ids(DIAMOND.ready({"a", "b", "e"})) == ["c"]
    assert _ids(DIAMOND.ready({"a", "b", "c", "d", "e"})) == []


def test_order_descendants_and_sinks_follow_the_dependencies() -> None:
    """However the nodes are listed."""
    assert _ids(DIAMOND.order()) == ["a", "e", "b", "c", "d"]
    assert DIAMOND.descendants("a") == ("d", "b", "c")
    assert DIAMOND.descendants("d") == ()
    assert _ids(DIAMOND.sinks()) == ["d", "e"]


def test_a_node_is_found_by_id_or_capability() -> None:
    """A policy may name either."""
    graph = PlanGraph(1, (node("x-1", capability="x"), node("x-2", capability="x"), node("y")))

    assert _ids(graph.find("x-2")) == ["x-2"]
    assert _ids(graph.find("x")) == ["x-1", "x-2"]
    assert graph.find("z") == ()
    with pytest.raises(KeyError):
        graph.node("z")


async def test_a_plan_comes_back_from_plain_json() -> None:
    """What is stored is the plan, and the published schema describes it."""
    graph = await plan(POST)
    stored = json.loads(json.dumps(graph.as_dict()))

    assert PlanGraph.from_dict(stored) == graph
    assert Schema(plan_schema()).details(stored) == ()
    assert graph.summary()[:2] == [
        {"id": "research", "capabilityId": "research", "label": "Research"},
        {"id": "draft_post-1", "capabilityId": "draft_post", "label": "Draft 1"},
    ]


def test_a_bundle_holds_what_the_sources_gave() -> None:
    """From the envelope, from one node, and gathered from several in order."""
    envelope = read_envelope({"objective": "x", "inputs": {"a": 1}, "specialInstructions": ["short"]})
    taken = node(
        "review",
        inputs={
            "inputs": (Source(ENVELOPE, "inputs"),),
            "research": (Source("one", "research"),),
            "drafts": (Source("b", "draft"), Source("a", "draft")),
        },
        parameters={"variant": {"number": 2, "of": 3}},
        provenance={"input": []},
    )
    bundle = bundle_for(taken, envelope, {"one": {"research": "R"}, "a": {"draft": "A"}, "b": {"draft": "B"}})

    assert bundle.facets == {
        "variant": {"number": 2, "of": 3},
        "inputs": {"a": 1},
        "research": "R",
        "drafts": ["B", "A"],
    }
    assert (bundle.objective, bundle.instructions, bundle.provenance) == ("x", ("short",), {"input": []})
    alone = replace(taken, inputs={"drafts": (Source("a", "draft"),)})
    assert bundle_for(alone, envelope, {"a": {"draft": "A"}}).facets["drafts"] == ["A"]
    with pytest.raises(KeyError):
        bundle_for(taken, envelope, {})


def _small() -> Registry:
    return registry(
        capability("a", ("objective",), ("left",)),
        capability("b", ("left",), ("structured_output",), optional_input=("right",)),
        facets=("left", "right"),
    )


A = node("a", output=("left",), inputs={"objective": (Source(ENVELOPE, "objective"),)})
B = node("b", "a", output=("structured_output",), inputs={"left": (Source("a", "left"),)})
CONTRACT = {"outputContract": {"mode": "json_schema", "schema": {}}}


@pytest.mark.parametrize(
    ("nodes", "envelope", "found"),
    [
        ((A, B), CONTRACT, []),
        ((), {}, [("empty_plan", "")]),
        ((A, B, A), {}, [("duplicate_node", "a")]),
        ((A, B), {"policies": {"planner": {"maxNodes": 1}}}, [("too_many_nodes", "")]),
        ((A, B), {"policies": {"planner": {"forbid": ["b"]}}}, [("forbidden_capability", "b")]),
        (
            (A,),
            {"policies": {"planner": {"require": ["b", "z"]}}},
            [("required_capability", ""), ("unknown_capability", "")],
        ),
        ((A, replace(B, capability="z")), {}, [("unknown_capability", "b")]),
        ((A, replace(B, depends_on=("a", "q"))), {}, [("unknown_node", "b")]),
        ((A, replace(B, inputs={})), {}, [("missing_facet", "b")]),
        ((A, replace(B, depends_on=())), {}, [("missing_facet", "b")]),
        ((A, replace(B, inputs={"left": (Source("a", "right"),)})), {}, [("missing_facet", "b")] * 2),
        ((A, replace(B, inputs={"left": ()})), {}, [("missing_facet", "b")]),
        (
            (A, replace(B, inputs={**B.inputs, "objective": (Source(ENVELOPE, "objective"),)})),
            {},
            [("missing_facet", "b")],
        ),
        ((A, replace(B, output=("left",))), {}, [("missing_facet", "b")]),
        ((replace(A, depends_on=("b",)), B), {}, [("cycle", "a"), ("cycle", "b")]),
        ((A,), CONTRACT, [("unreachable_output", "")]),
        ((A, B, replace(B, id="c")), CONTRACT, [("unreachable_output", "c")]),
    ],
)
def test_what_is_wrong_with_a_plan_is_told(nodes: Any, envelope: dict[str, Any], found: list[Any]) -> None:
    """Each fault has a code and the node that it is about."""
    diagnostics = diagnose(PlanGraph(1, nodes), _small(), read_envelope({"objective": "x", **envelope}))

    assert sorted((each.code, each.node_id) for each in diagnostics) == sorted(found)
    assert all(each.message for each in diagnostics)
