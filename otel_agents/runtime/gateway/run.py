"""One run of an agent: what it was asked, where it comes from, how far it is; must not know how it is carried out."""

from __future__ import annotations

import asyncio
from typing import Final, Literal

from otel_agents.runtime.cancelling import Cancel
from otel_agents.runtime.gateway.rules import Match
from otel_agents.runtime.gateway.sessions import Session

Status = Literal["accepted", "running", "completed", "failed", "cancelled"]
OVER: Final = ("completed", "failed", "cancelled")


class Run:
    """A run. It comes from a channel, by a rule that matched, or from the gateway itself, which has no rules.

    ``before`` are the runs of its session that have their turn before it, none when it is over. `cancel` may be called
    from any thread.
    """

    def __init__(
        self, run_id: str, agent: str, text: str, session: Session, *, sender: str = "", match: Match | None = None
    ) -> None:
        self.id = run_id
        self.agent = agent
        self.text = text
        self.session = session
        self.sender = sender
        self.match = match
        self.correlation_id = ""
        self.status: Status = "accepted"
        self.reply = ""
        self.error: BaseException | None = None
        self.cancellation = Cancel()
        self.before = tuple(session.runs)
        self.over = asyncio.Event()

    @property
    def channel(self) -> str:
        """Where it comes from."""
        return self.session.channel

    def cancel(self, source: str) -> bool:
        """Ask it to stop; False when somebody did before, or it is over."""
        return self.status not in OVER and self.cancellation.request(source)

    def acknowledge(self) -> float:
        """Say that it has stopped; returns the seconds since somebody asked."""
        return self.cancellation.acknowledge()
