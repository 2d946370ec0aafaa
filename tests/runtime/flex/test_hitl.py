from __future__ import annotations

import asyncio
from typing import Any

import pytest

from otel_agents.runtime.flex.hitl import Answer
from otel_agents.runtime.flex.problem import FlexError
from tests.runtime.flex.house import envelope, frames_of, kinds, policies, policy, run, story, until

LOOK = policies(policy("look", "onNodeComplete", "hitl", selector={"nodeId": "melt"}, prompt="Is it good?"))


async def answered(coordinator, run_id: str, answer: Answer, request_id: str | None = None):
    """Answer, and return the frames of the segment that acts on it."""
    after = await coordinator.resume(run_id, answer=answer, request_id=request_id)
    return await frames_of(coordinator, run_id, after)


async def test_a_policy_asks_a_human_about_the_output_of_a_node(house, coordinator) -> None:
    """What depends on the node waits, other branches go on, and the stream ends as awaiting_hitl."""
    frames = await run(coordinator, **LOOK)

    asked = next(frame for frame in frames if frame.type == "hitl_request")
    assert (asked.node_id, asked.capability_id, asked.plan_version) == ("melt", "melt", 1)
    assert asked.facet_provenance is not None
    assert asked.payload["origin"] == "policy"
    assert asked.payload["pendingNodeId"] == "melt"
    assert asked.payload["prompt"] == "Is it good?"
    assert frames[-1].payload == {"status": "awaiting_hitl"}
    assert house.calls == {"dig": 1, "melt": 1, "wash": 1}


async def test_the_queue_shows_what_waits(coordinator) -> None:
    """An operator sees each open question with what it is about, until it is answered."""
    frames = await run(coordinator, metadata={"correlationId": "c-9"}, **LOOK)

    (row,) = await coordinator.pending()
    asked = next(frame for frame in frames if frame.type == "hitl_request")
    assert row["requestId"] == asked.payload["requestId"]
    assert row["expiresAt"] == asked.payload["expiresAt"]
    assert {name: row[name] for name in ("runId", "nodeId", "origin", "planVersion", "correlationId", "prompt")} == {
        "runId": asked.run_id,
        "nodeId": "melt",
        "origin": "policy",
        "planVersion": 1,
        "correlationId": "c-9",
        "prompt": "Is it good?",
    }
    await answered(coordinator, asked.run_id, Answer("approved"))
    assert await coordinator.pending() == []


async def test_approved_goes_on(house, coordinator) -> None:
    """The next segment says that it is a resumed one, what was decided, and executes only what is left."""
    frames = await run(coordinator, **LOOK)
    rest = await answered(coordinator, frames[0].run_id, Answer("approved", by="ann"))

    assert story(rest) == [
        "start",
        "hitl_resolved melt",
        "plan_requested resume",
        "node_start build",
        "node_complete build ok",
        "complete completed",
    ]
    assert rest[0].seq == len(frames) + 1
    assert rest[0].payload["resumed"] is True
    assert rest[1].payload["decision"] == "approved"
    assert rest[1].payload["waitMs"] > 0
    assert house.calls == dict.fromkeys(("dig", "melt", "wash", "build"), 1)


async def test_edited_takes_the_place_of_the_output(house, coordinator) -> None:
    """What depends on the node is given the human's value; the node is not executed again."""
    frames = await run(coordinator, **LOOK)
    await answered(coordinator, frames[0].run_id, Answer("edited", value={"metal": "gold"}))

    assert house.tasks[-1].bundle.facets["metal"] == "gold"
    assert house.calls["melt"] == 1


async def test_responded_has_the_node_done_again(house, coordinator) -> None:
    """The text reaches the work as feedback, and the policy is not asked a second time."""
    frames = await run(coordinator, **LOOK)
    rest = await answered(coordinator, frames[0].run_id, Answer("responded", text="hotter"))

    assert house.calls["melt"] == 2
    assert [task.feedback for task in house.tasks if task.node_id == "melt"] == [None, "hotter"]
    assert story(rest)[-1] == "complete completed"


