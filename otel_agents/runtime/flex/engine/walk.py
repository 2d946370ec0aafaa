"""Walks through the graph of one segment: starts what can start, looks at what ended; must not know how a node runs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, Final

from otel_agents.runtime.flex.engine import nodes
from otel_agents.runtime.flex.engine.answer import compose, is_valid
from otel_agents.runtime.flex.engine.endings import GivenBack, NodePaused, RunPaused, described
from otel_agents.runtime.flex.engine.rules import fired
from otel_agents.runtime.flex.engine.scene import Ruling, Scene
from otel_agents.runtime.flex.envelope import Goto
from otel_agents.runtime.flex.plan import PlanNode
from otel_agents.runtime.flex.problem import FlexError

if TYPE_CHECKING:  # the engine starts walks
    from otel_agents.runtime.flex.engine.engine import Engine, NodeResult

CUT_OFF: Final = ("running", "cancelled", "failed")
"""How a node stands whose last attempt did not end well, when another segment finds it."""


class Walk:
    """One way through a graph, which changes while it is walked."""

    def __init__(self, engine: Engine, scene: Scene) -> None:
        self._engine = engine
        self._scene = scene
        self._timeout_s = scene.envelope.constraints.timeout_seconds or engine.settings.run_timeout_s
        self._ends_s = engine.clock.monotonic() + self._timeout_s
        self._running: dict[asyncio.Task[NodeResult], PlanNode] = {}

    async def go(self) -> Any:
        """Walk until there is an output, see `Engine.run`."""
        try:
            await self._begin()
            while True:
                await self._fire()
                self._launch()
                if self._running:
                    await self._wait()
                elif await self._rest():
                    return compose(self._scene)
        finally:
            await self._halt()

    async def _begin(self) -> None:
        """Get a plan, ask the policies of the start, and take up what the segment before left."""
        scene, is_fresh = self._scene, self._scene.is_fresh
        await self._in_time(self._engine.planning.make(scene, "resume" if scene.plan else "initial"))
        if is_fresh:
            await self._engine.rules.consult(scene, "onStart")
        for node in scene.graph.nodes:
            if scene.state(node.id).status == "executed" and not scene.is_asked(node.id):
                await self._landed(node)

    async def _in_time(self, work: Awaitable[None]) -> None:
        try:
            async with asyncio.timeout(self._left_s()) as clock:
                await work
        except TimeoutError:
            if not clock.expired():
                raise
            raise self._too_late() from None

    def _left_s(self) -> float:
        return max(self._ends_s - self._engine.clock.monotonic(), 0)

    def _too_late(self) -> FlexError:
        return FlexError("run_timeout", f"The run took longer than {self._timeout_s:g} s")

    async def _fire(self) -> None:
        """Ask the policies that somebody triggered by hand."""
        while self._scene.manual:
            await self._engine.rules.consult(self._scene, "manual", only=self._scene.manual.popleft())

    def _launch(self) -> None:
        scene = self._scene
        if scene.rulings or scene.is_held or scene.is_leaving:
            return
        limit = scene.envelope.constraints.concurrency or self._engine.settings.concurrency
        for node in scene.graph.ready(scene.done.keys()):
            if len(self._running) < limit and self._may_start(node):
                task = asyncio.create_task(self._engine.run_node(scene, node), name=f"flex-node-{node.id}")
                task.add_done_callback(lambda _: scene.news.set())
                self._running[task] = node

    def _may_start(self, node: PlanNode) -> bool:
        scene, state = self._scene, self._scene.state(node.id)
        if node.id in scene.excused or any(node.id == other.id for other in self._running.values()):
            return False
        limit = self._engine.attempts.limit(scene, self._engine.registry.get(node.capability))
        if state.status in CUT_OFF and state.attempts >= limit:
            raise FlexError("interrupted", f"Node {node.id} was cut off and cannot be tried again")
        return state.status in {"pending", *CUT_OFF}

    async def _wait(self) -> None:
        """Wait for news, and look at the nodes that ended."""
        scene = self._scene
        try:
            async with asyncio.timeout(self._left_s()):
                await scene.news.wait()
        except TimeoutError:
            await self._time_up()
        scene.news.clear()
        for task in [task for task in self._running if task.done()]:
            await self._look(task, self._running.pop(task))

    async def _time_up(self) -> None:
        """Stop what runs, and ask the policies whether the run gets its time once more."""
        await self._halt()
        if not await self._engine.rules.consult(self._scene, "onTimeout"):
            raise self._too_late()
        self._ends_s = self._engine.clock.monotonic() + self._timeout_s

    async def _look(self, task: asyncio.Task[NodeResult], node: PlanNode) -> None:
        error = None if task.cancelled() else task.exception()
        if error is None and not task.cancelled():
            await self._landed(node)
        elif error is not None and not isinstance(error, NodePaused) and node.id not in self._scene.excused:
            _fail(error)

    async def _landed(self, node: PlanNode) -> None:
        """Ask the policies of a node that was executed; unless one of them decides something, it is complete.

        Neither is one that a human is asked about already, which a policy had executed again: that would go around him.
        """
        scene = self._scene
        if scene.state(node.id).status == "completed":
            return
        decided = await self._engine.rules.consult(scene, "onNodeComplete", node, output=scene.state(node.id).outputs)
        if not decided and not scene.is_asked(node.id):
            await nodes.complete(scene, node.id)

    async def _rest(self) -> bool:
        """Do what had to wait until no node runs; whether nothing is left to be done at all."""
        scene = self._scene
        if scene.is_leaving:
            raise GivenBack
        if scene.rulings:
            await self._carry_out(scene.rulings.pop(0))
            return False
        if scene.questions:
            raise RunPaused
        for error in scene.excused.values():
            _fail(error)
        return await is_valid(scene, self._engine.attempts, self._engine.rules)

    async def _carry_out(self, ruling: Ruling) -> None:
        scene, action = self._scene, ruling.action
        if isinstance(action, Goto):
            self._conclude(ruling)
            targets = [node.id for node in scene.graph.find(action.node)]
            if not targets:
                raise FlexError("policy_failed", f"Policy {ruling.policy.id} names no node of the plan")
            behind = {other for target in targets for other in scene.graph.descendants(target)}
            await nodes.reset(scene, {*targets, *behind})
        else:
            make = self._engine.planning.make(scene, "replan", ruling.policy.id, lambda: self._conclude(ruling))
            await self._in_time(make)

    def _conclude(self, ruling: Ruling) -> None:
        """Count the policy, and let go of the node that it was about."""
        scene, node = self._scene, ruling.node
        fired(scene, ruling.policy)
        if node is not None and scene.state(node.id).status == "executed" and not scene.is_asked(node.id):
            nodes.complete(scene, node.id)

    async def _halt(self) -> None:
        """Stop what runs, and wait until it has stopped; what ended meanwhile is still looked at by the walk."""
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(self._running)
        for task in self._running:
            _ = task.cancelled() or task.exception()  # looked at, so that nobody complains that it was not


def _fail(error: BaseException) -> None:
    """End the walk with the error of a node, or with one that has it as its cause."""
    told = described(error)
    if told is error:
        raise told
    raise told from error
