"""When to stop iterating, by name; must not know how an iteration is run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from otel_agents.runtime.convergence.records import Iteration

# Looks at the iterations so far, the last of which was just verified: "" goes on, anything else stops and says why.
# The run has succeeded if its last iteration has, and never takes more iterations than its task allows.
Strategy = Callable[[Sequence[Iteration]], str]

CONVERGED: Final = "converged"
PATIENCE: Final = 2


def until_green(iterations: Sequence[Iteration]) -> str:
    """Stop at the first iteration that passes all gates."""
    return CONVERGED if iterations[-1].success else ""


def fixed(iterations: Sequence[Iteration]) -> str:
    """Take all the iterations that there are."""
    return ""


def while_improving(iterations: Sequence[Iteration]) -> str:
    """Stop at the first that passes all gates, or when two in a row pass no more gates than the best one before."""
    if iterations[-1].success:
        return CONVERGED
    before, newest = iterations[:-PATIENCE], iterations[-PATIENCE:]
    is_stuck = bool(before) and max(map(_passed, newest)) <= max(map(_passed, before))
    return "no_progress" if is_stuck else ""


def _passed(iteration: Iteration) -> int:
    return iteration.passed


STRATEGIES: Final[Mapping[str, Strategy]] = MappingProxyType(
    {"until_green": until_green, "fixed": fixed, "while_improving": while_improving}
)
