"""How a node or a walk ends when it does not simply succeed; must not know what is done about it."""

from __future__ import annotations

from traceback import TracebackException
from typing import Any, Final

from otel_agents.runtime.flex.problem import FlexError

MAX_MESSAGE: Final = 500


class NodePaused(Exception):  # noqa: N818 - nothing is wrong
    """The node waits for a human."""


class RunPaused(Exception):  # noqa: N818 - nothing is wrong
    """All that can be done is done, and the rest waits for humans."""


class GivenBack(Exception):  # noqa: N818 - nothing is wrong
    """The process is about to end, and the run goes on in another."""


class NodeFailed(FlexError):  # noqa: N818 - an error of ours that holds another
    """A node failed with an error that is not ours; that one is the cause."""

    def __init__(self, error: BaseException) -> None:
        said = TracebackException(type(error), error, None)  # whose words are there also when `str` fails
        super().__init__("node_failed", f"{type(error).__name__}: {said}"[:MAX_MESSAGE])

    def __reduce__(self) -> tuple[Any, tuple[object, ...]]:
        return FlexError, (self.code, self.message, self.details)


def described(error: BaseException) -> FlexError:
    """Return what a client is told of the error of a node."""
    return error if isinstance(error, FlexError) else NodeFailed(error)
