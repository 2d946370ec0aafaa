"""Serves the operator page: files of the package, nothing computed; must not know what the page calls."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import Final

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Route

from otel_agents.runtime.flex.problem import FlexError

FOLDER: Final = Path(__file__).parents[1] / "page"
INDEX: Final = "index.html"
MEDIA: Final = MappingProxyType(
    {
        ".html": "text/html; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".css": "text/css; charset=utf-8",
        ".svg": "image/svg+xml",
        ".json": "application/json",
    }
)
# Scripts and styles of ours only, no inline ones; nothing is fetched from elsewhere, and nobody may frame the page.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS: Final = MappingProxyType(
    {
        "Content-Security-Policy": POLICY,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
    }
)


def files() -> dict[str, Path]:
    """Return what may be asked for, by name; nothing else is looked up in the file system."""
    return {path.name: path for path in sorted(FOLDER.iterdir()) if path.suffix in MEDIA}


def routes() -> list[BaseRoute]:
    """Return the routes of the page."""
    known = files()

    async def file(request: Request) -> Response:
        name = request.path_params.get("name", INDEX)
        if name not in known:
            raise FlexError("not_found", "There is no such file")
        path = known[name]
        return FileResponse(path, headers=dict(HEADERS), media_type=MEDIA[path.suffix])

    return [Route("/", file), Route("/page/{name}", file)]
