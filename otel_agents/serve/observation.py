"""All that is shown of one process, gathered from its stream and its pipeline; must not know HTTP."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Mapping
from typing import Final

from otel_agents.bus.hub import Hub
from otel_agents.serve.board import Board
from otel_agents.serve.vitals import Vitals

QUEUE_SIZE: Final = 10_000  # of our own listeners, which are quick

Page = Callable[[str], tuple[bytes, str]]

_observations: weakref.WeakSet[Observation] = weakref.WeakSet()


class Observation:
    """What the endpoints show. It listens to the stream from the moment it is made until it is closed.

    Args:
        hub: The stream of the process; its ring is kept from now on.
        telemetry: Returns the state of telemetry, with `patch_points`, `dropped_events` and `errors`.
        page: Returns the metrics and their content type, for an `Accept` header; None when there are none.
        mark: Is given the id of a profile when one begins, "" when it ends.
        is_ready: Says whether the process takes work, beside what health says.
    """

    def __init__(
        self,
        hub: Hub,
        *,
        telemetry: Callable[[], Mapping[str, object]] = dict,
        page: Page | None = None,
        mark: Callable[[str], object] = bool,
        is_ready: Callable[[], bool] = lambda: True,
    ) -> None:
        self.hub = hub
        self.telemetry = telemetry
        self.page = page
        self.mark = mark
        self.is_ready = is_ready
        self.is_open = True
        self.vitals = Vitals()
        self.board = Board(hub)
        self._on_close: dict[Callable[[], object], None] = {}
        hub.keep_ring()
        self._leave = (
            hub.subscribe(self.vitals.see, name="health", queue_size=QUEUE_SIZE, keep_on_error=True),
            hub.subscribe(self.board.see, name="progress", queue_size=QUEUE_SIZE, keep_on_error=True),
        )
        _observations.add(self)

    def on_close(self, call: Callable[[], object]) -> Callable[[], object]:
        """Have a function called at the close, from whatever thread that comes; returns what takes it back."""
        self._on_close[call] = None
        return lambda: self._on_close.pop(call, None)

    def close(self) -> None:
        """Listen no more, let no more in, and end what streams, so that a server can stop."""
        self.is_open = False
        for leave in self._leave:
            leave()
        self.board.close()
        for call in list(self._on_close):
            call()


def _renew() -> None:
    for observation in list(_observations):
        observation.vitals.renew()
        observation.board.renew()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_renew)
