from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from otel_agents.runtime.flex.capabilities import Task
from otel_agents.runtime.flex.hitl import Answer
from tests.runtime.flex.house import envelope, frames_of, kinds, policies, policy, run, story

NEVER = {"==": [1, 2]}
ODD = {"/": [1, 0]}


async def test_emit_says_something(coordinator) -> None:
    """An emit policy of the start is told, then its message stands in the stream, before any node starts."""
    frames = await run(coordinator, **policies(policy("hello", "onStart", "emit", message="here we go")))

    told = story(frames)
    assert told[3:6] == ["policy_triggered hello", "log here we go", "node_start dig"]
    assert frames[3].payload == {"policyId": "hello", "trigger": "onStart", "action": "emit"}


async def test_fail_ends_the_run(coordinator) -> None:
    """A fail policy ends the run with its message, and the node that it is about stays as it ended."""
    wanted = policy("stop", "onNodeComplete", "fail", selector={"nodeId": "dig"}, message="enough")
    frames = await run(coordinator, **policies(wanted))

    assert story(frames)[3:] == ["node_start dig", "node_complete dig ok", "policy_triggered dig", "complete failed"]
    assert frames[-1].payload["error"] == {"code": "policy_failed", "message": "enough", "details": []}


async def test_conditions_decide(coordinator) -> None:
    """A policy whose condition does not hold is not acted on; one that holds sees output, node and inputs."""
    holds = {"and": [{"==": [{"var": "output.ore"}, "dig 1"]}, {"==": [{"var": "inputs.size"}, 3]}]}
    wanted = policies(
        policy("yes", "onNodeComplete", "emit", condition=holds, message="yes"),
        policy("no", "onNodeComplete", "emit", condition=NEVER, message="no"),
    )
    frames = await run(coordinator, inputs={"size": 3}, **wanted)

    assert [frame.message for frame in frames if frame.type == "log"] == ["yes"]


async def test_a_condition_that_makes_no_sense_is_told(coordinator) -> None:
    """A condition that cannot be answered does not hold, and the stream says so."""
    broken = policy("odd", "onStart", "emit", condition=ODD, message="never")
    frames = await run(coordinator, **policies(broken))

    assert kinds(frames)["policy_triggered"] == 0
    assert ["odd" in (frame.message or "") for frame in frames if frame.type == "log"] == [True]


async def test_goto_executes_a_node_and_what_depends_on_it_again(house, coordinator) -> None:
    """The target and its descendants run again, the others keep what they gave; once, unless more is allowed."""
    wanted = policy("again", "onNodeComplete", "goto", selector={"capabilityId": "build"}, node="wash")
    frames = await run(coordinator, **policies(wanted))

    assert house.calls == {"dig": 1, "melt": 1, "wash": 2, "build": 2}
    assert story(frames)[-1] == "complete completed"
    assert kinds(frames)["policy_triggered"] == 1


async def test_goto_nowhere_fails(coordinator) -> None:
    """A goto to what is not in the plan ends the run, and says which policy it was."""
    frames = await run(coordinator, **policies(policy("lost", "onStart", "goto", node="moon")))

    assert frames[-1].payload["error"]["message"] == "Policy lost names no node of the plan"


async def test_replan_keeps_what_is_done(house, coordinator) -> None:
    """Another plan comes into force, told with both versions and its trigger, and nothing completed runs again."""
    wanted = policy("better", "onNodeComplete", "replan", selector={"nodeId": "dig"})
    frames = await run(coordinator, **policies(wanted))

    updated = next(frame for frame in frames if frame.type == "plan_updated")
    assert {name: updated.payload[name] for name in ("previousVersion", "version", "trigger")} == {
        "previousVersion": 1,
        "version": 2,
        "trigger": "better",
    }
    assert [f.payload["phase"] for f in frames if f.type == "plan_requested"] == ["initial", "replan"]
    assert house.calls == dict.fromkeys(("dig", "melt", "wash", "build"), 1)
    assert frames[-1].plan_version == 2
    assert (await coordinator.describe(frames[0].run_id))["planVersion"] == 2


async def test_a_node_that_takes_too_long_may_be_gone_around(house, coordinator) -> None:
    """OnTimeout is asked after the last attempt; with goto the run goes on although the node failed."""

    async def late_once(task) -> dict[str, str]:
        if house.calls["dig"] == 1:
            await asyncio.Event().wait()
        return {"ore": "in time"}

    house.works["dig"] = late_once
    wanted = policy("again", "onTimeout", "goto", node="dig")
    frames = await run(coordinator, constraints={"nodeTimeoutSeconds": 0.5, "maxAttempts": 1}, **policies(wanted))

    assert story(frames)[3:8] == [
        "node_start dig",
        "policy_triggered dig",
        "node_error dig",
        "node_complete dig error",
        "node_start dig",
    ]
    assert story(frames)[-1] == "complete completed"


