from __future__ import annotations

import asyncio
from typing import Any

import pytest

from otel_agents.runtime.flex.hitl import Answer
from otel_agents.runtime.flex.problem import FlexError
from tests.runtime.flex.house import House, envelope, frames_of, kinds, policies, policy, run, story, until

LOOK = policies(policy("look", "onNodeComplete", "hitl", selector={"nodeId": "melt"}))


class Held:
    """Work that says when it began, and waits until it may go on."""

    def __init__(self, facet: str) -> None:
        self.facet = facet
        self.began = asyncio.Event()
        self.go_on = asyncio.Event()

    async def __call__(self, task: Any) -> dict[str, str]:
        self.began.set()
        await self.go_on.wait()
        return {self.facet: "held"}


@pytest.fixture
def held(house) -> Held:
    house.works["dig"] = Held("ore")
    return house.works["dig"]


async def test_the_same_key_is_the_same_run(house, coordinator) -> None:
    """A second request with the key of the first gets its run and its frames, and executes nothing."""
    asked = envelope(metadata={"correlationId": "c-1", "clientId": "shop"})
    first = await coordinator.accept(asked, idempotency_key="k")
    frames = await frames_of(coordinator, first.run_id)
    second = await coordinator.accept(asked, idempotency_key="k")

    assert (second.run_id, second.correlation_id, second.is_new) == (first.run_id, "c-1", False)
    assert await frames_of(coordinator, second.run_id) == frames
    assert house.calls["build"] == 1


async def test_no_more_runs_than_there_are_places(house, flex_store, held) -> None:
    """Beyond the limit a run is refused and not stored; a place that got free is given away again."""
    async with house.coordinator(flex_store, max_runs=1) as coordinator:
        accepted = await coordinator.accept(envelope())
        with pytest.raises(FlexError) as refused:
            await coordinator.accept(envelope())
        assert (refused.value.code, refused.value.status) == ("overloaded", 503)
        held.go_on.set()
        await frames_of(coordinator, accepted.run_id)
        await run(coordinator)
        assert len(await coordinator.runs()) == 2


async def test_the_same_key_needs_no_place(house, flex_store, held) -> None:
    """A client that asks for its run again gets it when no other may begin; another envelope is still another one."""
    async with house.coordinator(flex_store, max_runs=1) as coordinator:
        accepted = await coordinator.accept(envelope(), idempotency_key="k")
        again = await coordinator.accept(envelope(), idempotency_key="k")
        for key, code in (("k", "idempotency_mismatch"), ("other", "overloaded")):
            with pytest.raises(FlexError) as refused:
                await coordinator.accept(envelope(inputs={"n": 1}), idempotency_key=key)
            assert refused.value.code == code
        held.go_on.set()

    assert (again.run_id, again.is_new) == (accepted.run_id, False)


async def test_runs_that_wait_for_humans_take_no_place(house, flex_store) -> None:
    """A paused run lets others in."""
    async with house.coordinator(flex_store, max_runs=1) as coordinator:
        await run(coordinator, **LOOK)
        assert story(await run(coordinator))[-1] == "complete completed"


async def test_an_answer_counts_also_when_there_is_no_place_to_go_on(house, flex_store) -> None:
    """Whoever answers is not told that it failed when others took the last place meanwhile: the run goes on later."""
    async with house.coordinator(flex_store, max_runs=1, lease_s=0.6) as coordinator:
        runs = [(await run(coordinator, **LOOK))[0].run_id for _ in range(3)]
        rows = await coordinator.pending()
        answered = await asyncio.gather(*(coordinator.resolve(row["requestId"], Answer("approved")) for row in rows))

        assert sorted(answered) == sorted(runs)
        for run_id in runs:
            await until(coordinator, run_id, "completed")


