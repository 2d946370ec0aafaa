"""The team at work: one agent's turn after the other, within limits, saved on the way; must not know telemetry."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, NoReturn

from otel_agents.runtime.yolo import agent as a
from otel_agents.runtime.yolo.agent import Agent, Member, Status
from otel_agents.runtime.yolo.amounts import name as known
from otel_agents.runtime.yolo.calls import call
from otel_agents.runtime.yolo.context import Context
from otel_agents.runtime.yolo.errors import (
    CRITICAL,
    MEDIUM,
    AgentBusyError,
    BadValueError,
    CorruptStateError,
    NotActiveError,
    SafetyBlockedError,
    Severity,
    StateError,
    StoppedError,
    TeamError,
    UnknownWorkflowError,
)
from otel_agents.runtime.yolo.limits import STEP, Ask, Limits
from otel_agents.runtime.yolo.modes import ACTIVE, PAUSED, Gate, Mode
from otel_agents.runtime.yolo.roster import AtWork, Problem, Roster, severity_of
from otel_agents.runtime.yolo.store import Store
from otel_agents.runtime.yolo.turn import Turn
from otel_agents.runtime.yolo.workflow import Handoff, Workflow

USUAL: Final = Limits()


class Orchestrator:
    """A team of agents. Workflows may run side by side; an agent that several need works on all of them.

    With ``state``, the path of a file, the team is saved before every step and at every handoff, and a new process
    can ``load`` it and ``resume`` what was unfinished: a step that ran when the process died runs again.
    """

    def __init__(
        self,
        agents: Iterable[Agent] = (),
        *,
        limits: Limits = USUAL,
        state: str | os.PathLike[str] | None = None,
    ) -> None:
        self.limits = limits
        self._gate = Gate()
        self._roster = Roster()
        self._store = Store(state)
        self._running: dict[str, Workflow] = {}
        self._unfinished: dict[str, Workflow] = {}
        self.set_mode(ACTIVE)
        for each in agents:
            self.add(each)

    # The team

    def add(self, agent: Agent) -> None:
        """Take an agent in; raises BadValueError when its name is taken."""
        self._roster.add(agent)

    def remove(self, agent: str) -> None:
        """Let an agent go; raises AgentBusyError while it is needed."""
        if any(workflow.needs(agent) for workflow in self._running.values()):
            raise AgentBusyError(f"{agent} has work to do")
        self._roster.remove(agent)

    @property
    def agents(self) -> dict[str, Status]:
        """The agents and what they do now: idle, active or blocked."""
        return {member.name: member.status for member in self._roster.members()}

    def context(self, agent: str) -> Context:
        """Return the context of an agent."""
        return self._roster.find(agent).context

    @property
    def errors(self) -> dict[Severity, int]:
        """How many errors the agents had, by severity."""
        return dict(self._roster.errors)

    @property
    def problems(self) -> list[Problem]:
        """The last of these errors, the oldest first."""
        return list(self._roster.problems)

    @property
    def mode(self) -> Mode:
        """Whether the team is active, paused or off."""
        return self._gate.mode

    def set_mode(self, mode: Mode) -> None:
        """Change the mode, from any thread. Steps that run now run to their end.

        While paused, workflows wait before their next step. Off, they end with StoppedError, and can be resumed, as can
        those that end because a handoff is refused.
        """
        self._gate.set(mode)

    def report(self, agent: str, error: BaseException, severity: Severity = MEDIUM) -> None:
        """Note an error of an agent. A critical one pauses the team until somebody sets it active again."""
        self._roster.note(agent, error, severity)
        if severity == CRITICAL and self.mode == ACTIVE:
            self.set_mode(PAUSED)

    # Work

    async def run(self, name: str, task: Any = None, *, steps: Sequence[str], correlation_id: str = "") -> Any:
        """Have the agents named in ``steps`` work one after the other, each on what the one before returned.

        Whom an agent hands over to comes before what is planned. Returns what the last agent returned.

        Raises:
            UnknownAgentError, BadValueError: The steps cannot be followed. Nothing has happened.
            NotActiveError: The team is paused or off. Nothing has happened, or a handoff was refused on the way.
            SafetyBlockedError, StoppedError, StateError, OSError: It ended on the way.
            Exception: What the work of an agent raised.
        """
        if isinstance(steps, str) or not steps:
            raise BadValueError(f"the steps of {name} must be names of agents, not {steps!r}")
        known("a workflow", name)
        workflow = Workflow(uuid.uuid4().hex, name, correlation_id, steps[0], task, list(steps[1:]))
        self._require_all(workflow)
        return await self._follow(workflow)

    @property
    def unfinished(self) -> list[str]:
        """Ids of workflows that were begun and can be resumed, the oldest first."""
        return list(self._unfinished)

    async def resume(self, workflow_id: str) -> Any:
        """Go on with an unfinished workflow, at the step where it ended; raises as ``run`` does."""
        workflow = self._unfinished.get(workflow_id)
        if workflow is None:
            raise UnknownWorkflowError(f"no unfinished workflow has the id {workflow_id!r}")
        self._require_all(workflow)
        del self._unfinished[workflow_id]
        workflow.resumed = True
        return await self._follow(workflow)

    def drop(self, workflow_id: str) -> None:
        """Forget an unfinished workflow, if there is one of that id."""
        self._unfinished.pop(workflow_id, None)

    def require(self, agent: str, what: str) -> None:
        """Raise UnknownAgentError or NotActiveError unless the agent is here and the team is active."""
        self._roster.find(agent)
        self._gate.require(what)

    def allow(self, turn: Turn, ask: Ask) -> None:
        """Count in what an agent asks for; raises SafetyBlockedError when a limit forbids it."""
        self._permit(turn.workflow, turn.member, ask)
        if turn.member.status == a.BLOCKED:
            self._roster.become(turn.member, a.ACTIVE)

    # State

    async def save(self) -> int:
        """Save the team, if it has a state file and is not as it was saved last; returns the bytes written.

        Raises:
            StateError: A task is no JSON data.
            OSError: The file cannot be written.
        """
        return await self._store.save(self._state)

    async def load(self, *, backup: bool = False) -> list[str]:
        """Take over contexts, mode and unfinished workflows from the state file; returns the ids of the workflows.

        Without a file nothing happens. ``backup`` loads the state before the last one.

        Raises:
            CorruptStateError: The file is damaged; the error says whether the backup is good.
            StateError: A workflow runs, or the file is of another version.
        """
        if self._running:
            raise StateError("a team that works cannot load another state")
        state = await self._store.load(backup=backup)
        if state is None:
            return []
        try:
            workflows = [Workflow.from_dict(each) for each in state["workflows"]]
            self._roster.restore(state["contexts"])
            mode = state["mode"]
        except (KeyError, TypeError, AttributeError) as error:
            raise CorruptStateError(f"the state has another shape than expected: {error!r}") from error
        self._unfinished = {workflow.id: workflow for workflow in workflows}
        if mode == PAUSED:  # off is how it ended, paused is what somebody decided
            self.set_mode(PAUSED)
        return self.unfinished

    # Inside

    def _state(self) -> dict[str, Any]:
        workflows = (*self._unfinished.values(), *self._running.values())
        return {
            "mode": self.mode,
            "workflows": [each.as_dict() for each in workflows],
            "contexts": {member.name: member.context.as_list() for member in self._roster.members()},
        }

    def _require_all(self, workflow: Workflow) -> None:
        for step in (workflow.agent, *workflow.steps):
            self.require(step, f"the workflow {workflow.name}")

    async def _follow(self, workflow: Workflow) -> Any:
        async with self._open(workflow):
            while True:
                await self.save()
                await self._gate.passed()
                member = self._roster.find(workflow.agent)
                self._permit(workflow, member, Ask(workflow.name, member.name, STEP))
                result = await self._step(workflow, member)
                if not workflow.advance(result):
                    return result

    @asynccontextmanager
    async def _open(self, workflow: Workflow) -> AsyncIterator[None]:
        """Keep a workflow while it runs. A cancelled one stays in the file, in case the process goes down."""
        self._running[workflow.id] = workflow
        try:
            yield
        except (StoppedError, NotActiveError):
            self._unfinished[workflow.id] = workflow
            raise
        except asyncio.CancelledError:
            self._running.pop(workflow.id)
            raise
        finally:
            if self._running.pop(workflow.id, None) is not None:
                await self.save()

    async def _step(self, workflow: Workflow, member: Member) -> Any:
        with AtWork(self._roster, member, self.report):
            return await self._attempts(workflow, member)

    async def _attempts(self, workflow: Workflow, member: Member) -> Any:
        agent = member.agent
        for attempt in range(1, agent.retries + 1):
            turn = Turn(self, workflow, member, attempt)
            try:
                return await self._attempt(turn)
            except TeamError:
                raise
            except agent.retry_on as error:
                self._try_again(turn, error)
            await asyncio.sleep(agent.backoff_s * 2 ** (attempt - 1))
        return await self._attempt(Turn(self, workflow, member, agent.retries + 1))

    async def _attempt(self, turn: Turn) -> Any:
        agent = turn.member.agent
        try:
            async with asyncio.timeout(agent.timeout_s):
                result = await call(agent.work, turn)
            if not isinstance(result, Handoff):
                return result
            await turn.handoff(*result)
            return None
        finally:
            turn.is_over = True

    def _try_again(self, turn: Turn, error: Exception) -> None:
        """Forget what came of an attempt that failed, a handoff included."""
        turn.workflow.handed = None
        self.report(turn.agent, error, severity_of(error, MEDIUM))

    def _permit(self, workflow: Workflow, member: Member, ask: Ask) -> None:
        reason = self.limits.objection(ask, workflow.spent)
        if reason:
            self._block(member, ask, reason)
        workflow.spent.add(ask)

    def _block(self, member: Member, ask: Ask, reason: str) -> NoReturn:
        self._roster.become(member, a.BLOCKED)
        raise SafetyBlockedError(ask.agent, ask.decision_type, reason)
