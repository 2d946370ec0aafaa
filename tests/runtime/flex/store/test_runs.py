from __future__ import annotations

import asyncio

import pytest

from otel_agents.runtime.flex.problem import FlexError
from otel_agents.runtime.flex.store import RUNNING, Fenced, RunRow
from tests.runtime.flex.store.making import ENVELOPE, ask, frame, new_run, running


async def test_a_new_run_is_queued_with_all_that_was_said(store) -> None:
    """A created run is read back whole, queued, and left to its creator for the time of a lease."""
    created = await store.runs.create(new_run("r1", client_id="acme"), idempotency_key="k", lease_s=5.0)

    assert created == ("r1", True)
    assert await store.runs.get("r1") == RunRow(
        run_id="r1",
        correlation_id="c-r1",
        client_id="acme",
        name="flex",
        status="queued",
        reason=None,
        plan_version=None,
        owner=None,
        lease_until=1005.0,
        epoch=0,
        last_seq=0,
        cancel_source=None,
        cancel_requested_at=None,
        created_at=1000.0,
        updated_at=1000.0,
        finished_at=None,
        envelope=ENVELOPE,
        error=None,
        output=None,
    )


async def test_any_text_survives_in_an_envelope(store) -> None:
    """NUL, lone surrogates, and what is outside of ASCII are stored and read as they were."""
    envelope = {"objective": "a\x00b \ud800 ü 🦊", "inputs": {"deep": [1, 1.5, None, True, {"x": "\x7f"}]}}
    await store.runs.create(new_run("r1", envelope=envelope))

    assert (await store.runs.get("r1")).envelope == envelope


async def test_the_same_key_of_the_same_client_is_the_same_run(store, other) -> None:
    """However many processes accept a key at once, one run comes of it, and one of them hears that it is new."""
    tries = [
        each.runs.create(new_run(f"r{number}", client_id="acme"), idempotency_key="k")
        for number, each in enumerate([store, other] * 10)
    ]
    answers = await asyncio.gather(*tries)

    assert len({run_id for run_id, _ in answers}) == 1
    assert sorted(is_new for _, is_new in answers) == [False] * 19 + [True]
    assert len(await store.runs.list()) == 1


async def test_a_key_means_nothing_to_another_client(store) -> None:
    """Two clients may use one key, and without a key every run is new."""
    for run_id, client_id, key in (("r1", "a", "k"), ("r2", "b", "k"), ("r3", "a", None), ("r4", "a", None)):
        assert await store.runs.create(new_run(run_id, client_id=client_id), idempotency_key=key) == (run_id, True)


async def test_a_key_with_another_envelope_is_refused(store) -> None:
    """The order of an envelope's keys does not matter, its content does."""
    await store.runs.create(new_run("r1", envelope={"objective": "a", "inputs": {}}), idempotency_key="k")
    same = await store.runs.create(new_run("r2", envelope={"inputs": {}, "objective": "a"}), idempotency_key="k")
    with pytest.raises(FlexError) as refused:
        await store.runs.create(new_run("r3", envelope={"objective": "b", "inputs": {}}), idempotency_key="k")

    assert same == ("r1", False)
    assert (refused.value.code, refused.value.status) == ("idempotency_mismatch", 409)
    assert [run.run_id for run in await store.runs.list()] == ["r1"]


@pytest.mark.parametrize("run_id", ["r1", "", "a\x00b", "\ud800", "x" * 10_000])
async def test_an_unknown_run_is_not_found(store, run_id) -> None:
    """Asking for a run that is not there is an error with its own code, whatever characters the id is made of."""
    with pytest.raises(FlexError) as missing:
        await store.runs.get(run_id)

    assert missing.value.code == "not_found"
    assert await store.journal.after(run_id, 10**30) == []
    assert await store.runs.list(status=run_id, after=run_id) == []


async def test_a_client_may_use_any_characters(store) -> None:
    """Names with characters that a database refuses are kept with a mark in their place, and found again."""
    await store.runs.create(new_run("r1", client_id="a\x00", name="\ud800ü"), idempotency_key="k\x00")
    again = await store.runs.create(new_run("r2", client_id="a\x00"), idempotency_key="k\x00")
    run = await store.runs.get("r1")

    assert again == ("r1", False)
    assert (run.client_id, run.name) == ("a\ufffd", "?ü")


async def test_runs_are_listed_in_pages_newest_first(store, clock) -> None:
    """A page goes on behind the last run of the page before, also among runs of the same moment."""
    for run_id in ("a", "b", "c", "d"):
        await store.runs.create(new_run(run_id))
        clock.now += run_id in {"b", "c"}
    await store.leases.claim("c", "me", 10.0, ["queued"])

    assert [run.run_id for run in await store.runs.list(limit=3)] == ["d", "c", "b"]
    assert [run.run_id for run in await store.runs.list(limit=3, after="b")] == ["a"]
    assert [run.run_id for run in await store.runs.list(status=RUNNING)] == ["c"]
    assert await store.runs.list(after="nobody") == []


async def test_plans_are_kept_in_all_versions(store) -> None:
    """The last plan that was set is in force, older versions stay readable, and a version may be set again."""
    run_id, epoch = await running(store)
    assert await store.runs.plan(run_id) is None
    for graph in ({"version": 1, "nodes": ["a"]}, {"version": 1, "nodes": ["b"]}, {"version": 2, "nodes": ["c"]}):
        await store.runs.set_plan(run_id, epoch, graph)

    assert (await store.runs.get(run_id)).plan_version == 2
    assert await store.runs.plan(run_id) == {"version": 2, "nodes": ["c"]}
    assert await store.runs.plan(run_id, 1) == {"version": 1, "nodes": ["b"]}
    assert await store.runs.plan(run_id, 3) is None


