"""Runs a script and stays when it is over, so that its Prometheus page can be read; started by `otel-agents demo`.

python -m otel_agents.cli.stay script.py [arguments]
"""

from __future__ import annotations

import runpy
import signal
import sys
from pathlib import Path
from types import FrameType


def _leave(signum: int, frame: FrameType | None) -> None:
    sys.exit(0)


def main() -> None:
    """Run the script as if it were called alone, then wait for Ctrl-C or SIGTERM, which end it in good order."""
    script = sys.argv[1]
    del sys.argv[0]
    sys.path.insert(0, str(Path(script).parent))
    runpy.run_path(script, run_name="__main__")
    sys.stdout.flush()
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, _leave)
    while True:
        signal.pause()


if __name__ == "__main__":
    main()
