"""Makes lines as they come through the pipe: recorded from the real thing, or written out one by one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from otel_agents.bus import pipe
from otel_agents.bus.event import rfc3339, to_json
from otel_agents.cli.story import Story, Told
from otel_agents.testing import capture

NOON_NS = 1_767_355_200_000_000_000  # 2026-01-02T12:00:00Z
NOON_S = NOON_NS / 1e9
PROCESS = "1a1fb2cc0675e12a2dd"

Line = dict[str, Any]


def recorded(program: Callable[[], object]) -> list[Line]:
    """Return the lines of a program that uses the manual API and may raise ValueError; the clocks are counted."""
    with capture() as telemetry, suppress(ValueError):
        program()
    return [json.loads(to_json(pipe.line(event))) for event in telemetry.events]


def line(type_: str, at_ms: float = 0, operation: Line | None = None, **fields: Any) -> Line:
    """Return one line of run `run-1`, so many milliseconds after noon."""
    known: Line = {"id": f"{PROCESS}-0", "type": type_, "timestamp": rfc3339(NOON_NS + int(at_ms * 1e6))}
    known |= {"runId": "run-1", "correlationId": "run-1", "runtime": "manual", "payload": {}, **fields}
    return known | ({"operation": operation} if operation is not None else {})


def run(number: int = 1, name: str = "notes", **more: Any) -> Line:
    """Return the operation of a run."""
    return {"id": number, "kind": "run", "name": name, **more}


def node(number: int, name: str, parent: int = 1, **more: Any) -> Line:
    """Return the operation of a node."""
    return {"id": number, "kind": "node", "name": name, "parent": parent, **more}


def story_of(lines: Iterable[Line]) -> Story:
    """Return the story that lines tell."""
    return told_by(lines)[0]


def told_by(lines: Iterable[Line]) -> tuple[Story, list[Told]]:
    """Return the story that lines tell, and what each of them did to it."""
    story = Story()
    told = [story.add(one) for one in lines]
    return story, [one for one in told if one is not None]
