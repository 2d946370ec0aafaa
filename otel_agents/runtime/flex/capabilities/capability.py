"""One capability: what it takes, what it gives, and the work itself; must not know who calls it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from otel_agents.runtime.flex.facets import ContextBundle

ANY: Final = "*"
"""In `optional_input`: every facet that some node gives."""

Kind = Literal["agent", "tool", "step"]


class CapabilityError(Exception):
    """The work failed.

    Attributes:
        retryable: Whether trying again may help.
        retry_after_s: Seconds to wait before that, when the other side said so.
    """

    def __init__(self, message: str, *, retryable: bool = True, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retryable = retryable
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class Task:
    """One attempt at one node: plain JSON only, so that the work may be done elsewhere.

    Attributes:
        attempt: 1 at first.
        feedback: What a human answered to the output of the attempt before.
    """

    run_id: str
    node_id: str
    attempt: int
    bundle: ContextBundle
    feedback: str | None = None


Work = Callable[[Task], Awaitable[Mapping[str, Any]] | Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Capability:
    """What can be a node of a plan.

    Attributes:
        id: What envelopes and plans call it; letters, digits, `_`, `.`, `:`, `-`.
        label: What people call it.
        kind: An agent decides, a tool does, a step arranges.
        input: Facets that it cannot work without.
        output: Facets that it gives, each one always.
        run: The work. Coroutine functions run in the loop, plain functions in a thread.
        version: Told in plans; change it when the same input gives another output.
        optional_input: Facets that it takes when some node of the plan gives them.
        repeatable: Whether an attempt that was cut off may be made again without harm.
        timeout_s: Seconds of one attempt; the engine's default when None.
        attempts: How often it is tried at most, unless the envelope says otherwise; the engine's default when None.
        backoff_s: Seconds before the second attempt; doubled for each one after.
    """

    id: str
    label: str
    kind: Kind
    input: tuple[str, ...]
    output: tuple[str, ...]
    run: Work
    version: str = "1"
    optional_input: tuple[str, ...] = ()
    repeatable: bool = True
    timeout_s: float | None = None
    attempts: int | None = None
    backoff_s: float = 0.05
