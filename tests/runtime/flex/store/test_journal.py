from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest
from sqlalchemy import event

from otel_agents.runtime.flex.store import Fenced
from otel_agents.runtime.flex.store.journal import PAGE
from tests.runtime.flex.store.making import frame, running

PROVENANCE = {"input": [], "output": [{"facet": "draft", "title": "Draft", "direction": "output", "pointer": "/draft"}]}


async def take(frames, count: int):
    """Return the next frames of a stream."""
    return [await anext(frames) for _ in range(count)]


async def test_a_frame_is_read_as_it_was_written(store) -> None:
    """A stored frame has its number, and every other field as it was."""
    run_id, epoch = await running(store)
    full = frame(
        run_id,
        "node_complete",
        plan_version=1,
        node_id="n1",
        capability_id="draft",
        facet_provenance=PROVENANCE,
        status="ok",
        duration_ms=1.5,
        payload={"kind": "agent", "attempts": 1, "output": {"text": "a\x00ü"}},
        message="m",
    )
    stored = await store.journal.append(full, epoch=epoch)

    assert stored.id == f"{run_id}:1"
    assert stored.as_dict() == full.as_dict() | {"id": f"{run_id}:1"}
    assert await store.journal.after(run_id) == [stored]


async def test_fifty_writers_leave_no_gap(store, other) -> None:
    """Whoever appends, from here or from another process, a run's numbers are 1, 2, 3, in the order of each writer."""
    run_id, epoch = await running(store)

    async def write(number: int) -> list[int]:
        journal, owned = ((store.journal, epoch), (other.journal, None))[number % 2]
        return [(await journal.append(frame(run_id, message=f"{number}"), epoch=owned)).seq for _ in range(4)]

    numbers = await asyncio.gather(*(write(number) for number in range(50)))
    frames = await store.journal.after(run_id)

    assert [each.seq for each in frames] == list(range(1, 201))
    assert sorted(seq for each in numbers for seq in each) == list(range(1, 201))
    assert all(each == sorted(each) for each in numbers)
    assert [frames[seq - 1].message for seq in numbers[7]] == ["7"] * 4
    assert (await store.runs.get(run_id)).last_seq == 200


async def test_what_waits_is_written_together(store) -> None:
    """A thousand frames of twenty runs that wait at one moment need few transactions."""
    runs = [await running(store) for _ in range(20)]
    commits: list[object] = []
    event.listen(store._database._writing, "commit", commits.append)
    waiting = [store.journal.append(frame(run_id), epoch=epoch) for _ in range(50) for run_id, epoch in runs]
    await asyncio.gather(*waiting)

    assert len(commits) <= 3
    for run_id, _ in runs:
        assert [each.seq for each in await store.journal.after(run_id)] == list(range(1, 51))


async def test_one_that_is_refused_harms_no_other(store) -> None:
    """In a group of writes, what an old segment, a missing run or a mistake brings fails alone."""
    run_id, epoch = await running(store)
    answers = await asyncio.gather(
        store.journal.append(frame(run_id, message="a"), epoch=epoch),
        store.journal.append(frame(run_id), epoch=epoch - 1),
        store.journal.append(frame("nobody")),
        store.policies.fire("nobody", "p"),
        store.journal.append(frame(run_id, payload={"x": object()}), epoch=epoch),
        store.journal.append(frame(run_id, payload={"x": float("nan")}), epoch=epoch),
        store.journal.append(frame(run_id, message="b"), epoch=epoch),
        return_exceptions=True,
    )
    kinds = [type(answer).__name__ for answer in answers]

    assert kinds == ["Frame", "Fenced", "Fenced", "IntegrityError", "TypeError", "ValueError", "Frame"]
    assert [(each.seq, each.message) for each in await store.journal.after(run_id)] == [(1, "a"), (2, "b")]