async def test_capabilities_that_are_not_there_are_refused(coordinator) -> None:
    """An envelope that names unknown capabilities is refused with their places, and leaves no run."""
    wanted = {
        "planner": {"require": ["dig", "fly"]},
        "runtime": [policy("p", "onNodeComplete", "fail", selector={"capabilityId": "swim"})],
    }
    with pytest.raises(FlexError) as refused:
        await coordinator.accept(envelope(policies=wanted))

    assert (refused.value.code, refused.value.status) == ("unknown_capability", 422)
    assert [detail.path for detail in refused.value.details] == [
        "/policies/planner/require/1",
        "/policies/runtime/0/trigger/selector/capabilityId",
    ]
    assert await coordinator.runs() == []


async def test_frames_are_replayed_from_where_a_client_was(coordinator) -> None:
    """A client that comes back gets what it missed, once, and the end."""
    frames = await run(coordinator)

    assert await frames_of(coordinator, frames[0].run_id, 5) == frames[5:]
    assert await frames_of(coordinator, frames[0].run_id, len(frames)) == []
    with pytest.raises(FlexError, match="no such run"):
        await frames_of(coordinator, "nobody")


async def test_a_client_that_names_a_frame_to_come_gets_what_comes(coordinator, held) -> None:
    """Somebody who says that he saw more than there was is not waited for: his stream ends with the run."""
    accepted = await coordinator.accept(envelope())
    await held.began.wait()
    reading = asyncio.create_task(frames_of(coordinator, accepted.run_id, 99_999))
    await coordinator.cancel(accepted.run_id)

    assert (await reading)[-1].type == "complete"


async def test_frames_of_all_segments_are_read_together(coordinator) -> None:
    """Read from the beginning afterwards, a run that paused has both its endings, the last frame is the last one."""
    frames = await run(coordinator, **LOOK)
    after = await coordinator.resume(frames[0].run_id, answer=Answer("approved"))
    rest = await frames_of(coordinator, frames[0].run_id, after)

    assert await frames_of(coordinator, frames[0].run_id) == frames + rest


async def test_a_running_run_is_cancelled(coordinator, held) -> None:
    """The wish and that it was obeyed are told inside the run, whose work was really stopped; and only once."""
    accepted = await coordinator.accept(envelope())
    await held.began.wait()
    assert await coordinator.cancel(accepted.run_id, "operator") == "running"
    await coordinator.cancel(accepted.run_id, "operator")
    frames = await frames_of(coordinator, accepted.run_id)

    assert story(frames)[-4:] == [
        "cancel_requested",
        "node_complete dig cancelled",
        "cancel_acknowledged",
        "complete cancelled",
    ]
    assert frames[-4].payload == {"source": "operator"}
    assert frames[-2].payload["source"] == "operator"
    assert frames[-2].payload["latencyMs"] >= 0
    assert frames[-1].payload == {"status": "cancelled", "reason": "operator"}
    assert await coordinator.cancel(accepted.run_id) == "cancelled"


async def test_a_paused_run_is_cancelled(house, coordinator) -> None:
    """A segment of its own tells that questions expired, and that the run is cancelled; nothing is executed."""
    wanted = [policy(node, "onNodeComplete", "hitl", selector={"nodeId": node}) for node in ("melt", "wash")]
    frames = await run(coordinator, **policies(*wanted))
    assert await coordinator.cancel(frames[0].run_id) == "awaiting_hitl"
    rest = await until(coordinator, frames[0].run_id, "cancelled", len(frames))

    assert sorted(story(rest)[1:3]) == ["hitl_resolved melt", "hitl_resolved wash"]
    assert [*story(rest)[:1], *story(rest)[3:]] == [
        "start",
        "cancel_requested",
        "cancel_acknowledged",
        "complete cancelled",
    ]
    assert {frame.payload["decision"] for frame in rest[1:3]} == {"expired"}
    assert house.calls["build"] == 0
    assert await coordinator.pending() == []


