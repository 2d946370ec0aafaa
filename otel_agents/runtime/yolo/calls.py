"""Callables of the user's, whatever they are made of; must not know what they do."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any


async def call(function: Callable[..., Any], *args: object) -> Any:
    """Call a function, and wait for it; one that is not asynchronous runs in a thread, and keeps nobody waiting."""
    is_async = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)
    result = function(*args) if is_async else await asyncio.to_thread(function, *args)
    return await result if inspect.isawaitable(result) else result
