"""Turns results and errors into JSON answers, all errors of one shape; must not know what was asked."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from otel_agents.runtime.flex.problem import FlexError

RETRY_AFTER_S: Final = 5
NO_STORE: Final[Mapping[str, str]] = MappingProxyType({"Cache-Control": "no-store"})
UNAVAILABLE: Final = 503
# What routing itself refuses.
ROUTING: Final[Mapping[int, tuple[str, str]]] = MappingProxyType(
    {404: ("not_found", "There is no such endpoint"), 405: ("method_not_allowed", "The endpoint has no such method")}
)


def answer(content: object, status: int = 200) -> JSONResponse:
    """Answer with JSON that no cache keeps."""
    return JSONResponse(content, status, headers=NO_STORE)


def refuse(error: FlexError) -> JSONResponse:
    """Answer with an error; when the server is what cannot, with the time after which to ask again."""
    headers = {**NO_STORE, "Retry-After": str(RETRY_AFTER_S)} if error.status == UNAVAILABLE else NO_STORE
    return JSONResponse({"error": error.as_dict()}, error.status, headers=headers)


def dumped(content: object) -> str:
    """Return JSON on one line, in characters that UTF-8 has: words of foreign errors may hold others."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode(errors="replace").decode()


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, FlexError)  # noqa: S101  # Starlette calls it for nothing else
    return refuse(error)


async def _not_routed(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  # Starlette calls it for nothing else
    code, message = ROUTING.get(error.status_code, ("bad_request", error.detail))
    content = {"error": {"code": code, "message": message, "details": []}}
    return JSONResponse(content, error.status_code, headers={**NO_STORE, **(error.headers or {})})


async def _unforeseen(request: Request, error: Exception) -> Response:
    """Answer a mistake of ours without telling its words; the server that we run in logs it."""
    return refuse(FlexError("internal", "The server made a mistake; its log says which"))


EXCEPTIONS: Final[Mapping[Any, Callable[[Request, Exception], Awaitable[Response]]]] = MappingProxyType(
    {FlexError: _refused, HTTPException: _not_routed, Exception: _unforeseen}
)
