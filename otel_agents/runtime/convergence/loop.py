"""What a team sets up once: phases, gates, delivery, strategies; makes runs, and must not know how one goes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from otel_agents.runtime.cancelling import Clock
from otel_agents.runtime.convergence.records import BUILD, FEEDBACK, SNAPSHOT, VERIFY, Outcome, Task
from otel_agents.runtime.convergence.run import Plan, Run
from otel_agents.runtime.convergence.strategies import STRATEGIES, Strategy
from otel_agents.runtime.convergence.turn import Gate, Work, summary

PHASES = (BUILD, SNAPSHOT, VERIFY, FEEDBACK)


class Loop:
    """Iterates until all gates pass.

    Args:
        build: Makes or changes something; the first phase of every iteration.
        gates: The checks of the phase ``verify``, called in this order, all of them.
        snapshot: Keeps what was built, before it is verified.
        verify: Prepares what the gates look at, such as the report of a test run.
        feedback: Returns what the next iteration is told; without it that is the list of gates that were not passed.
            It is called only if there is a next iteration.
        deliver: Hands over what was reached; returns a `Delivery`, or whether it went well, or nothing when it did.
        strategies: Further strategies by name.
        name: What runs of this loop are called.
        clock: Monotonic seconds.

    All of them are functions or coroutine functions of a `Turn`. Functions run in threads.

    Raises:
        ValueError: There is no gate, or two have the same name, or one the name of a phase.
    """

    def __init__(
        self,
        build: Work,
        gates: Sequence[Gate],
        *,
        snapshot: Work | None = None,
        verify: Work | None = None,
        feedback: Work | None = None,
        deliver: Work | None = None,
        strategies: Mapping[str, Strategy] | None = None,
        name: str = "convergence",
        clock: Clock = time.perf_counter,
    ) -> None:
        for problem in _problems(gates):
            raise ValueError(problem)
        self._strategies = {**STRATEGIES, **(strategies or {})}
        works = {BUILD: build, SNAPSHOT: snapshot, VERIFY: verify, FEEDBACK: feedback or summary}
        self._plan = Plan(name, works, tuple(gates), deliver, clock)

    def start(self, task: Task) -> Run:
        """Return a new run; its `go` has it go on.

        Raises:
            ValueError: There is no such strategy.
        """
        strategy = self._strategies.get(task.strategy)
        if strategy is None:
            known = ", ".join(sorted(self._strategies))
            raise ValueError(f"there is no strategy {task.strategy!r}; there are {known}")
        return Run(task, self._plan, strategy)

    async def run(self, task: Task) -> Outcome:
        """Start a run and have it go on to its end, or to its first question."""
        return await self.start(task).go()

    def restore(self, data: Mapping[str, Any]) -> Run:
        """Return the run that `Run.as_dict` was told of, in this process or another.

        Raises:
            ValueError: It is not the data of a run, or was running when it was taken.
        """
        try:
            run = self.start(Task(**data["task"]))
            run.restore(data)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"this is not the data of a run: {error!r}") from error
        return run


def _problems(gates: Sequence[Gate]) -> Iterator[str]:
    names = [gate.name for gate in gates]
    if not names:
        yield "there is no gate: without one nothing says when to stop"
    yield from (f"two gates are named {name!r}" for name in {*names} if names.count(name) > 1)
    yield from (f"a gate is named {name!r}, like a phase" for name in names if name in PHASES)
