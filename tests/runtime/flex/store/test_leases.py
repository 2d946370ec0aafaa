from __future__ import annotations

import asyncio

from otel_agents.runtime.flex.store import AWAITING, QUEUED, RUNNING
from tests.runtime.flex.store.making import ask, frame, new_run, running


async def test_of_all_who_claim_one_gets_the_run(store, other) -> None:
    """Twenty claims at once from two processes make one segment."""
    run_id, _ = await store.runs.create(new_run())
    claims = [
        each.leases.claim(run_id, f"o{number}", 30.0, [QUEUED]) for number, each in enumerate([store, other] * 10)
    ]
    epochs = await asyncio.gather(*claims)
    run = await store.runs.get(run_id)

    assert sorted(epoch or 0 for epoch in epochs) == [0] * 19 + [1]
    assert (run.status, run.owner, run.epoch, run.lease_until) == (RUNNING, f"o{epochs.index(1)}", 1, 1030.0)


async def test_a_running_run_is_to_be_had_when_its_lease_is_over(store, other, clock) -> None:
    """Nobody takes a run from its owner in time; afterwards the epoch says that another segment runs."""
    run_id, epoch = await running(store)
    assert await other.leases.expired() == []
    assert await other.leases.claim(run_id, "other", 30.0, [RUNNING]) is None
    clock.now += 30

    assert await other.leases.expired() == [run_id]
    assert await other.leases.claim(run_id, "other", 30.0, [AWAITING]) is None
    assert await other.leases.claim(run_id, "other", 30.0, [RUNNING]) == epoch + 1
    assert await store.leases.expired() == []


async def test_a_clock_that_was_wrong_holds_a_run_for_no_longer_than_hours(store, other, clock) -> None:
    """A run whose owner died is found although its lease ends in another year: the clock was set back since."""
    clock.now += 31_536_000
    run_id, epoch = await running(store)
    clock.now -= 31_536_000

    assert await other.leases.expired() == [run_id]
    assert await other.leases.claim(run_id, "other", 30.0, [RUNNING]) == epoch + 1


async def test_an_accepted_run_that_nobody_began_is_found(store, other, clock) -> None:
    """A process that accepts a run and dies leaves it to the others when the lease of the acceptance is over."""
    run_id, _ = await store.runs.create(new_run(), lease_s=5.0)
    assert await other.leases.expired() == []
    clock.now += 5

    assert await other.leases.expired() == [run_id]


async def test_a_heartbeat_keeps_all_runs_of_its_owner(store, other, clock) -> None:
    """One statement extends every lease of an owner, and says which runs are still his."""
    mine = {(await running(store, "me"))[0] for _ in range(3)}
    lost, _ = await running(store, "me")
    theirs, _ = await running(other, "other")
    paused, epoch = await running(store, "me")
    await store.runs.finish(frame(paused, "complete"), epoch, AWAITING)
    clock.now += 20
    assert await store.leases.extend("me", 30.0) == mine | {lost}
    clock.now += 20
    assert await other.leases.expired() == [theirs]
    clock.now += 20
    assert await other.leases.claim(lost, "other", 30.0, [RUNNING]) == 2

    assert await store.leases.extend("me", 30.0) == mine
    assert (await store.runs.get(lost)).owner == "other"
    assert await store.leases.extend("nobody", 30.0) == frozenset()


async def test_a_run_that_is_given_back_is_free_at_once(store, other) -> None:
    """Released, a run is found and claimed without waiting for its lease."""
    run_id, epoch = await running(store)
    await store.leases.release(run_id, epoch)

    assert await other.leases.expired() == [run_id]
    assert await other.leases.claim(run_id, "other", 30.0, [RUNNING]) == epoch + 1


async def test_a_paused_run_goes_on_when_no_question_is_open(store) -> None:
    """What waits for a human is found when the last answer is there, whoever took it, and not before."""
    run_id, epoch = await running(store)
    await ask(store, run_id, epoch, "q1")
    await ask(store, run_id, epoch, "q2")
    await store.questions.answer("q1", "approved")
    assert await store.leases.resumable() == []  # it runs
    await store.runs.finish(frame(run_id, "complete"), epoch, AWAITING)
    assert await store.leases.resumable() == []
    await store.questions.answer("q2", "approved")

    assert await store.leases.resumable() == [run_id]
    assert await store.leases.claim(run_id, "me", 30.0, [AWAITING]) == 2
    assert await store.leases.resumable() == []


async def test_a_paused_run_goes_on_to_be_cancelled(store) -> None:
    """A wish to cancel does not wait for the answers."""
    run_id, epoch = await running(store)
    await ask(store, run_id, epoch, "q1")
    await store.runs.finish(frame(run_id, "complete"), epoch, AWAITING)
    await store.runs.request_cancel(run_id, "api")

    assert await store.leases.resumable() == [run_id]
