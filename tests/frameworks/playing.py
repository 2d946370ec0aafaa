"""Runs a suite, watched or not, and returns how each test ended; must not compare."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.frameworks.homes import Home
from tests.frameworks.suites import Suite

PLUGIN: Final = Path(__file__).with_name("inside")
WORKERS: Final = 2
TIMEOUT_S: Final = 3600
ENDED: Final = (0, 1)  # pytest's words for: all passed, some failed


@dataclass(frozen=True, slots=True)
class Played:
    """How each test ended, by its id, what was counted beside, and the seconds that it took."""

    outcomes: Mapping[str, str]
    counts: Mapping[str, int]
    seconds: float


def play(suite: Suite, made: Home, paths: Iterable[str], *, watched: bool) -> Played:
    """Run the tests in these files and folders."""
    left_out = [f"--ignore=tests/{each}" for each in (*suite.never, *suite.elsewhere)]
    options = ("-q", "-p", "no:cacheprovider", "-p", PLUGIN.joinpath("framework_report.py").stem)
    command = [str(made.python), "-m", "pytest", *options, "-n", str(WORKERS), "--dist", "worksteal", *suite.options]
    name = made.source.parent / f"{suite.name}-{'with' if watched else 'without'}"
    report, log = name.with_suffix(".json"), name.with_suffix(".log")
    report.unlink(missing_ok=True)
    began = time.monotonic()
    with log.open("w", encoding="utf-8") as output:
        done = subprocess.run(
            [*command, *left_out, *paths],
            cwd=made.source,
            env=_environ(suite, made, report, watched=watched),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=TIMEOUT_S,
            check=False,
        )
    seconds = time.monotonic() - began
    if done.returncode not in ENDED or not report.exists():
        raise RuntimeError(f"the tests of {suite.says} did not run: exit code {done.returncode}, see {log}")
    return Played(**json.loads(report.read_text(encoding="utf-8")), seconds=seconds)


def _environ(suite: Suite, made: Home, report: Path, *, watched: bool) -> dict[str, str]:
    """Return an environment without settings of ours, in which sets are in the same order each time."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "PYTEST_"))}
    ours = {"FRAMEWORK_REPORT": str(report), "FRAMEWORK_WATCHED": str(watched).lower()}
    path = os.pathsep.join((str(PLUGIN), *((str(made.source / suite.path),) if suite.path else ())))
    return {**kept, **suite.environ, **ours, "PYTHONPATH": path, "PYTHONHASHSEED": "0"}
