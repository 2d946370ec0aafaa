"""What `make` says where the machine lacks something: what it is, and how to get it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, read
from tests.need import require_command

PAGE = read(ROOT / "docs/reference/collector.md")
TOOLS = ("cat", "cksum", "cut", "sh")


def said(folder: Path, *arguments: str) -> str:
    """Return what make says that fails, on a machine with nothing but a shell."""
    make = require_command("make", "apt-get install make")
    for tool in TOOLS:
        (folder / tool).symlink_to(require_command(tool, "apt-get install coreutils dash"))
    command = [make, "--no-print-directory", f"CACHE={folder}", f"VENV={folder / 'venv'}", *arguments]
    environ = {"PATH": str(folder)}
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    return done.stderr


@pytest.mark.parametrize(
    ("target", "what"),
    [("collector", "the Collector's builder"), ("prometheus", "Prometheus"), ("kustomize", "kustomize")],
)
def test_without_go_it_says_how_to_get_it(tmp_path: Path, target: str, what: str) -> None:
    """It names what is built with Go, the version, where it is to be had, and how to say where it is."""
    told = said(tmp_path, target)
    assert f"'go' is missing, and {what} is built with it: Go 1.26 or newer, from https://go.dev/dl" in told
    assert f"make GO=/usr/local/go/bin/go {target}" in told


def test_without_a_container_engine_it_says_how_to_get_one(tmp_path: Path) -> None:
    """It names the package."""
    told = said(tmp_path, "--assume-old=collector", "image")
    assert "A container engine is missing; on Debian and Ubuntu: apt-get install docker.io" in told


def test_with_no_python_it_says_which_one_is_needed(tmp_path: Path) -> None:
    """It names the version, what it was given, and how to give another one."""
    told = said(tmp_path, "PYTHON=no-such-python", "demo")
    assert "otel-agents needs Python 3.11 or newer, and 'no-such-python' is none." in told
    assert "make PYTHON=python3.13" in told


@pytest.mark.parametrize(
    "message",
    ["'go' is missing", "A container engine is missing", "needs Python 3.11 or newer"],
)
def test_the_docs_explain_it(message: str) -> None:
    """What is said is in the docs, with what to do."""
    assert f"| `{message}" in PAGE
