"""The state of a team on its way to the file and back, one at a time; must not know what is in it."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import threading
import weakref
from collections.abc import Callable
from typing import Any

from otel_agents.runtime.yolo.errors import StateError
from otel_agents.runtime.yolo.state import StateFile


class Store:
    """Saves and loads without keeping the event loop waiting. Without a path it does nothing."""

    def __init__(self, path: str | os.PathLike[str] | None) -> None:
        self._file = None if path is None else StateFile(path)
        # A lock is of one event loop, and a team may have one after the other, or several at once.
        self._turns: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = weakref.WeakKeyDictionary()
        self._numbers = itertools.count(1)
        self._taking = threading.Lock()
        self._writing = threading.Lock()
        self._saved = (0, "")

    async def save(self, state: Callable[[], dict[str, Any]]) -> int:
        """Save what the state is now, unless it is as it was saved last; returns the bytes written."""
        if self._file is None:
            return 0
        with self._taking:  # so that of two states the newer one has the larger number
            number, text = next(self._numbers), _as_text(state())
        async with self._turns.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
            if text == self._saved[1]:
                return 0
            writing = asyncio.ensure_future(asyncio.to_thread(self._write, self._file, number, text))
            try:
                return await asyncio.shield(writing)
            finally:
                if not writing.done():  # cancelled: nobody else may write meanwhile
                    await asyncio.wait((writing,))

    async def load(self, *, backup: bool) -> Any:
        """Return the state that was saved, None when there is none."""
        file = self._file
        if file is None or not file.exists():
            return None
        return await asyncio.to_thread(lambda: file.load(backup=backup))

    def _write(self, file: StateFile, number: int, text: str) -> int:
        """Write a state, unless a newer one is there."""
        with self._writing:
            if number < self._saved[0]:
                return 0
            size = file.save(text)
            self._saved = (number, text)
            return size


def _as_text(state: dict[str, Any]) -> str:
    try:
        return json.dumps(state, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise StateError(f"a task cannot be saved, since it is no JSON data: {error}") from error
