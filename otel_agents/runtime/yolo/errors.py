"""What can go wrong in a team, a class for each; must not know who raises it."""

from __future__ import annotations

from typing import Final, Literal

Severity = Literal["low", "medium", "high", "critical"]

LOW: Final = "low"
MEDIUM: Final = "medium"
HIGH: Final = "high"
CRITICAL: Final = "critical"
SEVERITIES: Final[tuple[Severity, ...]] = (LOW, MEDIUM, HIGH, CRITICAL)


class AgentError(Exception):
    """Raised by the work of an agent that knows how grave its failure is. A critical one pauses the team."""

    def __init__(self, message: str, severity: Severity = HIGH) -> None:
        super().__init__(message)
        self.severity = severity


class TeamError(Exception):
    """What the team itself refuses or cannot do. It is never tried again."""


class BadValueError(TeamError, ValueError):
    """A value that cannot be meant: a negative number, an unknown mode, a name that is taken."""


class UnknownAgentError(TeamError, LookupError):
    """Nobody of that name is in the team."""

    def __init__(self, name: object, known: list[str]) -> None:
        super().__init__(f"there is no agent {name!r}; the team is {', '.join(known) or 'empty'}")


class UnknownWorkflowError(TeamError, LookupError):
    """No unfinished workflow has that id."""


class SelfHandoffError(TeamError):
    """An agent tried to hand its work to itself."""


class HandedOverError(TeamError):
    """An agent tried to hand on work in a turn in which it had done so before."""


class TurnOverError(TeamError):
    """An agent tried to hand on work when its turn was over, such as from a thread that ran out of time."""


class NotActiveError(TeamError):
    """The team is paused or off: nothing new is accepted."""


class StoppedError(TeamError):
    """The team was switched off while a workflow had steps left. It is unfinished, and can be resumed."""


class AgentBusyError(TeamError):
    """An agent that works, or that a workflow waits for, cannot leave."""


class SafetyBlockedError(TeamError):
    """A safety limit forbids what an agent wanted to do."""

    def __init__(self, agent: str, decision_type: str, reason: str) -> None:
        super().__init__(f"{agent} may not {decision_type}: {reason}")
        self.agent = agent
        self.decision_type = decision_type
        self.reason = reason


class ContextFullError(TeamError):
    """What has to stay in a context is more than its limit."""


class StateError(TeamError):
    """The state cannot be saved or used."""


class CorruptStateError(StateError):
    """A state file is damaged, or no state file at all."""
