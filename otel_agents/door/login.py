"""The page that asks a person for the token; must not know the token."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Final
from urllib.parse import quote

from otel_agents.door.body import Body, TooLarge
from otel_agents.door.replies import Reply, refusal
from otel_agents.door.secret import Secret
from otel_agents.door.visit import Receive, Visit

PATH: Final = "/login"
MAX_BODY: Final = 4096
_HTML: Final = (Path(__file__).parent / "login.html").read_bytes()


def _hashes(tag: bytes) -> str:
    """Name what stands in the page, so that a browser runs this and nothing else."""
    parts = re.findall(rb"<%b>(.*?)</%b>" % (tag, tag), _HTML, re.DOTALL)
    return " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(part).digest()).decode()}'" for part in parts)


POLICY: Final = (
    f"default-src 'none'; script-src {_hashes(b'script')}; style-src {_hashes(b'style')}; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
PAGE: Final = Reply(
    200, _HTML, "text/html; charset=utf-8", (("content-security-policy", POLICY), ("cache-control", "no-store"))
)
NO_METHOD: Final = refusal(405, "method_not_allowed", "the login takes GET and POST", ("allow", "GET, HEAD, POST"))
NO_TOKEN: Final = refusal(400, "bad_request", 'the body has to be {"token": "..."}')
WRONG: Final = refusal(401, "unauthorized", "this is not the token")
TOO_LARGE: Final = refusal(413, "body_too_large", f"a login has at most {MAX_BODY} bytes")


def leading_to(visit: Visit) -> str:
    """Return the address of the page, which leads on to where the visit wanted to go."""
    query = f"?{visit.query}" if visit.query else ""
    return f"{quote(visit.root)}{PATH}?next={quote(f'{visit.root}{visit.path}{query}', safe='')}"


async def login(visit: Visit, receive: Receive, secret: Secret) -> Reply:
    """Return the page, or for `{"token": ...}` the cookie."""
    if visit.is_handshake or visit.method not in ("GET", "HEAD", "POST"):
        return NO_METHOD
    if visit.method != "POST":
        return PAGE
    try:
        given = json.loads(await Body(receive, MAX_BODY).read())
    except TooLarge:
        return TOO_LARGE
    except (ValueError, RecursionError):
        return NO_TOKEN
    token = given.get("token") if isinstance(given, dict) else None
    if not isinstance(token, str):
        return NO_TOKEN
    if not secret.is_token(token):
        return WRONG
    cookie = secret.cookie(secure=visit.is_secure)
    return Reply(200, b"{}", headers=(("set-cookie", cookie), ("cache-control", "no-store")))