async def test_a_segment_ends_with_its_last_frame(store, clock) -> None:
    """Status, result and the last frame are one fact, and nobody owns the run afterwards."""
    run_id, epoch = await running(store)
    clock.now = 1010.0
    last = await store.runs.finish(frame(run_id, "complete"), epoch, "completed", reason="done", output={"x": None})
    run = await store.runs.get(run_id)

    assert (last.seq, run.last_seq) == (1, 1)
    assert (run.status, run.reason, run.output, run.owner, run.lease_until, run.finished_at, run.has_ended) == (
        *("completed", "done", {"x": None}, None, None, 1010.0),
        True,
    )


async def test_a_paused_run_has_not_ended(store) -> None:
    """A segment that waits for a human ends, its run does not."""
    run_id, epoch = await running(store)
    await store.runs.finish(frame(run_id, "complete"), epoch, "awaiting_hitl")
    run = await store.runs.get(run_id)

    assert (run.status, run.finished_at, run.has_ended) == ("awaiting_hitl", None, False)


async def test_nothing_of_an_old_segment_is_written(store, other, clock) -> None:
    """Once another process has claimed the run, every write of the segment before is refused and leaves no trace."""
    run_id, old = await running(store)
    clock.now += 60
    new = await other.leases.claim(run_id, "other", 30.0, [RUNNING])
    writes = (
        lambda: store.runs.set_plan(run_id, old, {"version": 1}),
        lambda: store.runs.finish(frame(run_id, "complete"), old, "completed"),
        lambda: store.leases.release(run_id, old),
        lambda: store.nodes.started(run_id, old, "n", capability="c", attempt=1),
        lambda: store.nodes.finished(run_id, old, "n", "completed", capability="c", attempts=1),
        lambda: store.nodes.reset(run_id, old, ["n"]),
        lambda: store.policies.fired(run_id, old, "p"),
        lambda: store.policies.take(run_id, old, "p"),
        lambda: ask(store, run_id, old, "q"),
        lambda: store.questions.settle("q", frame(run_id), old),
        lambda: store.journal.append(frame(run_id), epoch=old),
    )
    before = await store.runs.get(run_id)
    for write in writes:
        with pytest.raises(Fenced):
            await write()

    assert new == old + 1
    assert await store.runs.get(run_id) == before
    assert (await store.nodes.of(run_id), await store.questions.pending()) == ({}, [])
    assert await store.journal.after(run_id) == []


async def test_nothing_is_written_behind_the_last_frame(store) -> None:
    """A segment that has ended writes no more, though nobody has claimed the run."""
    run_id, epoch = await running(store)
    await store.runs.finish(frame(run_id, "complete"), epoch, "failed", error={"code": "internal"})
    with pytest.raises(Fenced):
        await store.journal.append(frame(run_id), epoch=epoch)

    assert [each.type for each in await store.journal.after(run_id)] == ["complete"]


async def test_the_first_wish_to_cancel_wins(store, other) -> None:
    """Of many who want a run cancelled one is told that it was the first, and its owner sees the wish."""
    run_id, _ = await running(store, "me")
    wishes = [each.runs.request_cancel(run_id, f"s{number}") for number, each in enumerate([store, other] * 5)]
    answers = await asyncio.gather(*wishes)
    [cancel] = await store.leases.cancels("me")

    assert sorted(answers) == [False] * 9 + [True]
    assert (cancel.run_id, cancel.source, cancel.requested_at) == (run_id, f"s{answers.index(True)}", 1000.0)
    assert await store.leases.cancels("other") == []


async def test_a_run_that_ended_cannot_be_cancelled(store) -> None:
    """A wish to cancel comes too late for a run that ended, or for none."""
    run_id, epoch = await running(store)
    await store.runs.finish(frame(run_id, "complete"), epoch, "completed")

    assert await store.runs.request_cancel(run_id, "api") is False
    assert await store.runs.request_cancel("nobody", "api") is False


async def test_only_runs_that_ended_long_ago_are_forgotten(store, clock) -> None:
    """Pruning takes an old ended run with all that hangs on it, and leaves the recent, the running and the waiting."""
    kept = {"running": await running(store), "waiting": await running(store)}
    await store.runs.finish(frame(kept["waiting"][0], "complete"), kept["waiting"][1], "awaiting_hitl")
    gone, epoch = await running(store)
    await store.runs.set_plan(gone, epoch, {"version": 1})
    await store.nodes.started(gone, epoch, "n", capability="c", attempt=1)
    await store.policies.fired(gone, epoch, "p")
    await ask(store, gone, epoch, "q")
    await store.runs.finish(frame(gone, "complete"), epoch, "completed")
    clock.now += 100
    recent, epoch = await running(store)
    await store.runs.finish(frame(recent, "complete"), epoch, "cancelled")

    assert await store.runs.prune(50) == 1
    assert {run.run_id for run in await store.runs.list()} == {recent, *(run_id for run_id, _ in kept.values())}
    assert (await store.journal.after(gone), await store.nodes.of(gone), await store.runs.plan(gone, 1)) == (
        [],
        {},
        None,
    )
    assert not await store.policies.counts(gone)
    with pytest.raises(FlexError, match="no such question"):
        await store.questions.get("q")


async def test_any_number_of_runs_is_forgotten(store, clock, monkeypatch) -> None:
    """More runs than go into one transaction are pruned in several."""
    monkeypatch.setattr("otel_agents.runtime.flex.store.runs.PRUNED_AT_ONCE", 2)
    for _ in range(5):
        run_id, epoch = await running(store)
        await store.runs.finish(frame(run_id, "complete"), epoch, "completed")
    clock.now += 100

    assert await store.runs.prune(50) == 5
    assert await store.runs.list() == []
