"""Runs a script and stays when it is over, so that its Prometheus page can be read; started by `otel-agents demo`.

python -m otel_agents.cli.stay script.py [arguments]
"""

from __future__ import annotations

import runpy
import signal
import sys
from pathlib import Path
from types import FrameType


class Stay:
    """Whether the script is over, and whether we are to leave then."""

    def __init__(self) -> None:
        self._is_over = False
        self._is_called = False

    def call(self, signum: int, frame: FrameType | None) -> None:
        """Leave now, or as soon as the script is over."""
        self._is_called = True
        if self._is_over:
            sys.exit(0)

    def until_called(self) -> None:
        """Wait for Ctrl-C or SIGTERM, which may have come already."""
        self._is_over = True
        while not self._is_called:
            signal.pause()


def main() -> None:
    """Run the script as if it were called alone, then wait for Ctrl-C or SIGTERM, which end it in good order."""
    stay = Stay()
    signal.signal(signal.SIGTERM, stay.call)
    script = sys.argv[1]
    del sys.argv[0]
    sys.path.insert(0, str(Path(script).parent))
    runpy.run_path(script, run_name="__main__")
    sys.stdout.flush()
    signal.signal(signal.SIGINT, stay.call)
    stay.until_called()


if __name__ == "__main__":
    main()
