"""Facts that were measured elsewhere: ``record.<event type>(...)`` for every type; must not know scopes or adapters.

    record.handoff("triage", "writer", 0.2)
    record.decision(agent="triage", decision_type="route")
    record.phase_completed(iteration=1, phase="build", success=True, duration_s=4.1)

Arguments are the payload fields of the type in snake_case, in the order of the vocabulary, then ``duration_s``, and,
by keyword only, ``outcome``; all are optional. Types stand in record.pyi, which is generated from the vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from otel_agents.recording import recorder
from otel_agents.semconv.events import CONTEXT_REFRESHED, EVENTS

__all__: Final = [*(row.name for row in EVENTS), "context_tokens"]  # all but the last are made by __getattr__


def context_tokens(agent: str, tokens: int) -> None:
    """Tell how many tokens an agent's context holds now, without a refresh."""
    recorder(CONTEXT_REFRESHED)(agent=agent, tokens=tokens)


def __getattr__(name: str) -> Callable[..., None]:
    event = EVENTS.get(name)
    if event is None:
        raise AttributeError(f"record has no {name!r}; event types are {', '.join(__all__)}")
    made = globals()[name] = recorder(event)
    return made


def __dir__() -> list[str]:
    return sorted(__all__)
