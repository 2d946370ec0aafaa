"""One segment from its first frame to its last, whatever its ending; must not know where segments come from."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from otel_agents.runtime.flex.coordinator.opening import as_answer
from otel_agents.runtime.flex.coordinator.segment import Ending, Live
from otel_agents.runtime.flex.engine import GivenBack, NodeFailed, RunPaused
from otel_agents.runtime.flex.hitl import Question
from otel_agents.runtime.flex.problem import FlexError
from otel_agents.runtime.flex.store import Fenced

if TYPE_CHECKING:  # the coordinator executes segments
    from otel_agents.runtime.flex.coordinator.coordinator import Coordinator

MS: Final = 1000
_log = logging.getLogger("otel_agents.flex")


class Execution:
    """The execution of one segment."""

    def __init__(self, coordinator: Coordinator, live: Live) -> None:
        self._coordinator = coordinator
        self._live = live
        self._scene = live.scene
        self._story = live.scene.story
        self._clock = coordinator.clock
        self._began_s = self._clock.monotonic()

    async def go(self) -> Ending:
        """Execute, see `Coordinator.execute`."""
        segment = self._live.segment
        payload = {"name": segment.name} | ({"resumed": True} if segment.resumed else {})
        payload |= {"objective": segment.envelope.objective}
        self._story.tell(self._story.frame("start", payload=payload))
        if segment.interrupted:
            self._scene.note("The run was interrupted, and goes on")
        ending = await self._work()
        if ending.status != "awaiting_hitl":
            await self._close_questions()
        await self._finish(ending)
        return ending

    async def _work(self) -> Ending:
        live, story = self._live, self._story
        if live.cancel.done():
            return await self._cancel_at_once()
        walk = asyncio.create_task(self._coordinator.engine.run(live.scene, live.answered), name="flex-walk")
        try:
            await asyncio.wait([walk, live.cancel, story.broken], return_when=asyncio.FIRST_COMPLETED)
            if live.cancel.done() and not walk.done():
                return await self._cancel(walk)
        finally:
            await _stopped(walk)
        return self._ending(walk)

    async def _cancel_at_once(self) -> Ending:
        """Cancel a run that nothing is executed of, such as one that waits for a human."""
        for question, answer in self._live.answered:
            await self._scene.desk.settle(question, answer)
        return await self._cancel(None)

    async def _cancel(self, walk: asyncio.Task[Any] | None) -> Ending:
        wish, segment = self._live.cancel.result(), self._live.segment
        self._coordinator.cancel_asked(segment.run_id, segment.correlation_id, wish.source)
        if walk is not None:
            await _stopped(walk)
        latency_s = max(self._clock.wall() - wish.requested_at, 0.0)
        self._coordinator.cancel_obeyed(segment.run_id, wish.source, round(latency_s * MS, 3))
        return Ending(status="cancelled", reason=wish.source)

    def _ending(self, walk: asyncio.Task[Any]) -> Ending:
        """Say how the walk ended."""
        if self._story.broken.done():
            refused = self._story.broken.result()
            if isinstance(refused, Fenced | FlexError | asyncio.CancelledError):
                raise FlexError("interrupted", "The segment ended: its run is another's, or the store is away")
            self._story.mend()
            return self._mistaken(refused)  # no process could store it: the run would be taken up for ever
        error = asyncio.CancelledError() if walk.cancelled() else walk.exception()
        if error is None:
            return Ending(status="completed", output=walk.result())
        if isinstance(error, RunPaused):
            return Ending(status="awaiting_hitl")
        if isinstance(error, GivenBack):
            raise asyncio.CancelledError
        if not isinstance(error, FlexError):
            return self._mistaken(error)
        cause = error.__cause__ if isinstance(error, NodeFailed) else error
        return Ending(status="failed", reason=error.code, error=error, cause=cause)

    def _mistaken(self, error: BaseException) -> Ending:
        _log.error("run %s: a mistake of ours", self._live.segment.run_id, exc_info=error)
        told = FlexError("internal", "Something went wrong inside the server")
        return Ending(status="failed", reason=told.code, error=told, cause=error)

    async def _close_questions(self) -> None:
        """Settle what this segment asked, and nobody has to answer any more since the run ends."""
        for question in self._scene.questions.values():
            await self._story.write(partial(self._expire, question))
            row = await self._story.store.questions.get(question.id)
            await self._scene.desk.settle(question, as_answer(row))

    async def _expire(self, question: Question) -> None:
        await self._story.store.questions.answer(question.id, "expired")

    async def _finish(self, ending: Ending) -> None:
        """Tell the last frame, and store with it how the segment ended."""
        story, error = self._story, ending.error.as_dict() if ending.error else None
        payload: dict[str, Any] = {"status": ending.status}
        payload |= {"reason": ending.reason} if ending.reason else {}
        payload |= {"errorType": type(ending.cause).__name__, "error": error} if error else {}
        payload |= {"output": ending.output} if ending.status == "completed" else {}
        took_ms = self._clock.took_ms(self._began_s)
        frame = story.frame("complete", status=ending.status, duration_ms=took_ms, payload=payload)
        self._live.end()
        await story.write(
            lambda: story.store.runs.finish(
                frame, story.epoch, ending.status, reason=ending.reason, error=error, output=ending.output
            )
        )


async def _stopped(walk: asyncio.Task[Any]) -> None:
    """Stop the walk, and wait until it has."""
    if not walk.done():
        walk.cancel()
        await asyncio.wait([walk])
    _ = walk.cancelled() or walk.exception()  # looked at, so that nobody complains that it was not
