"""The environment in which a program runs with us switched on, unchanged otherwise; must not start anything."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

LIVE_FD: Final = "OTEL_AGENTS_LIVE_FD"
LIVE_PATH: Final = "OTEL_AGENTS_LIVE_PATH"
SIGNALS: Final = ("TRACES", "METRICS", "LOGS")
START: Final = str(Path(__file__).parent / "start")  # has the `sitecustomize` that starts OpenTelemetry
PYTHON: Final = re.compile(r"(python|pypy)[\d.]*t?$")
SHEBANG_BYTES: Final = 256
PROBE_S: Final = 10.0
PROBE: Final = (
    "import importlib.util as u, sys;"
    "sys.exit(not all(map(u.find_spec, ('otel_agents', 'opentelemetry', 'opentelemetry.instrumentation'))))"
)


def watched(command: Sequence[str], environ: Mapping[str, str], live_fd: int, live_path: str) -> dict[str, str]:
    """Return the environment that switches OpenTelemetry and us on in every Python program that inherits it.

    Exporters that the user did not ask for are `none`, so that no missing Collector delays the exit.
    """
    env = dict(environ)
    paths = [path for path in env.get("PYTHONPATH", "").split(os.pathsep) if path]
    env["PYTHONPATH"] = os.pathsep.join([START, *(path for path in paths if path != START)])
    env |= {LIVE_FD: str(live_fd), LIVE_PATH: live_path}
    return with_defaults(env, service_name(command))


def with_defaults(environ: Mapping[str, str], service: str) -> dict[str, str]:
    """Return the environment with `none` for exporters that the user did not ask for, and a name for the service."""
    env = dict(environ)
    for signal in SIGNALS:
        if not env.get(f"OTEL_{signal}_EXPORTER") and not _has_endpoint(env, signal):
            env[f"OTEL_{signal}_EXPORTER"] = "none"
    if not env.get("OTEL_SERVICE_NAME") and "service.name=" not in env.get("OTEL_RESOURCE_ATTRIBUTES", ""):
        env["OTEL_SERVICE_NAME"] = service
    return env


def with_exporter(env: Mapping[str, str], signal: str, exporter: str) -> dict[str, str]:
    """Return the environment with one more exporter for a signal, beside those that are there."""
    name = f"OTEL_{signal}_EXPORTER"
    there = [each.strip() for each in env.get(name, "").split(",")]
    kept = [each for each in there if each and each not in ("none", exporter)]
    return {**env, name: ",".join([*kept, exporter])}


def service_name(command: Sequence[str]) -> str:
    """Return what a program is called: the module after `-m`, else the script, else the command; without suffix."""
    name, arguments = command[0], list(command[1:])
    if PYTHON.search(Path(name).name):
        while arguments and arguments[0].startswith("-") and arguments[0] not in ("-m", "-c", "-"):
            arguments = arguments[2 if arguments[0] in ("-W", "-X") else 1 :]
        if arguments[:1] == ["-m"] and len(arguments) > 1:
            return arguments[1]
        name = arguments[0] if arguments and arguments[0] not in ("-c", "-") else name
    return Path(name).name.removesuffix(".py") or name


def interpreter(command: Sequence[str], environ: Mapping[str, str]) -> str | None:
    """Return the Python that will run a command, or None when that cannot be seen from outside."""
    if Path(command[0]).name == "env" and len(command) > 1 and not command[1].startswith("-"):
        rest = command[1:]
        while rest and "=" in rest[0]:
            rest = rest[1:]
        return interpreter(rest, environ) if rest else None
    program = shutil.which(command[0], path=environ.get("PATH"))
    if program is None:
        return None
    if PYTHON.search(Path(program).name):
        return program
    try:
        with Path(program).open("rb") as file:
            first = file.readline(SHEBANG_BYTES)
    except OSError:
        return None
    words = first[2:].decode("utf-8", "replace").split() if first.startswith(b"#!") else []
    if words and Path(words[0]).name == "env":
        words = [word for word in words[1:] if not word.startswith("-")]
    if not words or not PYTHON.search(Path(words[0]).name):
        return None
    return shutil.which(words[0], path=environ.get("PATH"))


def can_watch(python: str, environ: Mapping[str, str]) -> bool:
    """Whether an interpreter has us and OpenTelemetry; asks it, unless it stands beside our own."""
    if Path(python).absolute().parent == Path(sys.executable).absolute().parent:
        return True
    try:
        done = subprocess.run(  # noqa: S603  # the interpreter that the user is about to run
            [python, "-c", PROBE],
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PROBE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return True  # not known: the program itself will tell
    return done.returncode == 0


def _has_endpoint(env: Mapping[str, str], signal: str) -> bool:
    return bool(env.get("OTEL_EXPORTER_OTLP_ENDPOINT") or env.get(f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT"))
