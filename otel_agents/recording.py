"""How a fact that was measured elsewhere is told, for every event type; must not know scopes or adapters."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Final

from otel_agents import guard, pipeline
from otel_agents.operation import OK
from otel_agents.patching.watch import OUTCOME_OF, checked
from otel_agents.recorder import RECORDER
from otel_agents.semconv import agents as a
from otel_agents.semconv import events as e
from otel_agents.semconv import kinds as k
from otel_agents.semconv.agents import attribute
from otel_agents.semconv.model import EventType, Kind, snake_case

NODE_FIELDS: Final = {"node_id": a.FLEX_NODE_ID, "capability": a.FLEX_CAPABILITY_ID}
MOST_S: Final = 1e9  # thirty years: more is a mistake
NOT_ENDS: Final = (e.NODE_ERROR, e.WORKFLOW_FINISHED)  # told at an end, but measuring no operation by themselves
ENDED_BY: Final[dict[str, Kind]] = {
    end.event.name: kind for kind in k.KINDS for end in kind.ends if end.event not in NOT_ENDS
}


def fields(event: EventType) -> dict[str, str]:
    """Return the keywords of an event type, in order, and the attribute that each one sets."""
    known = {}
    for name in event.attributes:
        row = attribute(name)
        if row is not None:
            known[snake_case(event.fields.get(name, row.field))] = name
    return known | (NODE_FIELDS if event.family == "node" else {})


def _tell(event: EventType, known: dict[str, str], args: tuple[object, ...], given: dict[str, object]) -> None:
    pipeline.ensure()
    given.update(zip([*known, "duration_s"], args, strict=False))
    duration_s = given.pop("duration_s", None)
    named = given.pop("outcome", None)
    values = {known[name]: value for name, value in given.items() if name in known}
    _check(event, known, args, given)
    status = values.get(a.FLEX_RUN_STATUS)
    if named is None and isinstance(status, str):
        named = OUTCOME_OF.get(status)
    outcome = guard.run("api.outcome", checked, named) or OK
    duration_ns = _nanoseconds(duration_s)
    kind = ENDED_BY.get(event.name)
    if kind is None or duration_ns is None:
        RECORDER.fact(event, values, status=outcome if kind is not None else None, duration_ns=duration_ns)
    else:
        RECORDER.completed(kind, str(values.get(kind.subject, "")), values, duration_ns=duration_ns, outcome=outcome)
    if duration_ns is None and duration_s is not None:  # told all the same, without it
        raise ValueError(f"record.{event.name}: duration_s is {duration_s!r}; give seconds from 0 up")


def _nanoseconds(duration_s: object) -> int | None:
    """Return a duration; None for what can be none."""
    if not isinstance(duration_s, int | float) or not 0 <= duration_s <= MOST_S:
        return None
    return round(float(duration_s) * 1e9)


def _check(event: EventType, known: dict[str, str], args: tuple[object, ...], given: dict[str, object]) -> None:
    unknown = sorted(given.keys() - known.keys())
    if unknown or len(args) > len(known) + 1:
        raise TypeError(
            f"record.{event.name} takes {[*known, 'duration_s', 'outcome']}, not {unknown or args[len(known) + 1 :]}"
        )


def recorder(event: EventType) -> Callable[..., None]:
    """Return the function that tells facts of this type, with its signature."""
    known = fields(event)

    def record(*args: object, **given: object) -> None:
        guard.run("api.record", _tell, event, known, args, given)

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [inspect.Parameter(name, kind, default=None) for name in (*known, "duration_s")]
    outcome = inspect.Parameter("outcome", inspect.Parameter.KEYWORD_ONLY, default="ok")
    record.__signature__ = inspect.Signature([*parameters, outcome])  # type: ignore[attr-defined]
    record.__name__ = record.__qualname__ = event.name
    record.__doc__ = event.brief
    return record