async def test_what_has_ended_stays_as_it_is(coordinator) -> None:
    """A finished run is neither cancelled nor resumed, and none of its policies can be triggered."""
    frames = await run(coordinator, **policies(policy("p", "manual", "fail")))
    run_id = frames[0].run_id

    for wish in (coordinator.cancel(run_id), coordinator.resume(run_id), coordinator.fire(run_id, "p")):
        with pytest.raises(FlexError) as refused:
            await wish
        assert (refused.value.code, refused.value.status) == ("finished", 409)


async def test_nobody_knows_a_run_that_is_not_there(coordinator) -> None:
    """Unknown runs, questions and policies are not found."""
    frames = await run(
        coordinator, **policies(policy("p", "onStart", "emit", message="x"), policy("m", "manual", "fail"))
    )
    wishes = (
        coordinator.cancel("nobody"),
        coordinator.resume("nobody"),
        coordinator.describe("nobody"),
        coordinator.resolve("nothing", Answer("approved")),
        coordinator.fire(frames[0].run_id, "p"),
        coordinator.fire(frames[0].run_id, "nothing"),
    )
    for wish in wishes:
        with pytest.raises(FlexError) as refused:
            await wish
        assert refused.value.code == "not_found"


async def test_a_resume_says_which_plan_it_means(coordinator) -> None:
    """A stale plan version is refused before anything is recorded; the right one goes on."""
    frames = await run(coordinator, **LOOK)
    run_id = frames[0].run_id
    with pytest.raises(FlexError) as refused:
        await coordinator.resume(run_id, 7, Answer("approved"))
    assert (refused.value.code, len(await coordinator.pending())) == ("plan_version_mismatch", 1)

    await coordinator.resume(run_id, 1, Answer("approved"))
    await until(coordinator, run_id, "completed")


async def test_a_run_is_resumed_once(coordinator, held, house) -> None:
    """While it goes on it cannot be resumed; of two resumes at once one wins."""
    accepted = await coordinator.accept(envelope(**LOOK))
    await held.began.wait()
    with pytest.raises(FlexError) as running:
        await coordinator.resume(accepted.run_id)
    assert running.value.code == "already_running"
    held.go_on.set()
    await frames_of(coordinator, accepted.run_id)

    (row,) = await coordinator.pending()
    both = await asyncio.gather(
        *(coordinator.resume(accepted.run_id, answer=Answer("approved"), request_id=row["requestId"]) for _ in "12"),
        return_exceptions=True,
    )
    assert sorted(getattr(each, "code", "won") for each in both) in (
        ["already_resolved", "won"],
        ["already_running", "won"],
    )
    await until(coordinator, accepted.run_id, "completed")
    assert house.calls == dict.fromkeys(("dig", "melt", "wash", "build"), 1)


async def test_an_answer_belongs_to_a_run(coordinator) -> None:
    """The question of another run is not found."""
    first, second = await run(coordinator, **LOOK), await run(coordinator, **LOOK)
    other = next(row for row in await coordinator.pending() if row["runId"] == second[0].run_id)
    with pytest.raises(FlexError) as refused:
        await coordinator.resume(first[0].run_id, answer=Answer("approved"), request_id=other["requestId"])

    assert refused.value.code == "not_found"


async def test_a_run_is_described_without_its_content(coordinator) -> None:
    """The view of a run holds states and names; what was given and made stays out."""
    frames = await run(coordinator, inputs={"secret": "c4n4ry"}, **LOOK)
    seen = await coordinator.describe(frames[0].run_id)

    assert {"status": "awaiting_hitl", "planVersion": 1, "lastSeq": len(frames)}.items() <= seen.items()
    assert [(node["id"], node["status"]) for node in seen["nodes"]] == [
        ("dig", "completed"),
        ("melt", "executed"),
        ("wash", "completed"),
        ("build", "pending"),
    ]
    assert seen["policiesFired"] == {"look": 1}
    assert "c4n4ry" not in str(seen)
    assert "dig 1" not in str(seen)
    assert [row["runId"] for row in await coordinator.runs(status="awaiting_hitl")] == [frames[0].run_id]


