"""Loads example programs as modules, and runs them as users do, alone and under `otel-agents run`."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

EXAMPLES = Path(__file__).parents[2] / "examples"
PATIENCE_S = 60.0

Done = subprocess.CompletedProcess[str]


def load(name: str) -> ModuleType:
    """Return the program of an example as a module."""
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / name / "app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def play(name: str, *arguments: str, watched: bool = False) -> Done:
    """Run the program of an example to its end."""
    command = [sys.executable, str(EXAMPLES / name / "app.py"), *arguments]
    if watched:
        command = [sys.executable, "-m", "otel_agents.cli", "run", "--", *command]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
