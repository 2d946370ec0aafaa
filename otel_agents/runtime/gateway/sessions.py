"""Conversations and what was said in them, bounded; must not know who answers."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from otel_agents.runtime.gateway.run import Run

MAX_SESSIONS: Final = 10_000
MAX_HISTORY: Final = 50


class Turn(NamedTuple):
    """What was asked, and what was replied."""

    text: str
    reply: str


class Session:
    """One conversation on one channel. Its runs take turns, in the order in which they were accepted."""

    def __init__(self, key: str, channel: str, max_history: int) -> None:
        self.key = key
        self.channel = channel
        self.history: deque[Turn] = deque(maxlen=max_history)
        self.runs: list[Run] = []  # that are not over; the first one has its turn


class Sessions:
    """Sessions by channel and conversation; beyond the limit the one that was quiet for longest is forgotten."""

    def __init__(self, limit: int = MAX_SESSIONS, max_history: int = MAX_HISTORY) -> None:
        self._limit = limit
        self._max_history = max_history
        self._sessions: OrderedDict[str, Session] = OrderedDict()

    def __len__(self) -> int:
        return len(self._sessions)

    def all(self) -> list[Session]:
        """Return the sessions, the one that was quiet for longest first."""
        return list(self._sessions.values())

    def of(self, channel: str, conversation: str) -> Session:
        """Return the session of a conversation, a new one if need be."""
        name = channel.replace("%", "%25").replace(":", "%3A")  # so that no two conversations have the same key
        key = f"{name}:{conversation}"
        session = self._sessions.get(key)
        if session is None:
            session = self._sessions[key] = Session(key, channel, self._max_history)
            self._forget()
        self._sessions.move_to_end(key)
        return session

    def find(self, key: str) -> Session | None:
        """Return the session of a key, or None."""
        return self._sessions.get(key)

    def _forget(self) -> None:
        if len(self._sessions) <= self._limit:
            return
        quiet = next((key for key, session in self._sessions.items() if not session.runs), None)
        if quiet is not None:
            del self._sessions[quiet]
