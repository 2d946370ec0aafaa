"""What importing the package costs, in fresh processes with compiled modules."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from typing import Final

from tests.benchmarks.measuring import Case, Row, compare, in_turn, micros

GOAL_S: Final = 0.02
STATEMENTS: Final[dict[str, float | None]] = {
    "import otel_agents": 1.0,
    "import otel_agents.api": None,
    "import otel_agents.instrumentor": None,
    "import opentelemetry.sdk.trace, opentelemetry.sdk.metrics, opentelemetry.sdk._logs": None,
}


def _run(statement: str, folder: str) -> Callable[[], object]:
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": folder}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return lambda: subprocess.run([sys.executable, "-c", statement], env=environment, check=True)


def _children() -> float:
    """Return the CPU seconds of all processes that were started and ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(rounds: int) -> Iterator[Row]:
    """Measure imports. The first round, which does not count, writes the compiled modules."""
    with tempfile.TemporaryDirectory() as folder:
        spent = in_turn([Case(each, _run(each, folder)) for each in ("pass", *STATEMENTS)], rounds, clock=_children)
    for statement, goal in STATEMENTS.items():
        extra = [more - less for more, less in zip(spent[statement], spent["pass"], strict=True)]
        name = f"`{statement}`, over an empty program, to {GOAL_S * 1e3:.0f} ms"
        note = f"{micros(extra, 1)} over {micros(spent['pass'], 1)}"
        yield compare("import", name, extra, [GOAL_S] * len(extra), goal=goal, note=note)
