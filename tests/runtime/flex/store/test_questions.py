from __future__ import annotations

import asyncio

import pytest

from otel_agents.runtime.flex.problem import FlexError
from otel_agents.runtime.flex.store import AWAITING, QuestionRow
from tests.runtime.flex.store.making import ask, frame, question, running

PROVENANCE = {"input": [{"facet": "draft", "title": "Draft", "direction": "input", "pointer": "/draft"}], "output": []}


async def test_a_question_is_kept_with_its_frame(store) -> None:
    """A question is read back whole, with the correlation id of its run, and its frame is in the journal."""
    run_id, epoch = await running(store)
    details = {"node_id": "n1", "capability_id": "review", "prompt": "ok\x00?", "plan_version": 2}
    asked = question("q1", run_id, provenance=PROVENANCE, expires_at=1060.0, **details)
    stored = await store.questions.ask(asked, frame(run_id, "hitl_request"), epoch)

    assert (stored.seq, [each.type for each in await store.journal.after(run_id)]) == (1, ["hitl_request"])
    expected = QuestionRow(
        id="q1",
        run_id=run_id,
        correlation_id=f"c-{run_id}",
        origin="policy",
        provenance=PROVENANCE,
        asked_at=1000.0,
        expires_at=1060.0,
        decision=None,
        value=None,
        text=None,
        by=None,
        answered_at=None,
        settled_at=None,
        node_id="n1",
        capability_id="review",
        prompt="ok\x00?",
        plan_version=2,
    )
    assert await store.questions.get("q1") == expected
    assert await store.questions.pending() == [expected]


async def test_of_all_answers_the_first_wins(store, other) -> None:
    """Many operators answer at once from two processes: one is told that it counts, and that answer stands."""
    run_id, epoch = await running(store)
    await ask(store, run_id, epoch, "q1")
    answers = [
        each.questions.answer("q1", "edited", value={"n": number}, text="t", by=f"o{number}")
        for number, each in enumerate([store, other] * 10)
    ]
    won = await asyncio.gather(*answers)
    row = await store.questions.get("q1")

    assert sorted(won) == [False] * 19 + [True]
    assert (row.decision, row.value, row.text, row.by) == ("edited", {"n": won.index(True)}, "t", f"o{won.index(True)}")
    assert await store.questions.pending() == []


async def test_an_answer_is_settled_by_the_segment_that_acts_on_it(store) -> None:
    """An answer waits until a segment says, with a frame, that it acts on it: once."""
    run_id, epoch = await running(store)
    for request_id in ("q1", "q2"):
        await ask(store, run_id, epoch, request_id)
    await store.runs.finish(frame(run_id, "complete"), epoch, AWAITING)
    await store.questions.answer("q1", "responded", text="shorter")
    epoch = await store.leases.claim(run_id, "me", 30.0, [AWAITING])

    assert [each.id for each in await store.questions.unsettled(run_id)] == ["q1"]
    await store.questions.settle("q1", frame(run_id, "hitl_resolved"), epoch)
    assert await store.questions.unsettled(run_id) == []
    assert [each.id for each in await store.questions.pending(run_id=run_id)] == ["q2"]
    assert (await store.questions.get("q1")).settled_at == 1000.0
    assert [each.type for each in await store.journal.after(run_id, 3)] == ["hitl_resolved"]


async def test_an_unknown_question_is_not_found(store) -> None:
    """Answering what nobody asked is an error with its own code."""
    with pytest.raises(FlexError) as missing:
        await store.questions.answer("q1", "approved")

    assert missing.value.code == "not_found"


async def test_a_question_that_is_asked_again_stays_what_it_was(store, clock) -> None:
    """A segment that goes on after a crash and asks again neither doubles the question nor loses the answer."""
    run_id, epoch = await running(store)
    await ask(store, run_id, epoch, "q1", prompt="first")
    await store.questions.answer("q1", "approved")
    await ask(store, run_id, epoch, "q1", prompt="second", asked_at=1005.0)
    row = await store.questions.get("q1")

    assert (row.prompt, row.asked_at, row.decision) == ("first", 1000.0, "approved")


async def test_the_queue_is_bounded_and_oldest_first(store) -> None:
    """Operators see what has waited longest, of one run if they like."""
    first, epoch = await running(store)
    await ask(store, first, epoch, "q2", asked_at=1002.0)
    await ask(store, first, epoch, "q1", asked_at=1001.0)
    second, epoch = await running(store)
    await ask(store, second, epoch, "q0", asked_at=1003.0)

    assert [each.id for each in await store.questions.pending()] == ["q1", "q2", "q0"]
    assert [each.id for each in await store.questions.pending(limit=2)] == ["q1", "q2"]
    assert [each.id for each in await store.questions.pending(run_id=second)] == ["q0"]


async def test_a_question_expires_once_and_takes_no_answer_afterwards(store, other, clock) -> None:
    """What is late is given to one sweeper only, and late counts from its second, swept or not."""
    run_id, epoch = await running(store)
    await ask(store, run_id, epoch, "late", expires_at=1010.0)
    await ask(store, run_id, epoch, "later", expires_at=1020.0)
    await ask(store, run_id, epoch, "never")
    assert await store.questions.expire() == []
    clock.now = 1010.0
    assert await store.questions.answer("late", "approved") is False
    swept = await asyncio.gather(*(each.questions.expire() for each in [store, other] * 3))
    [expired] = [row for rows in swept for row in rows]

    assert (expired.id, expired.decision, expired.answered_at) == ("late", "expired", 1010.0)
    assert [each.id for each in await store.questions.pending()] == ["later", "never"]
    assert [each.id for each in await store.questions.unsettled(run_id)] == ["late"]


async def test_what_is_late_may_be_called_so_before_it_is_swept(store, clock) -> None:
    """A run that ends closes its questions, also one whose time was up a moment ago."""
    run_id, epoch = await running(store)
    await ask(store, run_id, epoch, "late", expires_at=1010.0)
    clock.now = 1011.0

    assert await store.questions.answer("late", "expired") is True
    assert (await store.questions.get("late")).decision == "expired"


async def test_a_run_that_ended_takes_no_answer(store) -> None:
    """A question that a failed run left open is in no queue, and answering it comes too late."""
    run_id, epoch = await running(store)
    await ask(store, run_id, epoch, "q1")
    await store.runs.finish(frame(run_id, "complete"), epoch, "failed")

    assert await store.questions.pending() == []
    assert await store.questions.answer("q1", "approved") is False
