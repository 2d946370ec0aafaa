"""Runs programs that audit, each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

HEAD = """\
import os, signal, sys, time, threading
from pathlib import Path
from otel_agents.audit.file import File
from otel_agents.audit.log import Audit
from tests.bus.making import event

def put(audit, number):
    audit.hub.publish(event("reaction_skipped", payload={"reason": str(number), "candidateCount": number}))
    audit.hub.flush()

"""
ROOT = Path(__file__).parents[2]
PATIENCE_S = 60

Done = subprocess.CompletedProcess[str]


def command(body: str) -> list[str]:
    warnings = ("-W", "error", "-W", "ignore:This process:DeprecationWarning")  # of forking a process with threads
    return [sys.executable, *warnings, "-c", HEAD + textwrap.dedent(body)]


def environment(**env: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), **env}


def run(body: str, cwd: Path, **env: str) -> Done:
    """Run a program to its end, in a session without a terminal."""
    return subprocess.run(
        command(body),
        cwd=cwd,
        env=environment(**env),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
        start_new_session=True,
    )
