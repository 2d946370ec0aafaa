"""Flex as one ASGI app: endpoints, page and the life of the coordinator; must not know how runs are executed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Final

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from otel_agents.door import Door
from otel_agents.runtime.flex.capabilities import Registry
from otel_agents.runtime.flex.capabilities.configured import from_config
from otel_agents.runtime.flex.capabilities.shipped import shipped
from otel_agents.runtime.flex.coordinator import Coordinator
from otel_agents.runtime.flex.http import operations, pages
from otel_agents.runtime.flex.http.answers import EXCEPTIONS, answer
from otel_agents.runtime.flex.http.api import Api
from otel_agents.runtime.flex.http.lifetime import Lifetime
from otel_agents.runtime.flex.http.openapi import openapi
from otel_agents.runtime.flex.settings import Settings

DOCUMENT: Final = f"{operations.ROOT}/openapi.json"


def create_app(
    settings: Settings | None = None,
    *,
    registry: Registry | None = None,
    coordinator: Coordinator | None = None,
    token: str | None = None,
    hosts: Collection[str] = (),
    has_door: bool = True,
    beside: Sequence[BaseRoute] = (),
) -> Starlette:
    """Return the app, which any ASGI server with lifespan can run.

    Args:
        settings: From the environment unless given.
        registry: What plans are made of; what comes along and the file of the settings unless given.
        coordinator: One that runs already and stays its owner's; without one the app opens its own.
        token: What clients have to know; without one only loopback is served.
        hosts: Names by which the server may be called, beside loopback and its address.
        has_door: Whether to check token, Host, Origin and media type here; not where something around it does.
        beside: Further routes, such as those of what observes it; tried before ours.

    Raises:
        SettingsError: A variable, or the file of capabilities, cannot be used.
    """
    settings = settings or Settings.from_env()
    lifetime = Lifetime(settings, capabilities(settings) if registry is None else registry, coordinator)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with lifetime.held():
            yield

    door = Middleware(Door, token=token, hosts=hosts, max_connections=settings.max_connections)
    app = Starlette(
        routes=[*beside, *operations.routes(Api(lifetime, settings)), Route(DOCUMENT, _document), *pages.routes()],
        exception_handlers=EXCEPTIONS,
        middleware=[door] if has_door else [],
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False  # a POST that is sent elsewhere by a slash is no help
    app.state.lifetime = lifetime
    return app


def capabilities(settings: Settings, registry: Registry | None = None) -> Registry:
    """Return a registry, by default what comes along, with what the file of the settings adds.

    Raises:
        SettingsError: The file cannot be used.
    """
    registry = shipped() if registry is None else registry
    return from_config(settings.capabilities, registry) if settings.capabilities else registry


async def _document(_: Request) -> Response:
    return answer(openapi())
