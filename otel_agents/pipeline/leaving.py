"""The row that sends telemetry before a process ends itself by a signal, which no exit handler sees; no framework's."""

from __future__ import annotations

import signal
from typing import Final

from otel_agents import pipeline
from otel_agents.patching.table import Adapter, Call, Patch

# Their default is the end, and servers catch them to shut down; SIGKILL can be neither caught nor raised in peace.
ENDING: Final = frozenset(
    getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGBREAK") if hasattr(signal, name)
)


def _raising(call: Call) -> None:
    """Send what there is, if this signal is the end."""
    number = call.args[0] if call.args else None
    pipe = pipeline.active()
    if pipe is not None and isinstance(number, int) and number in ENDING and signal.getsignal(number) is signal.SIG_DFL:
        pipe.leave()


# Not in the registry, so that no choice of frameworks costs the telemetry of a process's last seconds.
LEAVING: Final = Adapter(
    name="leaving",
    runtime="",
    distribution="",
    tested=("3.11", "3.11"),
    patches=(
        Patch(
            "signal:raise_signal",
            why="uvicorn ends itself by the signal that it got, once it has shut down; exit handlers do not run then.",
            before=_raising,
        ),
    ),
)
