"""A real browser without a window, for tests that look at pages; must not know the pages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.need import missing, require_module

PROGRAM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox", "--headless", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
SHOWN_MS = 20_000  # how long a page may take to show what is waited for


@asynccontextmanager
async def chromium() -> AsyncIterator[Any]:
    """Have a browser."""
    playwright = require_module("playwright.async_api")
    if not PROGRAM.exists():  # noqa: ASYNC240 - a test may wait for that
        missing(str(PROGRAM), "apt-get install chromium")
    async with playwright.async_playwright() as started:
        browser = await started.chromium.launch(executable_path=str(PROGRAM), args=FLAGS)
        yield browser
        await browser.close()
