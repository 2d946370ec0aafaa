"""What a test needs from the machine: an explicit skip that says what is missing, and a failure in CI."""

from __future__ import annotations

import importlib
import os
import shutil
import socket
from types import ModuleType
from typing import NoReturn

import pytest

IN_CI = os.environ.get("CI", "").lower() == "true"
CONNECT_TIMEOUT_S = 2.0


def missing(what: str, how: str) -> NoReturn:
    """Skip the test, or the module that asks while it is imported; in CI, fail instead.

    Args:
        what: What is not there, as a noun: `promtool`.
        how: How to get it: `apt-get install prometheus`.
    """
    reason = f"needs {what}: {how}"
    if IN_CI:
        pytest.fail(f"{reason} (a skip elsewhere, a failure in CI)", pytrace=False)
    pytest.skip(reason, allow_module_level=True)


def require_module(name: str, extra: str = "test") -> ModuleType:
    """Return the imported module of another distribution, which an extra of ours brings.

    Only its absence counts as missing: a module that is there and fails to import fails the test.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if not f"{name}.".startswith(f"{error.name}."):  # another module, which this one misses
            raise
        missing(f"the module {name}", f"pip install 'otel-agents[{extra}]'")


def require_command(name: str, how: str) -> str:
    """Return the path of a program; `how` says how to install it."""
    return shutil.which(name) or missing(f"the command {name}", how)


def require_listener(port: int, service: str, how: str, host: str = "127.0.0.1") -> tuple[str, int]:
    """Return the address of a service that accepts TCP connections; `how` says how to start it."""
    try:
        socket.create_connection((host, port), timeout=CONNECT_TIMEOUT_S).close()
    except OSError:
        missing(f"{service} at {host}:{port}", how)
    return host, port
