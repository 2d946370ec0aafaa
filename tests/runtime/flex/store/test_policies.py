from __future__ import annotations

import asyncio

import pytest
from sqlalchemy.exc import IntegrityError

from tests.runtime.flex.store.making import running


async def test_policies_are_counted_over_all_segments(store, clock) -> None:
    """What a policy did in an earlier segment counts in the next one."""
    run_id, epoch = await running(store)
    assert await store.policies.counts(run_id) == {}
    await store.policies.fired(run_id, epoch, "p1")
    clock.now += 60
    epoch = await store.leases.claim(run_id, "other", 30.0, ["running"])
    await asyncio.gather(*(store.policies.fired(run_id, epoch, name) for name in ("p1", "p1", "p2")))

    assert await store.policies.counts(run_id) == {"p1": 3, "p2": 1}


async def test_a_trigger_by_hand_reaches_the_owner_once(store, other) -> None:
    """What another process asks for is seen by the owner of the run, and gone when it is taken."""
    run_id, epoch = await running(store, "me")
    await other.policies.fire(run_id, "p1")
    await other.policies.fire(run_id, "p1")

    assert await store.policies.fires("other") == []
    assert await store.policies.fires("me") == [(run_id, "p1")]
    assert await store.policies.take(run_id, epoch, "p1") is True
    assert await store.policies.take(run_id, epoch, "p1") is False
    assert await store.policies.fires("me") == []
    assert await store.policies.counts(run_id) == {}


async def test_a_trigger_for_no_run_is_a_mistake(store) -> None:
    """Whoever asks has to know that the run is there."""
    with pytest.raises(IntegrityError):
        await store.policies.fire("nobody", "p1")
