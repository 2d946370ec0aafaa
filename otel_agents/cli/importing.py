"""Imports a module of the host's only to look at it: its output is none of ours, and what it raises is kept."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from importlib import import_module


class Attempt:
    """Around host code that is only tried: what it raises is kept, but for Ctrl-C."""

    error: BaseException | None = None

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> bool:
        self.error = error
        return isinstance(error, Exception | SystemExit)


def tried(module: str) -> BaseException | None:
    """Import a module; return what kept it from being imported, if anything did."""
    attempt = Attempt()
    with attempt, redirect_stdout(sys.stderr):
        import_module(module)
    return attempt.error


def not_there(module: str, error: BaseException) -> str:
    """Return the name of the module, or of a package around it, when all that went wrong is that it is not there."""
    missing = error.name if isinstance(error, ModuleNotFoundError) and error.name else ""
    return missing if f"{module}.".startswith(f"{missing}.") else ""


def said(error: BaseException) -> str:
    """Return what went wrong, as a part of a sentence."""
    return f"cannot be imported ({type(error).__name__}: {error})"
