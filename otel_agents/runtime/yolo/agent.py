"""An agent: a role that the user gives, and what the team keeps of it; must not know workflows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import Any, Final, Literal

from otel_agents.runtime.yolo.amounts import amount, count, name
from otel_agents.runtime.yolo.context import Context, Tokens, estimate
from otel_agents.runtime.yolo.errors import BadValueError

Status = Literal["idle", "active", "blocked", "gone"]

IDLE: Final = "idle"
ACTIVE: Final = "active"
BLOCKED: Final = "blocked"
GONE: Final = "gone"


@dataclass(frozen=True, slots=True)
class Agent:
    """A role in the team.

    ``work`` is called with a ``Turn`` and returns the result, or a ``Handoff``. It may be asynchronous; one that is
    not runs in a thread. An attempt that raises one of ``retry_on`` is made again up to ``retries`` times, after
    ``backoff_s``, then twice that, and so on. ``timeout_s`` bounds an attempt. ``context_limit`` is in tokens, which
    ``tokens`` counts.
    """

    name: str
    work: Callable[..., Any]
    _: KW_ONLY
    retries: int = 0
    retry_on: tuple[type[Exception], ...] = (ConnectionError, TimeoutError)
    backoff_s: float = 0.0
    timeout_s: float | None = None
    context_limit: int | None = None
    tokens: Tokens = estimate

    def __post_init__(self) -> None:
        name("an agent", self.name)
        if not callable(self.work):
            raise BadValueError(f"the work of {self.name} must be callable, not {type(self.work).__name__}")
        count("retries", self.retries)
        amount("backoff_s", self.backoff_s)
        if self.timeout_s is not None:
            amount("timeout_s", self.timeout_s)
        kinds: object = self.retry_on
        if not isinstance(kinds, tuple) or not all(map(_is_error, kinds)):
            raise BadValueError(f"retry_on of {self.name} must be a tuple of exceptions, not {kinds!r}")


def _is_error(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, Exception)  # a cancellation is none


class Member:
    """An agent in a team. ``busy`` counts the steps that it works on now: several workflows may share it."""

    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        self.name = agent.name
        self.context = Context(agent.name, agent.context_limit, agent.tokens)
        self.status: Status = GONE
        self.busy = 0
