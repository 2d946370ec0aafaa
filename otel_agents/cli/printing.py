"""Where commands print what comes from outside; must not know what that is."""

from __future__ import annotations

import sys
from typing import IO

import typer


def out() -> IO[str]:
    """Return standard output in its own encoding; what that has no letter for is written as a number."""
    return typer.get_text_stream("stdout", encoding=sys.stdout.encoding, errors="backslashreplace")
