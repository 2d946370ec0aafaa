"""The command line, on the top floor; looks first for what it needs beyond the base install."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import Final

NEEDED: Final = ("typer", "rich")
USAGE: Final = 2


def main() -> None:
    """Run `otel-agents`; exits with 2 when the extra `cli` is not installed."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        print(  # noqa: T201  # a command prints
            f"otel-agents: the command line needs {' and '.join(missing)}: pip install 'otel-agents[cli]'",
            file=sys.stderr,
        )
        sys.exit(USAGE)
    from otel_agents.cli.app import app

    app()