@pytest.mark.parametrize("decision", ["rejected", "expired"])
async def test_refused_ends_the_run(house, coordinator, decision) -> None:
    """The run fails with the decision as its code, and nothing more is executed."""
    frames = await run(coordinator, **LOOK)
    rest = await answered(coordinator, frames[0].run_id, Answer(decision))

    assert story(rest) == ["start", "hitl_resolved melt", "complete failed"]
    assert rest[-1].payload["error"]["code"] == decision
    assert house.calls["build"] == 0


async def test_several_questions_are_open_at_once(house, coordinator) -> None:
    """Each branch asks for itself; the run goes on, in the background, with the last answer."""
    wanted = [policy(node, "onNodeComplete", "hitl", selector={"nodeId": node}) for node in ("melt", "wash")]
    frames = await run(coordinator, **policies(*wanted))
    run_id = frames[0].run_id
    first, second = [row["requestId"] for row in await coordinator.pending()]

    with pytest.raises(FlexError, match="Several") as several:
        await coordinator.resume(run_id, answer=Answer("approved"))
    assert several.value.code == "not_resolved"
    with pytest.raises(FlexError, match="The answer is taken, and the run still waits") as taken:
        await coordinator.resume(run_id, answer=Answer("approved"), request_id=first)
    assert taken.value.code == "not_resolved"
    assert (await coordinator.describe(run_id))["status"] == "awaiting_hitl"
    with pytest.raises(FlexError) as waiting:
        await coordinator.resume(run_id)
    assert waiting.value.code == "not_resolved"
    assert await coordinator.resolve(second, Answer("approved")) == run_id
    rest = await until(coordinator, run_id, "completed", len(frames))
    assert story(rest)[-1] == "complete completed"
    assert kinds(rest)["hitl_resolved"] == 2


async def test_of_two_answers_about_a_node_the_last_one_stands(house, coordinator) -> None:
    """One human wants it done again, another corrects it: the correction is taken, stored, and nothing done again."""
    wanted = [policy(who, "onNodeComplete", "hitl", selector={"nodeId": "melt"}) for who in ("editor", "lawyer")]
    frames = await run(coordinator, **policies(*wanted))
    first, second = [row["requestId"] for row in await coordinator.pending()]
    await coordinator.resolve(first, Answer("responded", text="shorter"))
    await coordinator.resolve(second, Answer("edited", value="gold"))
    rest = await until(coordinator, frames[0].run_id, "completed", len(frames))

    assert kinds(rest)["hitl_resolved"] == 2
    assert house.calls["melt"] == 1
    nodes = await coordinator.store.nodes.of(frames[0].run_id)
    assert (nodes["melt"].status, nodes["melt"].outputs) == ("completed", {"metal": "gold"})


async def test_an_answer_that_comes_while_the_run_still_runs_is_acted_on_afterwards(house, coordinator) -> None:
    """The segment ends as awaiting_hitl, and the next one begins by itself."""
    go_on = asyncio.Event()

    async def slow(_: Any) -> dict[str, str]:
        await go_on.wait()
        return {"stone": "x"}

    house.works["wash"] = slow
    accepted = await coordinator.accept(envelope(**LOOK))
    async for frame in coordinator.frames(accepted.run_id):
        if frame.type == "hitl_request":
            await coordinator.resolve(frame.payload["requestId"], Answer("approved"))
            go_on.set()
    assert frame.payload["status"] == "awaiting_hitl"
    rest = await until(coordinator, accepted.run_id, "completed", frame.seq)

    assert story(rest)[1] == "hitl_resolved melt"


async def test_the_first_answer_wins(coordinator) -> None:
    """Of two operators one hears already_resolved."""
    await run(coordinator, **LOOK)
    (row,) = await coordinator.pending()
    both = await asyncio.gather(
        coordinator.resolve(row["requestId"], Answer("approved")),
        coordinator.resolve(row["requestId"], Answer("rejected")),
        return_exceptions=True,
    )

    assert sorted(getattr(each, "code", "won") for each in both) == ["already_resolved", "won"]


async def test_a_pause_holds_the_whole_run(house, coordinator) -> None:
    """After a pause policy nothing starts any more, whatever does not depend on the node."""
    wanted = policy("wait", "onNodeComplete", "pause", selector={"nodeId": "dig"})
    frames = await run(coordinator, **policies(wanted))

    assert house.calls == {"dig": 1}
    assert next(frame for frame in frames if frame.type == "hitl_request").payload["origin"] == "pause"
    rest = await answered(coordinator, frames[0].run_id, Answer("approved"))
    assert story(rest)[-1] == "complete completed"


