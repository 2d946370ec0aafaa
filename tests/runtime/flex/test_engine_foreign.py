"""Work of others that is careless, slow or hostile: it harms itself, not those beside it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest

from otel_agents.runtime.flex.capabilities import Registry, Task
from otel_agents.runtime.flex.plan import PlanGraph, PlanNode
from otel_agents.runtime.flex.planner import Planner, PlanRequest
from otel_agents.runtime.flex.schema import Schema
from otel_agents.runtime.flex.validation import Validator
from tests.runtime.flex.house import as_told, kinds, policies, policy, run


async def _gone(task: Task) -> Any:
    raise ConnectionError


@pytest.mark.parametrize(
    ("constraints", "attempts", "expected"), [({}, None, 2), ({}, 4, 4), ({"maxAttempts": 5}, 4, 5)]
)
async def test_how_often_a_node_is_tried(house, flex_store, constraints, attempts, expected) -> None:
    """The envelope says so, else the capability, else the settings."""
    house.works["dig"], house.special["dig"] = _gone, {"attempts": attempts}
    async with house.coordinator(flex_store, max_attempts=2) as coordinator:
        await run(coordinator, constraints=constraints)

    assert house.calls["dig"] == expected


async def test_what_work_does_to_its_input_changes_nothing(house, flex_store) -> None:
    """Each attempt at each node has an input of its own, so that neither siblings nor retries see changes to it."""
    seen: list[dict[str, Any]] = []

    async def spoil(task: Task) -> dict[str, Any]:
        facets: Any = task.bundle.facets
        seen.append({**facets["inputs"], "tags": list(facets["inputs"]["tags"])})
        facets["inputs"]["tags"].append("spoiled")
        if task.attempt == 1:
            raise ConnectionError
        return {"ore": "x"}

    house.works["dig"], house.special["dig"] = spoil, {"input": ("objective", "inputs")}
    async with house.coordinator(flex_store) as coordinator:
        frames = await run(coordinator, inputs={"tags": ["clean"]})

    assert frames[-1].status == "completed"
    assert seen == [{"tags": ["clean"]}] * 2


async def test_what_work_does_to_its_output_later_changes_nothing(house, coordinator) -> None:
    """An output is taken as it was when it was given."""
    kept: dict[str, Any] = {"ore": "iron"}

    async def dig(task: Task) -> dict[str, Any]:
        return kept

    async def melt(task: Task) -> dict[str, Any]:
        kept["ore"] = "gold"
        return {"metal": str(task.bundle.facets["ore"])}

    async def wash(task: Task) -> dict[str, Any]:
        return {"stone": str(task.bundle.facets["ore"])}

    house.works |= {"dig": dig, "melt": melt, "wash": wash}
    frames = await run(coordinator, constraints={"concurrency": 1})

    outputs = {frame.node_id: frame.payload["output"] for frame in frames if frame.type == "node_complete"}
    assert (outputs["dig"], outputs["melt"], outputs["wash"]) == ({"ore": "iron"}, {"metal": "iron"}, {"stone": "iron"})


async def test_a_mapping_of_any_kind_is_an_output(house, coordinator) -> None:
    """A mapping that is no dict is the same JSON."""

    async def dig(task: Task) -> Mapping[str, Any]:
        return MappingProxyType({"ore": "iron"})

    house.works["dig"] = dig
    frames = await run(coordinator)

    assert (kinds(frames)["validation_error"], frames[-1].status) == (0, "completed")


class Watched(dict[str, Any]):
    """A value that notes which thread looks into it."""

    threads: set[int]

    def __contains__(self, key: object) -> bool:
        self.threads.add(threading.get_ident())
        return super().__contains__(key)


async def test_values_are_held_against_schemas_beside_the_loop() -> None:
    """A validation may take its time without holding up other runs."""
    value = Watched()
    value.threads = set()
    details = await Validator().validate("final", Schema({"required": ["a"]}), value)

    assert [detail.message for detail in details] == ['lacks ["a"]']
    assert value.threads
    assert threading.get_ident() not in value.threads


async def test_a_policy_acts_no_more_often_than_it_may_when_nodes_fail_at_once(house, coordinator) -> None:
    """Of two nodes that time out at the same moment one sets the policy off, which may act once."""
    both = asyncio.Barrier(2)

    async def late(task: Task) -> dict[str, Any]:
        if task.attempt == 1:
            await both.wait()
        await asyncio.Event().wait()
        return await as_told(task)

    house.works |= {"melt": late, "wash": late}
    slow = {"constraints": {"nodeTimeoutSeconds": 0.05, "maxAttempts": 1}}
    big = {"inputs": {"list": list(range(5000))}}
    condition = {"in": [4999, {"var": "inputs.list"}]}
    rule = policy("say", "onTimeout", "emit", message="late", maxTimes=1, condition=condition)
    frames = await run(coordinator, **policies(rule), **slow, **big)

    assert kinds(frames)["policy_triggered"] == 1


class _Unprintable(Exception):
    def __str__(self) -> str:
        raise ValueError("c4n4ry")


class _Coded(Exception):
    """An error whose code is none of ours, and nothing that could be looked up."""

    code: Any = ({},)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (_Unprintable(), "_Unprintable: <exception str() failed>"),
        (ValueError("x" * 5_000_000), f"ValueError: {'x' * 488}"),
        (KeyError("tea"), "KeyError: 'tea'"),
        (_Coded("no"), "_Coded: no"),
    ],
    ids=["unprintable", "long", "plain", "coded"],
)
async def test_an_error_of_any_kind_is_told(house, coordinator, error, said) -> None:
    """Its name and words end the run, as far as there are words, and at most 500 characters of them."""

    async def fail(task: Task) -> Any:
        raise error

    house.works["dig"] = fail
    frames = await run(coordinator, constraints={"maxAttempts": 1})

    assert frames[-1].payload["error"] == {"code": "node_failed", "message": said, "details": []}
    assert (kinds(frames)["node_error"], kinds(frames)["node_complete"]) == (1, 1)


class _Careless:
    """A proposer whose plan holds what JSON has not."""

    async def propose(self, request: PlanRequest, registry: Registry) -> PlanGraph:
        node = PlanNode(
            id="a", capability="dig", label="A", kind="step", parameters={"objective": {1}}, output=("ore",)
        )
        return PlanGraph(1, (node,))


async def test_a_plan_that_cannot_be_stored_ends_the_run(house, flex_store, caplog) -> None:
    """It fails as a mistake of the server, which the log names, and is not taken up again and again."""
    registry = house.registry()
    async with house.coordinator(flex_store, Planner(registry, _Careless())) as coordinator:
        frames = await run(coordinator)
        status = (await coordinator.describe(frames[0].run_id))["status"]

    assert kinds(frames)["start"] == kinds(frames)["complete"] == 1
    assert (frames[-1].payload["error"]["code"], status) == ("internal", "failed")
    assert [record.message for record in caplog.records] == [f"run {frames[0].run_id}: a mistake of ours"]
