"""What a phase or a gate gets to work with; must not know when it is called."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from otel_agents.runtime.cancelling import Cancel
from otel_agents.runtime.convergence.records import Answer, Iteration, Question, Task, Verdict


class Paused(Exception):  # noqa: N818  # not an error: the run goes on when a human has answered
    """The run has to wait for a human."""

    def __init__(self, question: Question) -> None:
        super().__init__(question.text)
        self.question = question


class Desk:
    """The questions of one run and their answers."""

    def __init__(self) -> None:
        self.open: Question | None = None  # stays until the run goes on with the answer
        self.answers: dict[str, Answer] = {}  # by id of the question

    @property
    def waits(self) -> bool:
        """Whether a question has no answer yet."""
        return self.open is not None and self.open.id not in self.answers

    def ask(self, question: Question) -> Answer:
        """Return the answer.

        Raises:
            Paused: There is none yet.
        """
        answer = self.answers.get(question.id)
        if answer is None:
            self.open = question
            raise Paused(question)
        return answer

    def check(self) -> None:
        """Pause if a question has no answer: who asked may have swallowed it."""
        if self.open is not None and self.waits:
            raise Paused(self.open)


@dataclass(frozen=True, slots=True)
class Turn:
    """One call of a phase or gate.

    ``iteration`` has the feedback that it was told and the results of the phases before; ``history`` the iterations
    before, oldest first. ``cancel`` is for plain functions, which have to look themselves whether they are to stop.
    """

    task: Task
    name: str
    iteration: Iteration
    history: tuple[Iteration, ...]
    cancel: Cancel
    desk: Desk
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1), repr=False)  # of its questions

    @property
    def feedback(self) -> str | None:
        """What this iteration is told; None for the first one."""
        return self.iteration.feedback

    def ask(self, text: str) -> Answer:
        """Ask a human. The run pauses here; when it goes on, this phase or gate is called anew and gets the answer.

        Raises:
            Paused: There is no answer yet; let it pass.
        """
        question_id = f"{self.task.run_id}:{self.iteration.number}:{self.name}:{next(self.numbers)}"
        return self.desk.ask(Question(question_id, text, self.name))


Work = Callable[[Turn], Any]  # a function, or a coroutine function


@dataclass(frozen=True, slots=True)
class Gate:
    """A check that has to pass. It returns whether it did, alone or with a note: ``True``, ``(False, "2 failed")``."""

    name: str
    check: Work

    def verdict(self, said: Any) -> Verdict:
        """Read what the check returned.

        Raises:
            TypeError: It is no verdict.
        """
        passed, note = said if isinstance(said, tuple) and len(said) == 2 else (said, "")  # noqa: PLR2004
        if not isinstance(passed, bool):
            raise TypeError(
                f"gate {self.name!r} returned {type(passed).__name__}; return True or False, or either with a note"
            )
        return Verdict(self.name, passed, str(note))


def summary(turn: Turn) -> str:
    """Return which gates were not passed, and their notes: the feedback where nobody gives another."""
    failed = [each for each in turn.iteration.verdicts if not each.passed]
    told = "; ".join(f"{each.gate}: {each.note}" if each.note else each.gate for each in failed)
    return f"Not passed: {told}" if failed else "All gates passed."
