from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from otel_agents.runtime.flex.coordinator import Coordinator
from otel_agents.runtime.flex.hitl import Answer
from otel_agents.runtime.flex.problem import FlexError
from tests.runtime.flex.house import House, frames_of, kinds, policies, policy, run, story

CONTRACT = {"mode": "json_schema", "schema": {"type": "object", "properties": {"height": {"type": "integer"}}}}
GOOD, BAD = {"height": 3}, {"height": "tall"}


@pytest.fixture
async def mason(house: House, flex_store) -> AsyncIterator[Coordinator]:
    """A coordinator whose last capability answers the contract: badly, until it is told how."""

    def answer(task: Any) -> dict[str, Any]:
        return {"structured_output": GOOD if task.feedback or house.calls["build"] > 2 else BAD}

    house.special["build"] = {"output": ("structured_output",)}
    house.works["build"] = answer
    async with house.coordinator(flex_store) as coordinator:
        yield coordinator


async def test_an_answer_that_breaks_the_contract_fails_the_run(mason) -> None:
    """It is held against the caller's schema before the last frame, which says where it is wrong and not what it is."""
    frames = await run(mason, outputContract=CONTRACT)

    assert story(frames)[-2:] == ["validation_error", "complete failed"]
    assert frames[-2].payload["scope"] == "final"
    assert frames[-1].payload["error"] == {
        "code": "output_invalid",
        "message": "The output is not what the output contract says",
        "details": [{"path": "/height", "message": 'is not of type "integer"'}],
    }


async def test_a_policy_that_only_talks_does_not_save_the_answer(mason) -> None:
    """An emit policy says its message, and the run fails all the same."""
    frames = await run(
        mason, outputContract=CONTRACT, **policies(policy("say", "onValidationFail", "emit", message="bad"))
    )

    assert story(frames)[-3:] == ["policy_triggered build", "log build", "complete failed"]


async def test_an_answer_may_be_made_again(house, mason) -> None:
    """A goto policy has nodes executed until the answer is good, as often as it may."""
    again = policy("again", "onValidationFail", "goto", node="build", maxTimes=5)
    frames = await run(mason, outputContract=CONTRACT, **policies(again))

    assert frames[-1].payload["output"] == GOOD
    assert kinds(frames)["validation_error"] == 2
    assert house.calls["build"] == 3


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (Answer("edited", value=GOOD), "completed"),
        (Answer("responded", text="a number"), "completed"),
        (Answer("approved"), "failed"),
    ],
)
async def test_a_human_may_correct_the_answer(mason, answer, status) -> None:
    """The caller's contract stands whatever a human says."""
    look = policy("look", "onValidationFail", "hitl")
    frames = await run(mason, outputContract=CONTRACT, **policies(look))
    after = await mason.resume(frames[0].run_id, answer=answer)
    rest = await frames_of(mason, frames[0].run_id, after)

    assert story(frames)[-2:] == ["hitl_request build", "complete awaiting_hitl"]
    assert rest[-1].status == status


async def test_a_correction_that_breaks_the_contract_is_refused(mason) -> None:
    """Whoever gives it is told what is wrong with it, and may try again: the run does not end of a slip."""
    frames = await run(mason, outputContract=CONTRACT, **policies(policy("look", "onValidationFail", "hitl")))
    with pytest.raises(FlexError) as refused:
        await mason.resume(frames[0].run_id, answer=Answer("edited", value=BAD))

    assert (refused.value.code, refused.value.status) == ("invalid_answer", 422)
    assert [(each.path, each.message) for each in refused.value.details] == [
        ("/value/structured_output/height", 'is not of type "integer"')
    ]
    after = await mason.resume(frames[0].run_id, answer=Answer("edited", value=GOOD))
    assert (await frames_of(mason, frames[0].run_id, after))[-1].payload["output"] == GOOD


async def test_a_plan_that_can_no_longer_be_executed_ends_the_run(house, flex_store, mason) -> None:
    """A run that goes on where a capability is gone is refused with diagnostics, and keeps what it had."""
    frames = await run(mason, outputContract=CONTRACT, **policies(policy("look", "onValidationFail", "hitl")))
    async with House().coordinator(flex_store) as other:
        after = await other.resume(frames[0].run_id, answer=Answer("approved"))
        rest = await frames_of(other, frames[0].run_id, after)

    assert story(rest) == ["start", "hitl_resolved build", "plan_requested resume", "plan_rejected", "complete failed"]
    assert rest[-1].payload["error"]["code"] == "plan_rejected"
