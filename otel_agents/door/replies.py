"""Answers that the app is not asked for: structured errors, the login page; must not know when they are given."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from otel_agents.door.visit import Scope, Send

JSON: Final = "application/json"
POLICY_VIOLATION: Final = 1008  # the code with which a WebSocket is closed where the server cannot say more
DENIAL: Final = "websocket.http.response"  # the extension by which a handshake is answered like a request


def error_content(code: str, message: str, details: Sequence[object] = ()) -> dict[str, object]:
    """Return the body of every error: `{"error": {"code", "message", "details": [{path, message}]}}`."""
    return {"error": {"code": code, "message": message, "details": list(details)}}


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole response."""

    status: int
    body: bytes = b""
    media_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()

    async def give(self, scope: Scope, send: Send) -> None:
        """Send it, to a request or in place of a WebSocket."""
        is_handshake = scope["type"] == "websocket"
        if is_handshake and DENIAL not in (scope.get("extensions") or {}):
            await send({"type": "websocket.close", "code": POLICY_VIOLATION})
            return
        prefix = "websocket.http" if is_handshake else "http"
        named = (("content-type", self.media_type), ("content-length", str(len(self.body))), *self.headers)
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in named]
        await send({"type": f"{prefix}.response.start", "status": self.status, "headers": headers})
        await send({"type": f"{prefix}.response.body", "body": self.body, "more_body": False})


def refusal(status: int, code: str, message: str, *headers: tuple[str, str]) -> Reply:
    """Return a structured error. The connection is not used again: a body that nobody read may still be coming."""
    body = json.dumps(error_content(code, message)).encode()
    return Reply(status, body, headers=(("connection", "close"), *headers))
