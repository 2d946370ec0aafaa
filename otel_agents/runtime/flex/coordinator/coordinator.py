"""The life of runs: accepted, executed in segments, paused, answered, cancelled, taken over; must not know HTTP."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any, Final
from uuid import uuid4

from otel_agents.runtime.flex.capabilities import Registry
from otel_agents.runtime.flex.coordinator import views
from otel_agents.runtime.flex.coordinator.checks import check_answer, check_envelope
from otel_agents.runtime.flex.coordinator.execution import Execution
from otel_agents.runtime.flex.coordinator.keeping import Keeping
from otel_agents.runtime.flex.coordinator.opening import MAX_OPEN
from otel_agents.runtime.flex.coordinator.running import Running
from otel_agents.runtime.flex.coordinator.segment import Accepted, Ending, Segment
from otel_agents.runtime.flex.engine import Clock, Engine, end_left
from otel_agents.runtime.flex.envelope import TaskEnvelope
from otel_agents.runtime.flex.frames import Frame
from otel_agents.runtime.flex.hitl import Answer
from otel_agents.runtime.flex.planner import Planner
from otel_agents.runtime.flex.problem import FlexError
from otel_agents.runtime.flex.settings import Settings
from otel_agents.runtime.flex.store import (
    AWAITING,
    CANCELLED,
    QUEUED,
    RUNNING,
    Cancel,
    NewRun,
    QuestionRow,
    RunSummary,
    Store,
)

NAME: Final = "flex"
ACTIVE: Final = (QUEUED, RUNNING)
_log = logging.getLogger("otel_agents.flex")


class Coordinator:
    """Runs of one process. Any number of processes may share a database; each run is executed by one of them."""

    def __init__(
        self,
        store: Store,
        registry: Registry,
        settings: Settings,
        planner: Planner | None = None,
        *,
        clock: Clock | None = None,
    ) -> None:
        self.store = store
        self.registry = registry
        self.settings = settings
        self.clock = clock or Clock()
        planner = planner or Planner(registry, attempts=settings.plan_attempts)
        self.engine = Engine(registry, planner, settings, clock=self.clock)
        self.owner = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"
        self.running = Running(self)
        self._keeping = Keeping(self)

    async def start(self) -> None:
        """Begin to keep the leases of this process, and to take up what others left."""
        self._keeping.start()

    async def stop(self, grace_s: float) -> None:
        """Give every run back, so that another process goes on.

        Args:
            grace_s: Seconds that nodes have to end by themselves.
        """
        await self.running.stop(grace_s)
        await self._keeping.stop()
        end_left()

    async def accept(self, envelope: TaskEnvelope, idempotency_key: str | None = None) -> Accepted:
        """Store a run and begin it.

        Args:
            idempotency_key: The same key from the same client gives the same run.

        Raises:
            FlexError: `unknown_capability`, `overloaded`, `idempotency_mismatch`, `store_unavailable`.
        """
        check_envelope(envelope, self.registry)
        new = _new_run(envelope)
        if idempotency_key is not None and not self.running.places.free:  # a run that there is needs no place
            known = await self.store.runs.known(new, idempotency_key)
            if known is not None:
                return await self._accepted_before(known)
        with self.running.places.held() as place:
            run_id, is_new = await self.store.runs.create(
                new, idempotency_key=idempotency_key, lease_s=self.settings.lease_s
            )
            if not is_new:
                return await self._accepted_before(run_id)
            try:
                await self.running.begin(run_id, (QUEUED,), place)
            except FlexError as error:  # it is stored, so it will be executed: by the sweep of any process
                _log.warning("run %s begins later: %s", run_id, error)
            return Accepted(run_id, new.correlation_id, is_new=True)

    async def _accepted_before(self, run_id: str) -> Accepted:
        return Accepted(run_id, (await self.store.runs.get(run_id)).correlation_id, is_new=False)

    async def execute(self, segment: Segment) -> Ending:
        """Execute one segment. An observer sees it.

        Raises:
            FlexError: `interrupted`: another process has the run, or the store is away; recovery goes on with it.
            asyncio.CancelledError: The process is about to stop, and gives the run back.
        """
        return await Execution(self, self.running.live[segment.run_id]).go()

    def cancel_asked(self, run_id: str, correlation_id: str, source: str) -> None:
        """Take note, inside the run, that it is to stop. An observer sees it."""
        story = self.running.live[run_id].scene.story
        story.tell(story.frame("cancel_requested", payload={"source": source}))

    def cancel_obeyed(self, run_id: str, source: str, latency_ms: float) -> None:
        """Take note, inside the run, that nothing of it runs any more. An observer sees it."""
        story = self.running.live[run_id].scene.story
        story.tell(story.frame("cancel_acknowledged", payload={"source": source, "latencyMs": latency_ms}))

    async def frames(self, run_id: str, after_seq: int = 0) -> AsyncIterator[Frame]:
        """Give the frames of a run behind a number; the last one is the `complete` of the segment that runs now.

        Raises:
            FlexError: `not_found`, `store_unavailable`.
        """
        run = await self.store.runs.get(run_id)
        is_active = await self._goes_on(run)
        if not is_active and run.last_seq <= after_seq:
            return
        # A client may name a frame that there is not: waiting for what comes behind it would have no end.
        async with aclosing(self.store.journal.follow(run_id, min(after_seq, run.last_seq))) as frames:
            async for frame in frames:
                yield frame
                is_behind = frame.seq > run.last_seq if is_active else frame.seq >= run.last_seq
                if frame.type == "complete" and is_behind:
                    return

    async def has_more(self, run_id: str, after_seq: int) -> bool:
        """Whether `frames` would give any: they are there, or come without anybody's doing.

        Raises:
            FlexError: `not_found`, `store_unavailable`.
        """
        run = await self.store.runs.get(run_id)
        return run.last_seq > after_seq or await self._goes_on(run)

    async def _goes_on(self, run: RunSummary) -> bool:
        return run.status in ACTIVE or await self.running.is_ready(run)

    async def resume(
        self,
        run_id: str,
        expected_plan_version: int | None = None,
        answer: Answer | None = None,
        request_id: str | None = None,
    ) -> int:
        """Let a paused run go on; return the number behind which its new frames come.

        Args:
            answer: Recorded before, for the question `request_id`, or for the only one that is open.

        Raises:
            FlexError: `not_found`, `finished`, `already_running`, `plan_version_mismatch`, `not_resolved`,
                `already_resolved`, `invalid_answer`, `overloaded`, `store_unavailable`.
        """
        run = await self.store.runs.get(run_id)
        _check_resumable(run, expected_plan_version)
        with self.running.places.held() as place:
            if answer is not None:
                await self._answer(await self._question(run_id, request_id), answer)
            if await self.store.questions.pending(run_id=run_id):
                taken = "The answer is taken, and the" if answer is not None else "The"
                raise FlexError("not_resolved", f"{taken} run still waits for the answer to a question")
            # With an answer of this very call, whoever was faster goes on because of it.
            if not await self.running.begin(run_id, (AWAITING,), place) and answer is None:
                raise FlexError("already_running", "The run goes on already")
        return run.last_seq

    async def _question(self, run_id: str, request_id: str | None) -> QuestionRow:
        """Return the question that an answer is for."""
        if request_id is not None:
            question = await self.store.questions.get(request_id)
            if question.run_id != run_id:
                raise FlexError("not_found", "The run has no such question")
            return question
        pending = await self.store.questions.pending(run_id=run_id)
        if not pending:
            raise FlexError("already_resolved", "No question of the run is open")
        if len(pending) > 1:
            raise FlexError("not_resolved", "Several questions are open; name one by its request id")
        return pending[0]

    async def _answer(self, question: QuestionRow, answer: Answer) -> None:
        run = await self.store.runs.get(question.run_id)
        await asyncio.to_thread(check_answer, question, answer, self.registry, run.envelope)
        if not await self.store.questions.answer(
            question.id, answer.decision, value=answer.value, text=answer.text, by=answer.by
        ):
            raise FlexError("already_resolved", "The question has its answer, or its run has ended")

    async def resolve(self, request_id: str, answer: Answer) -> str:
        """Answer a question, and return its run, which goes on in the background when no other one is open.

        Raises:
            FlexError: `not_found`, `already_resolved`, `invalid_answer`, `store_unavailable`.
        """
        question = await self.store.questions.get(request_id)
        await self._answer(question, answer)
        await self.running.go_on(question.run_id)
        return question.run_id

    async def cancel(self, run_id: str, source: str = "api") -> str:
        """Ask a run to stop, wherever it runs; return its status at that moment.

        Raises:
            FlexError: `not_found`, `finished`, `store_unavailable`.
        """
        run = await self.store.runs.get(run_id)
        if run.has_ended:
            if run.status == CANCELLED:
                return run.status
            raise FlexError("finished", "The run has ended")
        if await self.store.runs.request_cancel(run_id, source):
            self.running.cancel(Cancel(run_id, source, self.clock.wall()))
            await self.running.go_on(run_id)
        return run.status

    async def fire(self, run_id: str, policy_id: str) -> None:
        """Trigger a policy by hand; a paused run acts on it when it goes on.

        Raises:
            FlexError: `not_found`, `finished`, `store_unavailable`.
        """
        run = await self.store.runs.get(run_id)
        envelope = TaskEnvelope.load(run.envelope)
        if not any(each.id == policy_id and each.trigger.kind == "manual" for each in envelope.policies.runtime):
            raise FlexError("not_found", "The run has no such policy with a manual trigger")
        if run.has_ended:
            raise FlexError("finished", "The run has ended")
        await self.store.policies.fire(run_id, policy_id)
        await self.running.take_fires()

    async def pending(self, limit: int = MAX_OPEN) -> list[dict[str, Any]]:
        """Return the questions that nobody has answered, the oldest first."""
        return [views.question(row) for row in await self.store.questions.pending(limit=limit)]

    async def describe(self, run_id: str) -> dict[str, Any]:
        """Return what is known of a run, without its content.

        Raises:
            FlexError: `not_found`, `store_unavailable`.
        """
        run = await self.store.runs.get(run_id)
        graph: Mapping[str, Any] | None = await self.store.runs.plan(run_id)
        asked = await self.store.questions.of(run_id)
        counts = await self.store.policies.counts(run_id)
        return (
            views.run(run)
            | views.details(run, graph, await self.store.nodes.of(run_id), asked)
            | {"policiesFired": dict(counts)}
        )

    async def runs(self, status: str | None = None, limit: int = 50, after: str | None = None) -> list[dict[str, Any]]:
        """Return runs, the newest first; `after` is the last one of the page before."""
        return [views.run(row) for row in await self.store.runs.list(status=status, limit=limit, after=after)]


def _new_run(envelope: TaskEnvelope) -> NewRun:
    new_id, said = uuid4().hex, envelope.metadata
    return NewRun(
        run_id=new_id,
        correlation_id=said.correlation_id or new_id,
        name=said.run_label or NAME,
        envelope=envelope.dump(),
        client_id=said.client_id or "",
    )


def _check_resumable(run: RunSummary, expected_plan_version: int | None) -> None:
    if run.has_ended:
        raise FlexError("finished", "The run has ended")
    if run.status != AWAITING:
        raise FlexError("already_running", "The run goes on already")
    if expected_plan_version not in (None, run.plan_version):
        raise FlexError("plan_version_mismatch", "Another version of the plan is in force")