async def test_it_is_seen_who_decided(coordinator) -> None:
    """Whoever looks at a run afterwards sees who said what to it, as far as the decision goes."""
    frames = await run(coordinator, **LOOK)
    after = await coordinator.resume(frames[0].run_id, answer=Answer("edited", value="c4n4ry", by="ada"))
    await frames_of(coordinator, frames[0].run_id, after)
    seen = await coordinator.describe(frames[0].run_id)

    assert [(each["decision"], each["answeredBy"]) for each in seen["questions"]] == [("edited", "ada")]
    assert "c4n4ry" not in str(seen)


async def test_two_coordinators_share_the_runs(house, flex_store) -> None:
    """A run that paused in one process goes on in another, and what completed is not executed again."""
    other = House()
    async with house.coordinator(flex_store) as first, other.coordinator(flex_store) as second:
        frames = await run(first, **LOOK)
        after = await second.resume(frames[0].run_id, answer=Answer("approved"))
        rest = await frames_of(first, frames[0].run_id, after)

    assert story(rest)[-1] == "complete completed"
    assert (house.calls, other.calls) == ({"dig": 1, "melt": 1, "wash": 1}, {"build": 1})


async def test_a_wish_reaches_the_process_that_runs_the_run(house, flex_store, held) -> None:
    """Cancel and manual policies may come in anywhere."""
    async with house.coordinator(flex_store) as first, House().coordinator(flex_store) as second:
        accepted = await first.accept(envelope(**policies(policy("say", "manual", "emit", message="by hand"))))
        await held.began.wait()
        await second.fire(accepted.run_id, "say")
        async for frame in second.frames(accepted.run_id):
            if frame.type == "log":
                await second.cancel(accepted.run_id, "elsewhere")

    assert frame.payload == {"status": "cancelled", "reason": "elsewhere"}


async def test_of_many_coordinators_one_takes_up_a_run(house, flex_store, held) -> None:
    """A run that was given back is claimed once, and goes on from what is done."""
    async with house.coordinator(flex_store) as first:
        accepted = await first.accept(envelope())
        await held.began.wait()
        stopping = asyncio.create_task(first.stop(grace_s=5))
        await asyncio.sleep(0)
        held.go_on.set()
        await stopping
    others = [House() for _ in range(3)]
    async with (
        others[0].coordinator(flex_store) as second,
        others[1].coordinator(flex_store),
        others[2].coordinator(flex_store),
    ):
        frames = await until(second, accepted.run_id, "completed")

    assert house.calls == {"dig": 1}
    assert sum((other.calls for other in others), start=type(house.calls)()) == {"melt": 1, "wash": 1, "build": 1}
    told = story(frames)
    assert told[5:8] == ["start", "log The run was interrupted, and goes on", "plan_requested resume"]
    assert kinds(frames)["complete"] == 1


async def test_a_node_that_does_not_end_in_time_is_stopped_and_begun_again(house, flex_store, held) -> None:
    """After the grace nodes are cancelled; that costs them no attempt, and another process executes them."""
    async with house.coordinator(flex_store) as first:
        accepted = await first.accept(envelope(constraints={"maxAttempts": 1}))
        await held.began.wait()
        await first.stop(grace_s=0)
    async with House().coordinator(flex_store) as second:
        frames = await until(second, accepted.run_id, "completed")

    assert [text for text in story(frames) if "dig" in text] == [
        "node_start dig",
        "node_complete dig cancelled",
        "node_start dig",
        "node_complete dig ok",
    ]


async def test_what_must_not_be_repeated_is_not(house, flex_store, held) -> None:
    """A node that was cut off and is not repeatable fails its run as interrupted."""
    house.special["dig"] = {"repeatable": False}
    async with house.coordinator(flex_store) as first:
        accepted = await first.accept(envelope())
        await held.began.wait()
        await first.stop(grace_s=0)
    async with house.coordinator(flex_store) as second:
        frames = await until(second, accepted.run_id, "failed")

    assert frames[-1].payload["error"]["code"] == "interrupted"
    assert house.calls["dig"] == 1
