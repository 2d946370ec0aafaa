"""Who is in the team, what each one does now, and what went wrong; must not know workflows."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Final, NamedTuple

from otel_agents.runtime.yolo.agent import ACTIVE, BLOCKED, GONE, IDLE, Agent, Member, Status
from otel_agents.runtime.yolo.errors import (
    HIGH,
    SEVERITIES,
    AgentBusyError,
    BadValueError,
    SafetyBlockedError,
    Severity,
    StoppedError,
    UnknownAgentError,
)

PROBLEMS_KEPT: Final = 100

Report = Callable[[str, BaseException, Severity], None]


class Problem(NamedTuple):
    """An error of an agent, as it is remembered. ``time_s`` is seconds since the epoch."""

    agent: str
    error: str
    severity: Severity
    time_s: float


class Roster:
    """The agents of a team, by name."""

    def __init__(self) -> None:
        self.errors: Counter[Severity] = Counter()
        self.problems: deque[Problem] = deque(maxlen=PROBLEMS_KEPT)
        self._members: dict[str, Member] = {}

    def add(self, agent: Agent) -> None:
        """Take an agent in; raises BadValueError when its name is taken."""
        if agent.name in self._members:
            raise BadValueError(f"there is an agent {agent.name!r} already")
        member = self._members[agent.name] = Member(agent)
        self.become(member, IDLE)

    def remove(self, name: str) -> None:
        """Let an agent go; raises AgentBusyError while it works."""
        member = self.find(name)
        if member.busy:
            raise AgentBusyError(f"{name} is at work")
        del self._members[name]
        self.become(member, GONE)

    def find(self, name: object) -> Member:
        """Return an agent; raises UnknownAgentError when nobody has that name."""
        member = self._members.get(name) if isinstance(name, str) else None
        if member is None:
            raise UnknownAgentError(name, list(self._members))
        return member

    def members(self) -> list[Member]:
        """Return the agents, in the order in which they came."""
        return list(self._members.values())

    def become(self, member: Member, status: Status) -> bool:
        """Change what an agent does; returns whether it did something else before."""
        before, member.status = member.status, status
        return status != before

    def note(self, name: str, error: BaseException, severity: Severity) -> None:
        """Remember an error of an agent; raises BadValueError for a severity that does not exist."""
        self.find(name)
        if severity not in SEVERITIES:
            raise BadValueError(f"there is no severity {severity!r}; severities are {', '.join(SEVERITIES)}")
        self.errors[severity] += 1
        self.problems.append(Problem(name, f"{type(error).__name__}: {error}", severity, time.time()))

    def restore(self, contexts: Mapping[str, Any]) -> None:
        """Take over contexts by agent, as they were saved; those of agents who are not here are dropped."""
        for name in self._members.keys() & contexts.keys():
            self._members[name].context.restore(contexts[name])


class AtWork:
    """Around the work of an agent at one step. It is blocked until its next step, when a limit ended this one."""

    def __init__(self, roster: Roster, member: Member, report: Report) -> None:
        self._roster = roster
        self._member = member
        self._report = report

    def __enter__(self) -> None:
        self._member.busy += 1
        self._roster.become(self._member, ACTIVE)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        member = self._member
        member.busy -= 1
        if isinstance(error, Exception) and not isinstance(error, SafetyBlockedError | StoppedError):
            self._report(member.name, error, severity_of(error, HIGH))
        if isinstance(error, SafetyBlockedError):
            self._roster.become(member, BLOCKED)
        elif not member.busy:
            self._roster.become(member, IDLE)


def severity_of(error: BaseException, otherwise: Severity) -> Severity:
    """Return how grave an error is, by its own word."""
    known: Severity | None = getattr(error, "severity", None)
    return known if known in SEVERITIES else otherwise