async def test_a_caller_that_is_cancelled_leaves_no_gap(store) -> None:
    """A write whose caller is gone is written or not, and the next number follows in either case."""
    run_id, epoch = await running(store)
    tasks = [asyncio.create_task(store.journal.append(frame(run_id), epoch=epoch)) for _ in range(20)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    last = await store.journal.append(frame(run_id), epoch=epoch)
    numbers = [each.seq for each in await store.journal.after(run_id)]

    assert numbers == list(range(1, last.seq + 1))
    assert last.seq >= 11


async def test_frames_are_read_from_any_number_in_pages(store) -> None:
    """A reader gets what is behind the number that it names, and no more than it asks for."""
    run_id, epoch = await running(store)
    await asyncio.gather(*(store.journal.append(frame(run_id), epoch=epoch) for _ in range(5)))

    assert [each.seq for each in await store.journal.after(run_id, 2)] == [3, 4, 5]
    assert [each.seq for each in await store.journal.after(run_id, 2, limit=2)] == [3, 4]
    assert await store.journal.after(run_id, 5) == []
    assert await store.journal.after("nobody") == []


async def test_a_follower_gets_stored_frames_and_then_live_ones(store) -> None:
    """Following gives what is there, then every new frame as soon as it is committed, without waiting for a poll."""
    run_id, epoch = await running(store)
    await asyncio.gather(*(store.journal.append(frame(run_id), epoch=epoch) for _ in range(PAGE + 2)))
    async with aclosing(store.journal.follow(run_id, 1)) as frames:
        assert [each.seq for each in await take(frames, PAGE + 1)] == list(range(2, PAGE + 3))
        store.journal._polling.cancel()  # what comes now comes by notification
        coming = asyncio.create_task(anext(frames))
        await store.journal.append(frame(run_id), epoch=epoch)

        assert (await coming).seq == PAGE + 3


async def test_a_follower_sees_what_another_process_writes(store, other) -> None:
    """Frames of other processes arrive in order, with nothing missing; so do those of a run that begins later."""
    run_id, epoch = await running(store)
    async with aclosing(other.journal.follow(run_id)) as frames, aclosing(other.journal.follow("later")) as later:
        coming = asyncio.create_task(take(frames, 20))
        begun = asyncio.create_task(anext(later))
        for _ in range(20):
            await store.journal.append(frame(run_id), epoch=epoch)
        later_id, _ = await running(store, run_id="later")
        await store.journal.append(frame(later_id))

        assert [each.seq for each in await coming] == list(range(1, 21))
        assert (await begun).seq == 1


async def test_many_followers_see_the_same(store, other) -> None:
    """Every follower, wherever it begins, gets each frame once."""
    run_id, epoch = await running(store)
    streams = [each.journal.follow(run_id, start) for each in (store, other) for start in (0, 3, 5)]
    readers = [asyncio.create_task(take(stream, 10 - index % 3 * 2)) for index, stream in enumerate(streams)]
    for _ in range(15):
        await store.journal.append(frame(run_id), epoch=epoch)
    seen = [[each.seq for each in await reader] for reader in readers]
    for stream in streams:
        await stream.aclose()

    assert seen == [[*range(1, 11)], [*range(4, 12)], [*range(6, 12)]] * 2


async def test_nobody_looks_when_nobody_follows(store) -> None:
    """The poll ends with the last follower, keeps nothing of it, and begins again with the next."""
    run_id, epoch = await running(store)
    await store.journal.append(frame(run_id), epoch=epoch)
    for _ in range(2):
        async with aclosing(store.journal.follow(run_id)) as frames:
            await anext(frames)
            polling = store.journal._polling
            assert not polling.done()
        await polling

    assert (store.journal._followers, store.journal._seen) == ({}, {})


async def test_closing_the_store_ends_its_followers(opened) -> None:
    """Who follows when the store is closed is told that there is no more."""
    store = await opened()
    run_id, _ = await running(store)
    frames = store.journal.follow(run_id)
    coming = asyncio.create_task(anext(frames, None))
    await asyncio.sleep(0.05)
    await store.journal.close()

    assert await coming is None


async def test_what_stands_beside_a_frame_stands_or_falls_with_it(store) -> None:
    """When the second half of a write fails, the frame is not there either."""
    run_id, epoch = await running(store)

    def refuse(connection: object) -> None:
        raise Fenced(run_id)

    with pytest.raises(Fenced):
        await store.journal.append(frame(run_id), epoch=epoch, beside=refuse)

    assert await store.journal.after(run_id) == []
    assert (await store.journal.append(frame(run_id), epoch=epoch)).seq == 1
