"""The example team of `examples/yolo_team`, to be watched or not."""

from __future__ import annotations

import asyncio
import contextlib
import io
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from otel_agents.runtime.yolo import Orchestrator

FOLDER = Path(__file__).parents[2] / "examples" / "yolo_team"
build: Callable[..., Orchestrator] = runpy.run_path(str(FOLDER / "team.py"))["build"]


def app() -> dict[str, Any]:
    """Return the names of the example program."""
    sys.path.insert(0, str(FOLDER))
    try:
        return runpy.run_path(str(FOLDER / "app.py"))
    finally:
        sys.path.remove(str(FOLDER))
        sys.modules.pop("team", None)


def example(state: Path | None = None) -> list[str]:
    """Run the example to its end; returns what it prints."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        asyncio.run(app()["work"](build(state, 0.001)))
    return printed.getvalue().splitlines()
