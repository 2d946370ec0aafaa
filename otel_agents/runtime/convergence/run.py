"""One converging run: goes through its iterations, obeys a cancel, pauses for a human; must not know what phases do."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from otel_agents.runtime.cancelling import Cancel, Cancelled, Clock, perform
from otel_agents.runtime.convergence import records as r
from otel_agents.runtime.convergence.records import Answer, Delivery, Iteration, Outcome, Question, Task, Verdict
from otel_agents.runtime.convergence.strategies import Strategy
from otel_agents.runtime.convergence.turn import Desk, Gate, Paused, Turn, Work


@dataclass(frozen=True, slots=True)
class Plan:
    """What all runs of a loop have in common."""

    name: str
    works: Mapping[str, Work | None]  # by phase
    gates: tuple[Gate, ...]
    deliver: Work | None
    clock: Clock


class Run:
    """A run. `go` has it go on to its end or to a question; `answer` and `go` again have it go on from there.

    `cancel` may be called from any thread. All else is for one task at a time.
    """

    def __init__(self, task: Task, plan: Plan, strategy: Strategy) -> None:
        self.task = task
        self.name = plan.name
        self.status: r.Status = "new"
        self.reason = ""
        self.iterations: list[Iteration] = []
        self.delivery: Delivery | None = None
        self.duration_ms = 0.0  # without waits for humans
        self.segments = 0  # how often it went on
        self.cancellation = Cancel(plan.clock)
        self.desk = Desk()
        self._plan = plan
        self._strategy = strategy

    async def go(self) -> Outcome:
        """Go on, and return how far it came: `succeeded`, `failed`, `cancelled`, or `paused` by a question.

        A run that was asked to stop while it was not going on obeys here.

        Raises:
            RuntimeError: It is going on already, is over, or its question has no answer.
            Exception: Whatever a phase, gate or delivery raises; the run has failed.
        """
        self._begin()
        began_s = self._plan.clock()
        self.reason = "raised"  # what holds if something is raised
        ending: r.Status = "failed"
        try:
            ending = await self._finish()
        except Cancelled:
            self.acknowledge()
            ending, self.reason = "cancelled", f"cancelled by {self.cancellation.source}"
        except Paused:
            ending, self.reason = "paused", "question"
        except asyncio.CancelledError:
            ending, self.reason = "cancelled", "cancelled by caller"
            raise
        finally:
            self.status = ending
            self.duration_ms = round(self.duration_ms + (self._plan.clock() - began_s) * 1000, 3)
        return self.outcome()

    def cancel(self, source: str = "user") -> bool:
        """Ask the run to stop; False when somebody did before, or it is over.

        Coroutines are cancelled where they wait. A function goes on until it looks at `Turn.cancel`, or returns.
        """
        return self.status not in r.OVER and self.cancellation.request(source)

    def acknowledge(self) -> float:
        """Say that the work has stopped; returns the seconds since somebody asked."""
        return self.cancellation.acknowledge()

    def answer(self, answer: Answer) -> Question:
        """Answer the question that the run waits for, and return it; the first answer counts.

        Raises:
            RuntimeError: No question waits.
        """
        question = self.desk.open
        if question is None or not self.desk.waits:
            raise RuntimeError(f"run {self.task.run_id} has no open question")
        self.desk.answers[question.id] = answer
        return question

    def outcome(self) -> Outcome:
        """Return how far it came."""
        return Outcome(
            status=self.status,
            reason=self.reason,
            iterations=tuple(self.iterations),
            duration_ms=self.duration_ms,
            delivery=self.delivery,
            question=self.desk.open if self.status == r.PAUSED else None,
        )

    # Going on

    @property
    def can_go(self) -> bool:
        """Whether it can go on: it is neither over nor going on, and no question waits, or it is asked to stop."""
        return self.status in (r.NEW, r.PAUSED) and (not self.desk.waits or self.cancellation.is_requested)

    def _begin(self) -> None:
        if not self.can_go:
            waits = "waits for an answer" if self.status == r.PAUSED else f"is {self.status}"
            raise RuntimeError(f"run {self.task.run_id} {waits}; it cannot go on")
        self.status = "running"
        self.segments += 1

    async def _finish(self) -> r.Status:
        self.cancellation.check()
        self.desk.open = None
        while not self.reason_to_stop():
            await self.iterate(self._iteration())
        self.reason = self.reason_to_stop()
        if not self.iterations[-1].success:
            return "failed"
        if self._plan.deliver is not None:
            self.delivery = await self.deliver(self._turn("delivery", self.iterations[-1]))
        if self.delivery is not None and not self.delivery.success:
            self.reason = "delivery_failed"
            return "failed"
        return "succeeded"

    def reason_to_stop(self) -> str:
        """Return why there is no further iteration, "" while there is one."""
        if not self.iterations or not self.iterations[-1].is_verified:
            return ""
        if reason := self._strategy(self.iterations):
            return reason
        if len(self.iterations) < self.task.max_iterations:
            return ""
        return "converged" if self.iterations[-1].success else "max_iterations"

    def _iteration(self) -> Iteration:
        """Return the iteration to go on with: the last one, if it is not done, else a new one."""
        if not self.iterations or r.FEEDBACK in self.iterations[-1].done:
            told = self.iterations[-1].results[r.FEEDBACK] if self.iterations else None
            self.iterations.append(Iteration(len(self.iterations) + 1, told))
        return self.iterations[-1]

    async def iterate(self, iteration: Iteration) -> None:
        """Go through the phases of an iteration that are not done; feedback only if another iteration follows."""
        for phase, work in self._plan.works.items():
            if phase in iteration.done or (work is None and phase != r.VERIFY):
                continue
            if phase == r.FEEDBACK and self.reason_to_stop():
                return
            await self.go_through(phase, iteration)

    async def go_through(self, phase: str, iteration: Iteration) -> None:
        """Go through one phase; to ``verify`` belong the gates."""
        work = self._plan.works[phase]
        with self._measured(phase, iteration):
            if work is not None and phase not in iteration.results:
                iteration.results[phase] = await self._call(work, self._turn(phase, iteration))
            if phase == r.VERIFY:
                await self._check_gates(iteration)
        iteration.done.append(phase)

    async def judge(self, gate: Gate, turn: Turn) -> Verdict:
        """Check one gate."""
        return gate.verdict(await self._call(gate.check, turn))

    async def deliver(self, turn: Turn) -> Delivery:
        """Hand over what was reached."""
        work = self._plan.deliver
        said = await self._call(work, turn) if work is not None else None
        if isinstance(said, bool):
            return Delivery(success=said)
        return said if isinstance(said, Delivery) else Delivery()

    # Inside

    async def _check_gates(self, iteration: Iteration) -> None:
        known = {verdict.gate for verdict in iteration.verdicts}
        for gate in self._plan.gates:
            if gate.name not in known:
                iteration.verdicts.append(await self.judge(gate, self._turn(gate.name, iteration)))

    async def _call(self, work: Work, turn: Turn) -> Any:
        result = await perform(work, turn, cancel=self.cancellation)
        self.desk.check()
        return result

    def _turn(self, name: str, iteration: Iteration) -> Turn:
        before = tuple(self.iterations[: iteration.number - 1])
        return Turn(self.task, name, iteration, before, self.cancellation, self.desk)

    @contextmanager
    def _measured(self, phase: str, iteration: Iteration) -> Iterator[None]:
        began_s = self._plan.clock()
        try:
            yield
        finally:
            iteration.spend(phase, self._plan.clock() - began_s)

    # Beyond this process

    def as_dict(self) -> dict[str, Any]:
        """Return all that is needed to go on elsewhere: plain data, as far as what the phases returned is plain."""
        question = self.desk.open
        return {
            "task": asdict(self.task),
            "status": self.status,
            "reason": self.reason,
            "segments": self.segments,
            "duration_ms": self.duration_ms,
            "iterations": [iteration.as_dict() for iteration in self.iterations],
            "question": None if question is None else asdict(question),
            "answers": {name: asdict(answer) for name, answer in self.desk.answers.items()},
            "cancelled_by": self.cancellation.source if self.cancellation.is_requested else None,
        }

    def restore(self, data: Mapping[str, Any]) -> None:
        """Become the run of this data. What was running then goes on after the last phase that was done."""
        question = data["question"]
        self.status = data["status"] if data["status"] in (*r.OVER, r.PAUSED) else "new"
        self.reason = data["reason"]
        self.segments = data["segments"]
        self.duration_ms = data["duration_ms"]
        self.iterations = [Iteration.of(each) for each in data["iterations"]]
        self.desk.open = None if question is None else Question(**question)
        self.desk.answers = {name: Answer(**answer) for name, answer in data["answers"].items()}
        if data.get("cancelled_by") is not None:  # it stops where it goes on, as it would have there
            self.cancellation.request(data["cancelled_by"])
