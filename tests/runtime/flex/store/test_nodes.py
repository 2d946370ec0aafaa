from __future__ import annotations

from otel_agents.runtime.flex.store import NodeRow
from tests.runtime.flex.store.making import running


async def test_the_state_of_a_node_is_what_was_written_last(store, clock) -> None:
    """A node is running with its attempt, then ended with its outputs; attempts are never lost in between."""
    run_id, epoch = await running(store)
    await store.nodes.started(run_id, epoch, "n1", capability="draft", attempt=1)
    clock.now = 1001.0
    await store.nodes.started(run_id, epoch, "n1", capability="draft", attempt=2)
    started = NodeRow(
        node_id="n1",
        capability_id="draft",
        status="running",
        attempts=2,
        outputs=None,
        error=None,
        started_at=1001.0,
        finished_at=None,
    )
    assert await store.nodes.of(run_id) == {"n1": started}
    clock.now = 1002.0
    await store.nodes.finished(run_id, epoch, "n1", "completed", capability="draft", attempts=2, outputs={"draft": "ü"})
    node = (await store.nodes.of(run_id))["n1"]

    assert (node.status, node.attempts, node.outputs, node.finished_at) == ("completed", 2, {"draft": "ü"}, 1002.0)


async def test_a_node_that_runs_again_has_no_result_of_before(store) -> None:
    """Starting a node that ended leaves nothing of that ending."""
    run_id, epoch = await running(store)
    await store.nodes.started(run_id, epoch, "n1", capability="draft", attempt=1)
    await store.nodes.finished(
        run_id, epoch, "n1", "failed", capability="draft", attempts=1, error={"code": "node_failed"}
    )
    assert (await store.nodes.of(run_id))["n1"].error == {"code": "node_failed"}
    await store.nodes.started(run_id, epoch, "n1", capability="draft", attempt=2)
    node = (await store.nodes.of(run_id))["n1"]

    assert (node.status, node.error, node.finished_at) == ("running", None, None)


async def test_an_output_may_be_given_to_a_node_that_never_ran(store, clock) -> None:
    """What a human gave in place of an output is kept where no attempt was made yet, or was taken back."""
    run_id, epoch = await running(store)
    given = {"capability": "draft", "attempts": 0, "outputs": {"draft": "x"}}
    await store.nodes.finished(run_id, epoch, "n1", "completed", **given)
    node = (await store.nodes.of(run_id))["n1"]

    assert (node.status, node.capability_id, node.attempts, node.outputs) == ("completed", "draft", 0, {"draft": "x"})


async def test_nodes_that_are_reset_are_as_if_they_never_ran(store, clock) -> None:
    """Reset takes the named nodes of this run only; the others keep the order in which they started."""
    run_id, epoch = await running(store)
    foreign, foreign_epoch = await running(store)
    await store.nodes.started(foreign, foreign_epoch, "b", capability="x", attempt=1)
    for name in ("c", "b", "a"):
        await store.nodes.started(run_id, epoch, name, capability="x", attempt=1)
        clock.now += 1
    await store.nodes.reset(run_id, epoch, ["b", "unknown"])
    await store.nodes.reset(run_id, epoch, [])

    assert list(await store.nodes.of(run_id)) == ["c", "a"]
    assert list(await store.nodes.of(foreign)) == ["b"]
