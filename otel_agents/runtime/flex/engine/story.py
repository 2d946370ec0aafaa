"""What a segment of a run writes: frames and states in the order in which they happened; knows not what they mean.

Whatever is told is queued before the teller can be cancelled, and what is told without waiting in between is stored
together or not at all. So the store holds at each moment the beginning of the story, and nothing from its middle.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from otel_agents.runtime.flex.engine.clock import Clock
from otel_agents.runtime.flex.frames import Frame
from otel_agents.runtime.flex.hitl import Question
from otel_agents.runtime.flex.plan import PlanNode
from otel_agents.runtime.flex.problem import FlexError
from otel_agents.runtime.flex.store import Store

FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 2.0

Write = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class _Entry:
    """One write that waits for its turn."""

    write: Write
    told: asyncio.Future[None]


@dataclass(frozen=True, slots=True)
class _Told:
    """What a teller may await; cancelling the teller does not take back what was told."""

    told: asyncio.Future[None]

    def __await__(self) -> Generator[Any, None, None]:
        return asyncio.shield(self.told).__await__()


@dataclass
class Story:
    """The pen of one segment.

    Attributes:
        epoch: The segment; when another one has begun, nothing of this one is stored any more.
        patience_s: How long the store may be away before the segment gives up.
        plan_version: The plan in force, which frames tell.
        seq: The number of the last frame that is stored.
        broken: Done with the error when nothing can be stored any more.
    """

    store: Store
    run_id: str
    correlation_id: str
    epoch: int
    patience_s: float
    clock: Clock = field(default_factory=Clock)
    plan_version: int | None = None
    seq: int = 0
    broken: asyncio.Future[BaseException] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    _waiting: list[_Entry] = field(default_factory=list)
    _writing: asyncio.Task[None] | None = None

    def frame(self, frame_type: str, node: PlanNode | None = None, **fields: Any) -> Frame:
        """Return a frame of this run; ``node`` fills in what frames tell of a node."""
        if node is not None:
            about = {"node_id": node.id, "capability_id": node.capability, "facet_provenance": node.provenance}
            fields = about | fields
        fields.setdefault("plan_version", self.plan_version)
        return Frame(run_id=self.run_id, type=frame_type, correlation_id=self.correlation_id, **fields)

    def tell(self, frame: Frame) -> Awaitable[None]:
        """Queue a frame; what is returned is done once it is stored."""
        return self._write_frame(lambda: self.store.journal.append(frame, epoch=self.epoch))

    def _write_frame(self, write: Callable[[], Awaitable[Frame]]) -> Awaitable[None]:
        async def counted() -> None:
            self.seq = (await write()).seq

        return self.write(counted)

    def write(self, write: Write) -> Awaitable[None]:
        """Queue a write to the store; what is returned is done once it is stored.

        Raises:
            FlexError: `store_unavailable`, when awaited; or `Fenced`.
        """
        told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        told.add_done_callback(_look)
        if self.broken.done():
            told.set_exception(self.broken.result())
            return _Told(told)
        self._waiting.append(_Entry(write, told))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_all(), name=f"flex-story-{self.run_id}")
        return _Told(told)

    async def asked(self, question: Question, payload: Mapping[str, Any]) -> None:
        """Store a question together with its frame."""
        frame = self._about(question, "hitl_request", payload)
        await self._write_frame(lambda: self.store.questions.ask(question, frame, self.epoch))

    async def settled(self, question: Question, payload: Mapping[str, Any]) -> None:
        """Store that a question was acted on together with its frame."""
        frame = self._about(question, "hitl_resolved", payload)
        await self._write_frame(lambda: self.store.questions.settle(question.id, frame, self.epoch))

    def _about(self, question: Question, frame_type: str, payload: Mapping[str, Any]) -> Frame:
        return self.frame(
            frame_type,
            node_id=question.node_id,
            capability_id=question.capability_id,
            facet_provenance=question.provenance,
            payload=payload,
        )

    async def flush(self) -> None:
        """Wait until all that was told so far is stored, or the story is broken."""
        if self._writing is not None:
            await asyncio.wait([self._writing])

    async def _write_all(self) -> None:
        while self._waiting:
            entries, self._waiting = self._waiting, []
            error = await self._write_together(entries)
            if error is not None:
                self._break(error, entries)
                return
            for entry in entries:
                _tell(entry.told, None)

    async def _write_together(self, entries: list[_Entry]) -> BaseException | None:
        """Store some writes, patiently; return why not, if so."""
        before, pause_s, since = self.seq, FIRST_PAUSE_S, self.clock.monotonic()
        while True:
            # All start before the store begins its next transaction, so all are in that one.
            endings = await asyncio.gather(*(entry.write() for entry in entries), return_exceptions=True)
            error = next((each for each in endings if isinstance(each, BaseException)), None)
            if not _is_away(error) or self.clock.monotonic() - since > self.patience_s:
                return error
            entries = [entry for entry, ending in zip(entries, endings, strict=True) if _is_away(ending)]
            await self.clock.sleep(pause_s * (1 + self.clock.chance()) / 2)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
            if self.seq == before and await self._is_stored(before):
                return None

    async def _is_stored(self, before: int) -> bool:
        """Tell whether the transaction was committed, and only the answer was lost: there are frames that we sent."""
        try:
            run = await self.store.runs.get(self.run_id)
        except FlexError:
            return False
        if run.epoch == self.epoch and run.last_seq > before:
            self.seq = run.last_seq
            return True
        return False

    def _break(self, error: BaseException, entries: list[_Entry]) -> None:
        self.broken.set_result(error)
        for entry in (*entries, *self._waiting):
            _tell(entry.told, error)
        self._waiting = []

    def mend(self) -> None:
        """Go on without what could not be stored."""
        self.broken = asyncio.get_running_loop().create_future()

    def give_up(self, error: BaseException) -> None:
        """Store nothing any more, because somebody knows that it would be refused."""
        if not self.broken.done():
            self._break(error, [])


def _is_away(error: object) -> bool:
    return isinstance(error, FlexError) and error.code == "store_unavailable"


def _tell(told: asyncio.Future[None], error: BaseException | None) -> None:
    if told.done():
        return
    if error is None:
        told.set_result(None)
    else:
        told.set_exception(error)


def _look(told: asyncio.Future[None]) -> None:
    """Look at the error, so that nobody complains that it was not looked at: `broken` tells it too."""
    if not told.cancelled():
        told.exception()
