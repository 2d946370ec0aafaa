"""Decides who gets to the app and who is sent away, and how; must not know what the app answers."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from otel_agents.door import login
from otel_agents.door.body import Body, TooLarge, pass_over
from otel_agents.door.hosts import is_for_us, is_from_us, is_loopback, names
from otel_agents.door.replies import JSON, Reply, refusal
from otel_agents.door.secret import CARRIER, PROTOCOL, Secret
from otel_agents.door.visit import App, Message, Receive, Scope, Send, Visit

OPEN_PATHS: Final = ("/health/live", "/health/ready")
MAX_BODY: Final = 1_048_576
PASSED_OVER: Final = 16_777_216  # of a body that is refused
MAX_CONNECTIONS: Final = 256
RETRY_AFTER_S: Final = 2
DIGITS: Final = re.compile("[0-9]{1,18}")
READING: Final = ("GET", "HEAD")
WRITING: Final = ("POST", "PUT", "PATCH")

# A page of ours is shown in no frame of another site, and what we answer is no script, image or style of one.
HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
)

WRONG_HOST: Final = refusal(403, "host_not_allowed", "the Host header names neither this server nor loopback")
WRONG_ORIGIN: Final = refusal(403, "origin_not_allowed", "the Origin header is not that of this server's own pages")
NOT_JSON: Final = refusal(415, "unsupported_media_type", f"send Content-Type: {JSON}, also without a body")
BARE: Final = refusal(403, "token_required", "this address is not loopback and the server has no token; give it one")
NO_TOKEN: Final = refusal(
    401, "unauthorized", "send Authorization: Bearer and the token, or log in at /login", ("www-authenticate", "Bearer")
)
FULL: Final = refusal(503, "too_many_connections", "try again soon", ("retry-after", str(RETRY_AFTER_S)))


class Door:
    """ASGI middleware around an app: Host, Origin, media type, token, size of the body, number of connections.

    Args:
        app: What is kept.
        token: What clients have to know. None lets everybody in who comes to a loopback address, and nobody else.
        hosts: Names by which the server may be called, beside loopback and the address that was called.
        open_paths: Paths that may be read without the token, and while there are too many connections.
        max_body: Bytes that the body of a request may have.
        max_connections: Requests and WebSockets that may be open at once.

    Raises:
        TypeError: The names are one string.
        ValueError: A token that no header can carry, or a name that no Host header can have.
    """

    def __init__(
        self,
        app: App,
        *,
        token: str | None,
        hosts: Collection[str] = (),
        open_paths: Collection[str] = OPEN_PATHS,
        max_body: int = MAX_BODY,
        max_connections: int = MAX_CONNECTIONS,
    ) -> None:
        self._app = app
        self._secret = Secret(token) if token else None
        self._names = names(hosts)
        self._open_paths = frozenset(open_paths)
        self._max_body = max_body
        self._max_connections = max_connections
        self._connections = 0
        self._too_large = refusal(413, "body_too_large", f"a body may have at most {max_body} bytes")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the app answer, or answer in its place."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        visit, outgoing = Visit(scope), Outgoing(send)
        reply = await self._reply(visit, receive)
        if reply is not None:
            if reply is self._too_large:
                await pass_over(receive, PASSED_OVER)
            await reply.give(scope, outgoing)
        else:
            await self._let_in(visit, Body(receive, self._max_body), outgoing)

    async def _reply(self, visit: Visit, receive: Receive) -> Reply | None:
        """Return what is answered without the app, None when it may answer itself."""
        if not is_for_us(visit, self._names):
            return WRONG_HOST
        if not is_from_us(visit):
            return WRONG_ORIGIN
        if visit.method in WRITING and not _is_json(visit):
            return NOT_JSON
        if self._is_open(visit):
            return None
        if self._secret is not None and visit.path == login.PATH:
            return await login.login(visit, receive, self._secret)
        return self._without_token(visit) or self._too_much(visit)

    def _is_open(self, visit: Visit) -> bool:
        return not visit.is_handshake and visit.method in READING and visit.path in self._open_paths

    def _without_token(self, visit: Visit) -> Reply | None:
        if self._secret is None:
            return None if is_loopback(visit.local_host) else BARE
        if self._secret.is_known_to(visit):
            return None
        if _is_page(visit):
            return Reply(303, headers=(("location", login.leading_to(visit)),))
        return NO_TOKEN

    def _too_much(self, visit: Visit) -> Reply | None:
        length = visit.one(b"content-length") or "0"
        if not DIGITS.fullmatch(length) or int(length) > self._max_body:
            return self._too_large
        return FULL if self._connections >= self._max_connections else None

    async def _let_in(self, visit: Visit, body: Body, outgoing: Outgoing) -> None:
        outgoing.body = body
        self._connections += 1
        try:
            await self._app(outgoing.opened(visit), body, outgoing)
        except* TooLarge:
            pass
        finally:
            self._connections -= 1
        if body.is_too_large and not outgoing.is_started:
            outgoing.body = None
            await pass_over(body.rest, PASSED_OVER)
            await self._too_large.give(visit.scope, outgoing)


class Outgoing:
    """Sends for an app: adds our headers, and holds back what it says of a body that it could not read."""

    __slots__ = ("_protocol", "_send", "body", "is_started")

    def __init__(self, send: Send) -> None:
        self._send = send
        self._protocol: str | None = None
        self.body: Body | None = None
        self.is_started = False

    def opened(self, visit: Visit) -> Scope:
        """Return the scope for the app: without the token, which stands among the subprotocols."""
        offered = visit.protocols
        if not offered:
            return visit.scope
        self._protocol = PROTOCOL if PROTOCOL in offered else None
        return {**visit.scope, "subprotocols": [each for each in offered if not each.startswith(CARRIER)]}

    async def __call__(self, message: Message) -> None:
        """Send one message of the app."""
        kind = message["type"]
        if self.body is not None and self.body.is_too_large and not self.is_started:
            return
        self.is_started = True
        if kind.endswith("http.response.start"):
            own = list(message.get("headers", ()))
            there = {name.lower() for name, _ in own}
            message = {**message, "headers": [*own, *(each for each in HEADERS if each[0] not in there)]}
        elif kind == "websocket.accept" and not message.get("subprotocol"):
            message = {**message, "subprotocol": self._protocol}
        await self._send(message)


def _is_json(visit: Visit) -> bool:
    return (visit.one(b"content-type") or "").partition(";")[0].strip().lower() == JSON


def _is_page(visit: Visit) -> bool:
    accepts = ",".join(visit.all(b"accept")).lower()
    return not visit.is_handshake and visit.method in READING and "text/html" in accepts
