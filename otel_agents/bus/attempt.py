"""Call what a subscriber gave us and keep what it raised; must not know what the call is for.

Not the guard: a failure here is the subscriber's, not ours. It is never raised again, not even while the guard is
strict, because the hub answers it: it counts it, drops the subscriber and tells the others.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

from otel_agents.content import type_name


class Attempt:
    """A block out of which nothing of the given type comes.

    `failure` is the name of the type that was raised in it, "" when nothing was. The exception itself is not kept:
    its traceback would keep the subscriber's frames alive.
    """

    __slots__ = ("_type", "failure")

    def __init__(self, type_: type[BaseException] = Exception) -> None:
        self._type = type_
        self.failure = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        if kind is None or not issubclass(kind, self._type):
            return False
        self.failure = type_name(kind)
        return True
