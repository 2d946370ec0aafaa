"""Programs of a user, each in a process of its own: bare, or under opentelemetry-instrument."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "langgraph_app" / "app.py"
INSTRUMENT = str(Path(sys.executable).parent / "opentelemetry-instrument")
SIGNALS = ("TRACES", "METRICS", "LOGS")
TIMEOUT_S = 100

Done = subprocess.CompletedProcess[str]


def quiet(**environ: str) -> dict[str, str]:
    """Return an environment without settings of OpenTelemetry but these; no exporter unless one is named.

    Instrumentations of the framework by others, which the bench extra brings, are switched off.
    """
    known = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    none = {f"OTEL_{signal}_EXPORTER": "none" for signal in SIGNALS}
    return {**known, **none, "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "langchain", **environ}


def sending(endpoint: str, protocol: str = "http/protobuf", **environ: str) -> dict[str, str]:
    """Return an environment in which all three signals go to an OTLP endpoint."""
    exporters = {f"OTEL_{signal}_EXPORTER": "otlp" for signal in SIGNALS}
    target = {"OTEL_EXPORTER_OTLP_PROTOCOL": protocol, "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}
    return quiet(**exporters, **target, **environ)


def write(folder: Path, program: str) -> str:
    """Write a program to a file and return its path."""
    path = folder / "app.py"
    path.write_text(textwrap.dedent(program))
    return str(path)


def run(*command: str, env: dict[str, str] | None = None, cwd: Path | None = None) -> Done:
    """Run Python with these arguments, and nothing of ours."""
    return _run([sys.executable, *command], env or quiet(), cwd)


def instrumented(*command: str, env: dict[str, str] | None = None, cwd: Path | None = None) -> Done:
    """Run Python with these arguments under opentelemetry-instrument."""
    return _run([INSTRUMENT, sys.executable, *command], env or quiet(), cwd)


def _run(command: list[str], env: dict[str, str], cwd: Path | None) -> Done:
    return subprocess.run(command, capture_output=True, text=True, check=False, env=env, cwd=cwd, timeout=TIMEOUT_S)
