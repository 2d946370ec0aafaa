"""Builds the signals from a Config and installs them in the recorder; the only wiring. Must not know adapters."""

from __future__ import annotations

import os
import sys
import threading
import weakref
from typing import Final

from otel_agents import guard, notice
from otel_agents.bus import pipe
from otel_agents.config import Config, Problem
from otel_agents.pipeline.wiring import LOGGER, Pipeline
from otel_agents.recorder import RECORDER

__all__ = ["Pipeline", "active", "ensure", "start", "stop", "tell_problems"]

LAST: Final = -100  # of the finalizers of a child of multiprocessing
_lock = threading.RLock()
_active: Pipeline | None = None


def start(config: Config, **wiring: object) -> Pipeline:
    """Build a pipeline and make it the active one; ``wiring`` is passed on to ``Pipeline``."""
    global _active
    with _lock:
        if _active is not None:
            _active.silence()
        pipeline = Pipeline(config, **wiring)  # type: ignore[arg-type]
        pipeline.install()
        if config.enabled and config.live_fd is not None:
            guard.run("pipeline.live", pipe.attach, pipeline.hub, config.live_fd, config.live_path)
        _active = pipeline
        return pipeline


def stop(then: Pipeline | None = None) -> None:
    """Stop the active pipeline and go on with another that was active before; without one nothing is recorded."""
    global _active
    with _lock:
        pipeline, _active = _active, then
        RECORDER.install(())
        if pipeline is not None:
            pipeline.close()
        if then is not None:
            then.install()


def active() -> Pipeline | None:
    """Return the active pipeline, or None."""
    return _active


def ensure() -> Pipeline:
    """Return the active pipeline; the first call without one starts it from the environment."""
    return _active or _first()


def _first() -> Pipeline:
    with _lock:
        if _active is not None:
            return _active
        config = Config.load(strict=False)
        tell_problems(config)
        return start(config)


def tell_problems(config: Config, *more: Problem) -> None:
    """Log what is wrong with the settings: one message for each, with value, place and fix."""
    for problem in (*config.problems, *more):
        notice.warn(LOGGER, "%s", problem)


def _renew() -> None:
    """Give a forked child its own lock, and the end that it would not have: multiprocessing leaves without atexit."""
    global _lock
    _lock = threading.RLock()
    RECORDER.open = weakref.WeakSet()
    forking = sys.modules.get("multiprocessing.util")
    if _active is not None and forking is not None:
        guard.run("pipeline.fork", forking.register_after_fork, _active, _stay)


def _stay(pipeline: Pipeline) -> None:
    """Have a child of multiprocessing send its telemetry when it ends, after what the host does then."""
    sys.modules["multiprocessing.util"].Finalize(None, guard.run, ("pipeline.leave", pipeline.leave), exitpriority=LAST)


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_renew)
