"""Who knows the token: in a header, a subprotocol, or a cookie got for it; must not know where requests come from."""

from __future__ import annotations

import base64
import hmac
import re
import time
from collections.abc import Callable
from typing import Final

from otel_agents.door.visit import Visit

COOKIE: Final = "otel_agents"
PROTOCOL: Final = "otel-agents"  # what a WebSocket client offers beside its token, and gets back
CARRIER: Final = "otel-agents.token."  # then the token in base64url without padding
FORM: Final = re.compile(r"[\x21-\x7e]{1,1024}")
VALID_S: Final = 12 * 60 * 60


class Secret:
    """A token. All comparisons take the same time, wherever the difference is.

    Raises:
        ValueError: No header can carry it as it is.
    """

    __slots__ = ("_now_s", "_token")

    def __init__(self, token: str, now_s: Callable[[], float] = time.time) -> None:
        if not FORM.fullmatch(token):
            raise ValueError("the token is not 1 to 1024 visible ASCII characters without spaces")
        self._token = token.encode()
        self._now_s = now_s

    def is_known_to(self, visit: Visit) -> bool:
        """Say whether the token comes along, in whatever way."""
        scheme, _, rest = (visit.one(b"authorization") or "").partition(" ")
        if scheme.lower() == "bearer" and self.is_token(rest.strip()):
            return True
        if any(self._is_cookie(value) for value in visit.cookies(COOKIE)):
            return True
        return any(self._is_carried(offered) for offered in visit.protocols)

    def is_token(self, text: str) -> bool:
        """Say whether this is the token."""
        return hmac.compare_digest(text.encode("utf-8", "replace"), self._token)

    def cookie(self, *, secure: bool) -> str:
        """Return the `Set-Cookie` header: it holds no token, but a proof of one that ends by itself."""
        value = self._proof(int(self._now_s()) + VALID_S)
        return f"{COOKIE}={value}; Max-Age={VALID_S}; Path=/; HttpOnly; SameSite=Strict{'; Secure' if secure else ''}"

    def _is_cookie(self, value: str) -> bool:
        until = value.partition(".")[0]
        if not until.isascii() or not until.isdigit() or len(until) > len("9999999999"):
            return False
        is_ours = hmac.compare_digest(value.encode("utf-8", "replace"), self._proof(int(until)).encode())
        return is_ours and int(until) > self._now_s()

    def _proof(self, until_s: int) -> str:
        return f"{until_s}.{hmac.digest(self._token, f'{COOKIE} {until_s}'.encode(), 'sha256').hex()}"

    def _is_carried(self, offered: str) -> bool:
        if not offered.startswith(CARRIER):
            return False
        text = offered[len(CARRIER) :].encode("utf-8", "replace")
        own = base64.urlsafe_b64encode(self._token).rstrip(b"=")
        return hmac.compare_digest(text, own)
