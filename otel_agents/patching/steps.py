"""Single steps of generators, as exact as ``yield from`` and as an event loop sees them; must not know watches."""

from __future__ import annotations

import sys
import types
from typing import Any


def thrower(stream: Any) -> Any:
    """Return ``throw`` of a generator, or what stands in for it where a mere iterator is iterated."""
    return getattr(stream, "throw", _raise)


def athrower(stream: Any) -> Any:
    """Return ``athrow`` of an async generator, or what stands in for it where a mere iterator is iterated."""
    return getattr(stream, "athrow", _araise)


def as_given(error: BaseException) -> BaseException:
    """Take our own frame off an exception that the caller threw in."""
    traceback = error.__traceback__
    return error.with_traceback(traceback.tb_next if traceback is not None else None)


def first_step(stream: Any) -> Any:
    """Return the first step of a stream, unseen by the event loop: it must close our generator, and that one only.

    A loop that shuts down closes all generators it knows at once, and would close the inner one under the outer.
    """
    hooks = sys.get_asyncgen_hooks()
    if type(stream) is not types.AsyncGeneratorType or hooks.finalizer is None:
        return stream.__anext__()
    sys.set_asyncgen_hooks(firstiter=None, finalizer=_closed_by_ours)
    try:
        return stream.__anext__()
    finally:
        sys.set_asyncgen_hooks(*hooks)


def _closed_by_ours(stream: object) -> None:
    """Do nothing when the collector meets an inner generator: its outer one has been closed, or never will be."""


def _raise(error: BaseException) -> Any:
    raise error


async def _araise(error: BaseException) -> Any:
    raise error
