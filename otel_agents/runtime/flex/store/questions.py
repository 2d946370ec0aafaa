"""Questions to humans and their answers, the first of which wins; must not know what an answer does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import sqlalchemy as sql
from sqlalchemy import ColumnElement, Connection

from otel_agents.runtime.flex.frames import Frame
from otel_agents.runtime.flex.problem import FlexError
from otel_agents.runtime.flex.store import statements
from otel_agents.runtime.flex.store.database import Database
from otel_agents.runtime.flex.store.journal import Journal
from otel_agents.runtime.flex.store.rows import ENDED, Asked, QuestionRow
from otel_agents.runtime.flex.store.tables import QUESTIONS, RUNS

EXPIRED: Final = "expired"
_OPEN: Final = QUESTIONS.c.decision.is_(None)
_ANSWER: Final = ("value", "text", "by")
_NAMED: Final[dict[str, Any]] = {"id": QUESTIONS.c.request_id, "correlation_id": RUNS.c.correlation_id}
_ROW: Final = tuple(
    (_NAMED[name] if name in _NAMED else QUESTIONS.c[name]).label(name)
    for name in QuestionRow.__dataclass_fields__
    if name not in _ANSWER
)


class Questions:
    """The rows of questions."""

    def __init__(self, database: Database, journal: Journal) -> None:
        self._database = database
        self._journal = journal

    async def ask(self, question: Asked, frame: Frame, epoch: int) -> Frame:
        """Keep a question and its frame, both or neither; asked again under the same id, it keeps its first time.

        Raises:
            Fenced: The segment is over.
        """
        names = ("run_id", "node_id", "capability_id", "origin", "prompt", "plan_version", "provenance")
        row = {name: getattr(question, name) for name in (*names, "asked_at", "expires_at")}

        def work(connection: Connection) -> None:
            new = statements.insert(connection, QUESTIONS).values(request_id=question.id, **row)
            connection.execute(new.on_conflict_do_nothing())

        return await self._journal.append(frame, epoch=epoch, beside=work)

    async def get(self, request_id: str) -> QuestionRow:
        """Return a question.

        Raises:
            FlexError: `not_found`.
        """
        found = await self._rows(QUESTIONS.c.request_id == request_id, 1)
        if not found:
            raise FlexError("not_found", "there is no such question")
        return found[0]

    async def pending(self, *, limit: int = 100, run_id: str | None = None) -> list[QuestionRow]:
        """Return what waits for an answer, of all runs or of one, the oldest first."""
        of_run = sql.true() if run_id is None else QUESTIONS.c.run_id == run_id
        return await self._rows(_OPEN & RUNS.c.status.not_in(ENDED) & of_run, limit)

    async def of(self, run_id: str) -> list[QuestionRow]:
        """Return all questions of a run, the oldest first."""
        return await self._rows(QUESTIONS.c.run_id == run_id)

    async def unsettled(self, run_id: str) -> list[QuestionRow]:
        """Return the questions of a run that have an answer, and no segment acted on it yet; the oldest first."""
        return await self._rows((QUESTIONS.c.run_id == run_id) & ~_OPEN & QUESTIONS.c.settled_at.is_(None))

    async def answer(
        self, request_id: str, decision: str, *, value: object = None, text: str | None = None, by: str | None = None
    ) -> bool:
        """Answer a question; whether this answer is the one: the first, in time, and the run has not ended.

        Only `expired` may come late: it says just that.

        Raises:
            FlexError: `not_found`.
        """
        row = {"decision": decision, "answer": {"value": value, "text": text, "by": by}}

        def work(connection: Connection) -> bool:
            now = self._database.clock()
            alive = sql.exists().where(RUNS.c.run_id == QUESTIONS.c.run_id, RUNS.c.status.not_in(ENDED))
            in_time = QUESTIONS.c.expires_at.is_(None) | (QUESTIONS.c.expires_at > now)
            mine = (QUESTIONS.c.request_id == request_id) & _OPEN & alive
            mine = mine if decision == EXPIRED else mine & in_time
            return (
                connection.execute(sql.update(QUESTIONS).where(mine).values(row | {"answered_at": now})).rowcount == 1
            )

        is_first = await self._database.write(work)
        if not is_first:
            await self.get(request_id)
        return is_first

    async def settle(self, request_id: str, frame: Frame, epoch: int) -> Frame:
        """Note that a segment acts on the answer, and keep the frame that says so, both or neither.

        Raises:
            Fenced: The segment is over.
        """

        def work(connection: Connection) -> None:
            one = (QUESTIONS.c.request_id == request_id) & (QUESTIONS.c.run_id == frame.run_id)
            connection.execute(sql.update(QUESTIONS).where(one).values(settled_at=self._database.clock()))

        return await self._journal.append(frame, epoch=epoch, beside=work)

    async def expire(self) -> list[QuestionRow]:
        """Answer what nobody answered in time with `expired`; return those questions, each to one caller only."""

        def work(connection: Connection) -> list[str]:
            now = self._database.clock()
            late = sql.update(QUESTIONS).where(_OPEN & (QUESTIONS.c.expires_at <= now))
            late = late.values(decision=EXPIRED, answered_at=now)
            return list(connection.execute(late.returning(QUESTIONS.c.request_id)).scalars())

        expired = await self._database.write(work)
        return await self._rows(QUESTIONS.c.request_id.in_(expired)) if expired else []

    async def _rows(self, which: ColumnElement[bool], limit: int | None = None) -> list[QuestionRow]:
        query = sql.select(*_ROW, QUESTIONS.c.answer).join_from(QUESTIONS, RUNS).where(which)
        query = query.order_by(QUESTIONS.c.asked_at, QUESTIONS.c.request_id).limit(limit)
        rows = await self._database.read(lambda connection: connection.execute(query).mappings().all())
        return [_question(row) for row in rows]


def _question(row: Mapping[Any, Any]) -> QuestionRow:
    known: dict[str, Any] = dict(row)
    answer = known.pop("answer") or {}
    return QuestionRow(**known | {name: answer.get(name) for name in _ANSWER})
