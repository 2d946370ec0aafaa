"""What the work of an agent can do in its turn; must not know how turns follow each other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar

from otel_agents.runtime.yolo.agent import Member
from otel_agents.runtime.yolo.amounts import amount
from otel_agents.runtime.yolo.calls import call
from otel_agents.runtime.yolo.context import Context
from otel_agents.runtime.yolo.errors import (
    MEDIUM,
    HandedOverError,
    SelfHandoffError,
    Severity,
    TeamError,
    TurnOverError,
)
from otel_agents.runtime.yolo.limits import HANDOFF, Ask
from otel_agents.runtime.yolo.workflow import Handoff, Workflow

T = TypeVar("T")


class Team(Protocol):
    """What a turn needs of the team."""

    def require(self, agent: str, what: str) -> None: ...
    def allow(self, turn: Turn, ask: Ask) -> None: ...
    def report(self, agent: str, error: BaseException, severity: Severity) -> None: ...
    async def save(self) -> int: ...


class Turn:
    """One attempt of one agent at one step; what its work is called with."""

    def __init__(self, team: Team, workflow: Workflow, member: Member, attempt: int) -> None:
        self.workflow = workflow
        self.member = member
        self.attempt = attempt  # from 1
        self.is_over = False
        self._team = team
        self._loop = asyncio.get_running_loop()

    @property
    def agent(self) -> str:
        """Whose turn it is."""
        return self.member.name

    @property
    def task(self) -> Any:
        """What is to be done."""
        return self.workflow.task

    @property
    def context(self) -> Context:
        """The context of the agent; its own in all workflows."""
        return self.member.context

    async def handoff(self, to_agent: str, task: Any = None) -> None:
        """Hand the work to another agent, whose turn is next. When this returns, the handoff is saved.

        Raises:
            UnknownAgentError, SelfHandoffError: There is no such agent, or it is the one whose turn it is.
            HandedOverError, TurnOverError: It is done, or too late.
            NotActiveError: The team is paused or off.
            SafetyBlockedError: A limit forbids it.
            StateError, OSError: It could not be saved, and does not take place.
        """
        if self.is_over:
            raise TurnOverError(f"the turn of {self.agent} is over: it cannot hand over to {to_agent}")
        if to_agent == self.agent:
            raise SelfHandoffError(f"{self.agent} cannot hand its work to itself")
        self._team.require(to_agent, f"a handoff to {to_agent}")
        if self.workflow.handed is not None:
            raise HandedOverError(f"{self.agent} has handed over to {self.workflow.handed.to_agent} in this turn")
        self._team.allow(self, self._ask(HANDOFF))
        await self._hand_over(to_agent, task)

    async def decide(self, decision_type: str, choose: Callable[..., Any], *args: object, cost: float = 0.0) -> Any:
        """Take a decision: ``choose`` is called, if the limits allow it, and what it returns is the decision.

        Raises:
            BadValueError: ``cost`` is negative or not finite.
            SafetyBlockedError: A limit forbids it; ``choose`` was not called.
        """
        self._team.allow(self, self._ask(decision_type, amount("cost", cost)))
        return await self._choose(decision_type, choose, args)

    async def use(self, tool: str, function: Callable[..., Any], *args: object) -> Any:
        """Call a tool by its name, and return what it returns."""
        return await call(function, *args)

    def report(self, error: BaseException, severity: Severity = MEDIUM) -> None:
        """Note an error that the agent could deal with. One that it raises is noted anyway."""
        self._team.report(self.agent, error, severity)

    def wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Wait for one of the above in work that is not asynchronous: ``turn.wait(turn.handoff("writer", text))``.

        Raises:
            TeamError: The work is asynchronous: it would wait for itself.
        """
        if _is_here(self._loop):
            coroutine.close()
            raise TeamError(f"the work of {self.agent} is asynchronous: it has to await what it gives to wait")
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    async def _hand_over(self, to_agent: str, task: Any) -> None:
        self.workflow.handed = Handoff(to_agent, task)
        is_saved = False
        try:
            await self._team.save()
            is_saved = True
        finally:
            if not is_saved:
                self.workflow.handed = None

    async def _choose(self, decision_type: str, choose: Callable[..., Any], args: tuple[object, ...]) -> Any:
        return await call(choose, *args)

    def _ask(self, decision_type: str, cost: float = 0.0) -> Ask:
        return Ask(self.workflow.name, self.agent, decision_type, cost)


def _is_here(loop: asyncio.AbstractEventLoop) -> bool:
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:  # none runs in this thread
        return False
