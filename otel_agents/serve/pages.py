"""The page that shows the progress of runs: where its files lie and are served; must not know what the page calls."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from starlette.routing import BaseRoute

from otel_agents import files

FOLDER: Final = Path(__file__).parent / "page"


def routes() -> list[BaseRoute]:
    """Return the routes of the page."""
    return files.routes(FOLDER, "/progress", "/progress/{name}")
