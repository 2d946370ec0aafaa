"""Serves the observation of a process beside what the process does, or says why not; must not know a pipeline."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from otel_agents import notice
from otel_agents.config.values import Address

if TYPE_CHECKING:
    from otel_agents.serve.observation import Observation
    from otel_agents.serve.server import ServerThread

LOGGER: Final = "otel_agents"
ANY: Final = ("", "0.0.0.0", "::")  # every address of the machine, and no name  # noqa: S104


def serve(address: Address, token: str | None, observe: Callable[[], Observation]) -> ServerThread | None:
    """Serve an observation from a daemon thread; None, and one message, when that cannot be.

    Args:
        address: Where to listen.
        token: What clients have to show; without one nothing but loopback is let in.
        observe: Makes the observation, once it is sure that it will be served.
    """
    try:
        from otel_agents.serve.app import create_app
        from otel_agents.serve.server import ServerThread, bind
    except ModuleNotFoundError as error:
        _say(address, f"{error.name} is not installed; fix: pip install 'otel-agents[serve]'")
        return None
    try:
        listening = bind(address)
    except (OSError, UnicodeError) as error:
        number = error.errno if isinstance(error, OSError) else None
        _say(address, os.strerror(number) if number is not None and number > 0 else str(error))
        return None
    observation = observe()
    app = create_app(observation, token=token, hosts=[] if address.host in ANY else [address.host])
    thread = ServerThread(app, listening, observation.close)
    thread.start()
    return thread


def _say(address: Address, reason: str) -> None:
    notice.warn(LOGGER, "nothing is served at %s: %s. The program runs without it.", address, reason)