async def test_a_failed_node_that_nobody_goes_around_fails_the_run(house, coordinator) -> None:
    """A goto that does not lead to the failed node leaves it failed: its error is the run's."""

    async def late(_: Any) -> None:
        await asyncio.Event().wait()

    house.works["wash"] = late
    wanted = policy("elsewhere", "onTimeout", "goto", node="melt")
    frames = await run(coordinator, constraints={"nodeTimeoutSeconds": 0.5, "maxAttempts": 1}, **policies(wanted))

    assert house.calls["melt"] == 2
    assert frames[-1].payload["error"]["code"] == "node_timeout"


@pytest.mark.parametrize("action", ["pause", "hitl"])
async def test_a_run_whose_time_is_up_may_ask_for_more(house, coordinator, action) -> None:
    """A policy may let a human decide; the run goes on with new time, and what was stopped is executed again."""

    async def late_once(task) -> dict[str, str]:
        if house.calls["dig"] == 1:
            await asyncio.Event().wait()
        return {"ore": "in time"}

    house.works["dig"] = late_once
    frames = await run(
        coordinator, constraints={"timeoutSeconds": 1.5}, **policies(policy("more", "onTimeout", action))
    )
    assert story(frames)[-1] == "complete awaiting_hitl"

    run_id = frames[0].run_id
    after = await coordinator.resume(run_id, answer=Answer("approved"))
    rest = await frames_of(coordinator, run_id, after)
    assert story(rest)[-1] == "complete completed"
    assert house.calls == {"dig": 2, "melt": 1, "wash": 1, "build": 1}


async def test_a_policy_is_triggered_by_hand(house, coordinator) -> None:
    """A manual policy acts in the run that runs, and only that one."""
    started, go_on = asyncio.Event(), asyncio.Event()

    async def wait(_: Any) -> dict[str, str]:
        started.set()
        await go_on.wait()
        return {"ore": "x"}

    house.works["dig"] = wait
    wanted = policies(
        policy("say", "manual", "emit", message="by hand"), policy("other", "manual", "fail", condition=ODD)
    )
    accepted = await coordinator.accept(envelope(**wanted))
    await started.wait()
    await coordinator.fire(accepted.run_id, "say")
    go_on.set()
    frames = await frames_of(coordinator, accepted.run_id)

    assert [frame.message for frame in frames if frame.type == "log"] == ["by hand"]
    assert story(frames)[-1] == "complete completed"


async def test_what_is_triggered_by_hand_while_a_run_waits_is_done_first_when_it_goes_on(house, coordinator) -> None:
    """Nothing of the run is executed any more before the policy acts."""
    look = policy("look", "onNodeComplete", "hitl", selector={"nodeId": "dig"})
    frames = await run(coordinator, **policies(look, policy("stop", "manual", "fail", message="enough")))
    await coordinator.fire(frames[0].run_id, "stop")
    after = await coordinator.resume(frames[0].run_id, answer=Answer("approved"))
    rest = await frames_of(coordinator, frames[0].run_id, after)

    assert rest[-1].payload["error"]["message"] == "enough"
    assert house.calls == {"dig": 1}


def _better(facet: str) -> Callable[[Task], dict[str, str]]:
    """Return work whose output is not valid at first."""
    outputs = iter(["", "good"])
    return lambda _: {facet: next(outputs)}


@pytest.mark.parametrize(
    ("when", "works"),
    [("onNodeComplete", {}), ("onValidationFail", {"melt": _better("metal"), "wash": _better("stone")})],
)
async def test_no_policy_goes_around_a_human_who_is_asked(house, coordinator, when, works) -> None:
    """A node that is executed again while its question is open waits for the answer, and all behind it with it."""
    house.works |= works
    look = policy("look", "onNodeComplete", "hitl", selector={"nodeId": "melt"})
    again = policy("again", when, "goto", selector={"nodeId": "wash"}, node="dig")
    rules = [again] if works else [look, again]
    frames = await run(coordinator, constraints={"maxAttempts": 1}, **policies(*rules))

    assert kinds(frames)["hitl_request"] == 1
    assert house.calls == {"dig": 2, "melt": 2, "wash": 2}
    rest = await frames_of(
        coordinator, frames[0].run_id, await coordinator.resume(frames[0].run_id, answer=Answer("approved"))
    )
    assert story(rest)[-2:] == ["node_complete build ok", "complete completed"]
    assert house.calls == {"dig": 2, "melt": 2, "wash": 2, "build": 1}
