"""A request's body, counted while it comes, however it is sent; must not know what is in it."""

from __future__ import annotations

from otel_agents.door.visit import Message, Receive


class TooLarge(Exception):  # noqa: N818  # a limit reached, raised through an app that does not know it
    """The body has more bytes than it may."""


async def pass_over(receive: Receive, limit: int) -> None:
    """Receive what is left of a body, up to some bytes, and keep nothing.

    A client that still sends when the connection is closed sees it broken, and never the answer.
    """
    is_open = True
    while is_open and limit > 0:
        message = await receive()
        limit -= len(message.get("body", b""))
        is_open = message.get("more_body", False)


class Body:
    """Receives for an app, and raises when the body gets too large: only counting tells how long a chunked one is."""

    __slots__ = ("_limit", "_receive", "_size")

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._limit = limit
        self._size = 0

    @property
    def is_too_large(self) -> bool:
        """Whether more came than may come."""
        return self._size > self._limit

    async def rest(self) -> Message:
        """Receive what nobody counts any more."""
        return await self._receive()

    async def __call__(self) -> Message:
        """Receive.

        Raises:
            TooLarge: The limit is passed.
        """
        message = await self._receive()
        self._size += len(message.get("body", b""))
        if self.is_too_large:
            raise TooLarge
        return message

    async def read(self) -> bytes:
        """Receive all of it; what there is of it when the client leaves.

        Raises:
            TooLarge: The limit is passed.
        """
        parts: list[bytes] = []
        is_open = True
        while is_open:
            message = await self()
            parts.append(message.get("body", b""))
            is_open = message.get("more_body", False)
        return b"".join(parts)
