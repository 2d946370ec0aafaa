"""The state of a team on its way to the file and back, one at a time; must not know what is in it."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from typing import Any

from otel_agents.runtime.yolo.errors import StateError
from otel_agents.runtime.yolo.state import StateFile


class Store:
    """Saves and loads without keeping the event loop waiting. Without a path it does nothing."""

    def __init__(self, path: str | os.PathLike[str] | None) -> None:
        self._file = None if path is None else StateFile(path)
        self._turn = asyncio.Lock()
        self._saved = ""

    async def save(self, state: Callable[[], dict[str, Any]]) -> int:
        """Save what the state is now, unless it is as it was saved last; returns the bytes written."""
        if self._file is None:
            return 0
        text = _as_text(state())
        async with self._turn:
            if text == self._saved:
                return 0
            writing = asyncio.ensure_future(asyncio.to_thread(self._file.save, text))
            try:
                size = await asyncio.shield(writing)
            finally:
                if not writing.done():  # cancelled: nobody else may write meanwhile
                    await asyncio.wait((writing,))
            self._saved = text
            return size

    async def load(self, *, backup: bool) -> Any:
        """Return the state that was saved, None when there is none."""
        file = self._file
        if file is None or not file.exists():
            return None
        return await asyncio.to_thread(lambda: file.load(backup=backup))


def _as_text(state: dict[str, Any]) -> str:
    try:
        return json.dumps(state, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise StateError(f"a task cannot be saved, since it is no JSON data: {error}") from error
