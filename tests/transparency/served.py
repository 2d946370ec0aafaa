"""All hosts behind a server: `wsgi` and `asgi` for gunicorn, which imports this before or after it forks."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tests.transparency.situations import HOSTS, Host, told
from tests.transparency.step import Here
from tests.transparency.telling import described, shown

SLOW_S = 1.0
for _host in HOSTS.values():
    _host.later.keys()  # its module is there now


def _slowly() -> None:
    """Be in the middle of a step when the server is told to stop."""
    Path(os.environ["ENTERED"]).touch()
    time.sleep(SLOW_S)


def _answer(reports: Any) -> bytes:
    return json.dumps({"pid": os.getpid(), "reports": reports}, sort_keys=True).encode()


def _parsed(path: str) -> tuple[Host, Here]:
    name, _, how = path.strip("/").partition("/")
    return HOSTS[name], Here(_slowly) if how else Here()


def wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Go the host's first way, in a loop of its own if that is a coroutine."""
    host, here = _parsed(environ["PATH_INFO"])
    ways = [*host.sync.values(), *((lambda here, way=way: asyncio.run(way(here))) for way in host.later.values())]
    report = told(here, lambda: ways[0](here))
    start_response("200 OK", [("Content-Type", "application/json")])
    return [_answer([report["told"], report.get("result"), report.get("error")])]


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    """Go the host's first way that is a coroutine, in the server's own loop."""
    if scope["type"] != "http":
        return
    host, here = _parsed(scope["path"])
    try:
        report: Any = shown(await next(iter(host.later.values()))(here))
    except BaseException as error:
        report = described(error)
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": _answer([here.told, report])})
