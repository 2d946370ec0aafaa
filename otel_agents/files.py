"""Serves the files of a page as they are, under a policy that lets it load nothing else; must not know the page."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Route

INDEX: Final = "index.html"
NOT_FOUND: Final = 404
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


def routes(folder: Path, page: str, files: str) -> list[BaseRoute]:
    """Return the routes of a page: of its `index.html`, and of its files, by a path that has `{name}`.

    What may be asked for is looked up now; nothing else is looked up in the file system.
    """
    known = {path.name: path for path in sorted(folder.iterdir()) if path.suffix in MEDIA}

    async def file(request: Request) -> Response:
        name = request.path_params.get("name", INDEX)
        if name not in known:
            raise HTTPException(NOT_FOUND, "there is no such file")
        path = known[name]
        return FileResponse(path, headers=dict(HEADERS), media_type=MEDIA[path.suffix])

    return [Route(page, file), Route(files, file)]