@pytest.mark.parametrize(
    ("answer", "size", "said"),
    [
        (Answer("edited", value={"size": 5}), 5, ()),
        (Answer("responded", text="mind the roof"), 3, ("mind the roof",)),
        (Answer("approved"), 3, ()),
    ],
)
async def test_a_question_about_the_run_changes_the_task(house, coordinator, answer, size, said) -> None:
    """Before the first node a human may change inputs, or add an instruction for all nodes, also for later segments."""
    house.special["dig"] = {"input": ("inputs",)}
    wanted = [policy("ask", "onStart", "hitl"), policy("look", "onNodeComplete", "hitl", selector={"nodeId": "dig"})]
    async with house.coordinator(coordinator.store) as other:
        frames = await run(other, inputs={"size": 3}, **policies(*wanted))
        assert house.calls == {}
        run_id = frames[0].run_id
        await answered(other, run_id, answer)
        await answered(other, run_id, Answer("responded", text="again"))

    seen = [task.bundle for task in house.tasks if task.node_id == "dig"]
    assert [each.facets["inputs"]["size"] for each in seen] == [size, size]
    assert [each.instructions for each in seen] == [said, said]


BAD = {"dig": lambda task: {"ore": "" if task.feedback is None else "good"}}


@pytest.mark.parametrize(
    ("answer", "ending", "calls"),
    [
        (Answer("approved"), "completed", 2),
        (Answer("edited", value="silver"), "completed", 2),
        (Answer("responded", text="try"), "completed", 3),
        (Answer("rejected"), "failed", 2),
    ],
)
async def test_an_output_that_stays_invalid_is_shown_to_a_human(house, coordinator, answer, ending, calls) -> None:
    """The node ends paused; a human takes its output as it is, corrects it, has it done again, or refuses."""
    house.works |= BAD
    frames = await run(coordinator, constraints={"maxAttempts": 2})

    assert story(frames)[-3:] == ["hitl_request dig", "node_complete dig paused", "complete awaiting_hitl"]
    assert kinds(frames)["validation_error"] == 2
    assert frames[-2].payload["output"] == {"ore": ""}
    rest = await answered(coordinator, frames[0].run_id, answer)
    assert rest[-1].status == ending
    assert house.calls["dig"] == calls


async def test_an_edited_value_must_fit_the_node(coordinator) -> None:
    """A value that the node could not have given is refused with its place, and the question stays open."""
    await run(coordinator, **LOOK)
    (row,) = await coordinator.pending()
    with pytest.raises(FlexError) as refused:
        await coordinator.resolve(row["requestId"], Answer("edited", value={"metal": 7}))

    assert (refused.value.code, refused.value.status) == ("invalid_answer", 422)
    assert [detail.path for detail in refused.value.details] == ["/value/metal"]
    assert len(await coordinator.pending()) == 1


async def test_a_question_expires(coordinator) -> None:
    """Nobody answers in time: the run goes on by itself, and fails as expired."""
    wanted = policy("look", "onNodeComplete", "hitl", selector={"nodeId": "melt"}, expiresInSeconds=0.05)
    frames = await run(coordinator, **policies(wanted))
    rest = await until(coordinator, frames[0].run_id, "failed", len(frames))

    assert [frame.payload.get("decision") for frame in rest if frame.type == "hitl_resolved"] == ["expired"]
    assert rest[-1].payload["error"]["code"] == "expired"


async def test_questions_are_closed_when_their_run_fails(house, coordinator) -> None:
    """A branch that fails ends the run; what another branch asked counts as expired, and is told."""

    async def late(_: Any) -> None:
        await asyncio.Event().wait()

    house.works["wash"] = late
    frames = await run(coordinator, constraints={"nodeTimeoutSeconds": 0.5, "maxAttempts": 1}, **LOOK)

    assert kinds(frames)["hitl_request"] == kinds(frames)["hitl_resolved"] == 1
    assert story(frames)[-2:] == ["hitl_resolved melt", "complete failed"]
    assert await coordinator.pending() == []
