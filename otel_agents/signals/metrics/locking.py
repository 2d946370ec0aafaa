"""The one lock of the metrics signal, for what is rare; must not know what it protects."""

from __future__ import annotations

import os
import threading

# Re-entrant: a finalizer that the collector runs inside a locked section may end an operation, and measure it.
_lock = threading.RLock()


def lock() -> threading.RLock:
    """Return the lock to hold now: never kept, since a forked child has another."""
    return _lock


def _renew() -> None:
    """Give a forked child its own lock: the parent's may be held by a thread that the child does not have."""
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_renew)
