"""What goes in and out of a gateway; must not know sessions, rules or runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from otel_agents.runtime.cancelling import Cancel

if TYPE_CHECKING:
    from otel_agents.runtime.gateway.sessions import Turn

STOP: Final = "/stop"
GATEWAY: Final = "gateway"  # the channel of runs that came over no channel

Answered = Literal["replied", "skipped", "stopped", "cancelled", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message that came over a channel. Without a conversation it belongs to the sender's own.

    Raises:
        ValueError: Channel or sender is empty, or the channel has the name of the gateway's own.
    """

    channel: str
    sender: str
    text: str
    conversation: str = ""
    correlation_id: str = ""

    def __post_init__(self) -> None:
        for name in ("channel", "sender"):
            if not getattr(self, name):
                raise ValueError(f"{name} of a message is empty")
        if self.channel == GATEWAY:  # its sessions are those of `Gateway.send`, which nobody outside may stop
            raise ValueError(f"channel of a message is {GATEWAY!r}, which is the gateway's own; give it another name")

    @property
    def is_stop(self) -> bool:
        """Whether it asks to stop what runs, whatever the rules say."""
        return self.text.strip().lower() == STOP


@dataclass(frozen=True, slots=True)
class Reply:
    """What a message led to; ``reason`` says why there is no text: of a skip, or the class of an error."""

    status: Answered
    text: str = ""
    run_id: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """What an agent is asked. ``cancel`` is for plain functions, which have to look themselves."""

    text: str
    run_id: str
    session: str
    sender: str
    history: tuple[Turn, ...]
    cancel: Cancel


Agent = Callable[[Request], Any]  # a function, or a coroutine function; returns the text of the reply


class GatewayError(Exception):
    """A call that cannot be answered: ``code`` is for programs, the message for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
