"""The lock is re-entrant, and a forked child has its own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from otel_agents.signals.metrics.locking import lock

FORKING = """
import os, threading
from otel_agents.signals.metrics.locking import lock
held, done = threading.Event(), threading.Event()

def hold():
    with lock():
        held.set()
        done.wait()

threading.Thread(target=hold).start()
held.wait()
child = os.fork()
if child == 0:
    os._exit(0 if lock().acquire(timeout=5) else 1)
_, status = os.waitpid(child, 0)
done.set()
assert os.waitstatus_to_exitcode(status) == 0
"""


def test_a_thread_may_take_the_lock_again() -> None:
    """What the garbage collector ends inside a locked section can be measured there."""
    with lock():
        again = lock().acquire(blocking=False)
    assert again is True
    lock().release()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork: not on Windows")
def test_a_forked_child_does_not_wait_for_its_parent() -> None:
    """A child that is forked while a thread of the parent holds the lock takes its own."""
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKING]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
