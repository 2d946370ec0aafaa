"""The endpoints of the observation, as routes for any Starlette app and as an app; must not know what is observed."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from functools import partial
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute

from otel_agents.door import MAX_BODY, MAX_CONNECTIONS, Door, error_content
from otel_agents.serve import events, pages
from otel_agents.serve.conversation import converse
from otel_agents.serve.health import Health
from otel_agents.serve.observation import Observation
from otel_agents.serve.profiling import Profiling

CODES: Final = {404: "not_found", 405: "method_not_allowed"}


def routes(observation: Observation) -> list[BaseRoute]:
    """Return the endpoints, to stand beside others in one app: /events, /ws, /progress, /metrics, /health*, /profile.

    Whoever uses them puts a `Door` around the whole, and calls `observation.close()` before the server stops: streams
    do not end by themselves.
    """
    health, profiling = Health(observation), Profiling(observation)
    return [
        Route("/events", partial(events.respond, observation)),
        WebSocketRoute("/ws", partial(converse, observation)),
        *pages.routes(),
        Route("/metrics", partial(_metrics, observation)),
        Route("/health", health.whole),
        Route("/health/live", health.live),
        Route("/health/ready", health.ready),
        Route("/profile", profiling.take, methods=["POST"]),
    ]


def create_app(
    observation: Observation,
    *,
    token: str | None = None,
    hosts: Collection[str] = (),
    max_body: int = MAX_BODY,
    max_connections: int = MAX_CONNECTIONS,
) -> Door:
    """Return the endpoints as an ASGI app with a door of its own, to be served or mounted anywhere.

    `hosts` are names by which clients may call the server, beside loopback and the address itself.
    """
    app = Starlette(routes=routes(observation), exception_handlers={HTTPException: _refuse})
    return Door(app, token=token, hosts=hosts, max_body=max_body, max_connections=max_connections)


async def _metrics(observation: Observation, request: Request) -> Response:
    if observation.page is None:
        return JSONResponse(error_content("no_metrics", "this process keeps no metrics"), 404)
    accept = request.headers.get("accept", "")
    body, content_type = await asyncio.to_thread(observation.page, accept)  # it may take long enough to stall others
    return Response(body, headers={"content-type": content_type, "cache-control": "no-store"})


async def _refuse(request: Request, error: Exception) -> Response:
    status, text, headers = 500, str(error), None
    if isinstance(error, HTTPException):
        status, text, headers = error.status_code, error.detail, error.headers
    return JSONResponse(error_content(CODES.get(status, "error"), text), status, headers)
