"""What one request or handshake says of itself, read off its ASGI scope; must not know what is allowed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import Any, Final

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

SECURE: Final = ("https", "wss")


class Visit:
    """A request or a handshake."""

    __slots__ = ("scope",)

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    @property
    def method(self) -> str:
        """The method; a handshake is a GET."""
        return str(self.scope.get("method", "GET"))

    @property
    def root(self) -> str:
        """The path under which the app is mounted, "" for none."""
        return str(self.scope.get("root_path", ""))

    @property
    def path(self) -> str:
        """The path within the app."""
        path = str(self.scope["path"])
        root = self.root
        return path[len(root) :] if root and path.startswith(f"{root}/") else path

    @property
    def query(self) -> str:
        """The query, as it was sent."""
        return bytes(self.scope.get("query_string", b"")).decode("latin-1")

    @property
    def is_handshake(self) -> bool:
        """Whether it opens a WebSocket."""
        return bool(self.scope["type"] == "websocket")

    @property
    def is_secure(self) -> bool:
        """Whether it came over TLS, as far as the server knows."""
        return self.scope.get("scheme") in SECURE

    @property
    def local_host(self) -> str:
        """The address of ours that it came to; "" when the server does not say."""
        server = self.scope.get("server")
        return str(server[0]) if server and server[0] else ""

    @property
    def protocols(self) -> list[str]:
        """The subprotocols that a handshake offers."""
        return list(self.scope.get("subprotocols") or ())

    def all(self, name: bytes) -> list[str]:
        """Return the values of a header, one for each time that it stands there."""
        return [value.decode("latin-1").strip() for key, value in self.scope["headers"] if key.lower() == name]

    def one(self, name: bytes) -> str | None:
        """Return the value of a header that stands there exactly once."""
        values = self.all(name)
        return values[0] if len(values) == 1 else None

    def cookies(self, name: str) -> Iterator[str]:
        """Yield the values of a cookie: a browser may send one of a parent path as well."""
        for header in self.all(b"cookie"):
            for part in header.split(";"):
                key, _, value = part.strip().partition("=")
                if key == name:
                    yield value
