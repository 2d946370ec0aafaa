"""SIGHUP has the file opened again, and the host keeps what it does at that signal."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.audit.making import read
from tests.audit.running import command, environment, run

# One record, a rotation, the signal, and another record as soon as the new file is there.
ROTATED = """
audit = Audit("a.jsonl", key="0123456789abcdef")
audit.open()
path = Path(audit.health()["file"])
put(audit, 1)
path.rename("old.jsonl")
os.kill(os.getpid(), signal.SIGHUP)
audit.hub.flush()
print(path.exists())
put(audit, 2)
audit.close()
path.rename("new.jsonl")
print(signal.getsignal(signal.SIGHUP) == BEFORE, sorted(os.listdir()))
"""


def _lines(path: Path) -> list[object]:
    return [each["reason"] for each in read(path)]


def test_without_a_terminal_the_signal_opens_the_file_again(tmp_path: Path) -> None:
    """The new file is there at once, not only at the next record; and afterwards all is as it was."""
    done = run(f"BEFORE = signal.SIG_DFL\n{ROTATED}", tmp_path)

    assert (done.returncode, done.stdout, done.stderr) == (0, "True\nTrue ['new.jsonl', 'old.jsonl']\n", "")
    assert (_lines(tmp_path / "old.jsonl"), _lines(tmp_path / "new.jsonl")) == (["1"], ["2"])


def test_a_hosts_own_handler_is_called_and_comes_back(tmp_path: Path) -> None:
    """First the file, then the host."""
    handler = (
        "BEFORE = lambda number, frame: print('host', number == signal.SIGHUP)\nsignal.signal(signal.SIGHUP, BEFORE)\n"
    )
    done = run(f"{handler}{ROTATED}", tmp_path)

    assert (done.stdout, done.stderr) == ("host True\nTrue\nTrue ['new.jsonl', 'old.jsonl']\n", "")


def test_a_host_that_ignores_the_signal_goes_on_ignoring_it(tmp_path: Path) -> None:
    """Programs that it starts inherit that; the file is begun anew at the next record, as it was moved away."""
    done = run(f"BEFORE = signal.SIG_IGN\nsignal.signal(signal.SIGHUP, BEFORE)\n{ROTATED}", tmp_path)

    assert (done.stdout, done.stderr) == ("False\nTrue ['new.jsonl', 'old.jsonl']\n", "")
    assert (_lines(tmp_path / "old.jsonl"), _lines(tmp_path / "new.jsonl")) == (["1"], ["2"])


def test_in_another_thread_the_signal_is_left_alone(tmp_path: Path) -> None:
    """Only the main thread may say what a signal does."""
    done = run(
        """
        audit = Audit("a.jsonl", key="0123456789abcdef")
        thread = threading.Thread(target=lambda: (audit.open(), put(audit, 1), audit.close()))
        thread.start()
        thread.join()
        print(signal.getsignal(signal.SIGHUP) == signal.SIG_DFL)
        """,
        tmp_path,
    )

    assert (done.stdout, done.stderr) == ("True\n", "")


def test_a_handler_that_could_not_be_taken_away_does_what_would_have_happened(tmp_path: Path) -> None:
    """Closed in another thread, the signal ends the process as it always did."""
    done = run(
        """
        audit = Audit("a.jsonl", key="0123456789abcdef")
        audit.open()
        thread = threading.Thread(target=audit.close)
        thread.start()
        thread.join()
        os.kill(os.getpid(), signal.SIGHUP)
        time.sleep(10)
        """,
        tmp_path,
    )

    assert (done.returncode, done.stderr) == (-1, "")


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="this system has no terminals")
def test_in_a_terminal_that_is_closed_the_program_ends(tmp_path: Path) -> None:
    """There the signal says that nobody looks any more."""
    lead = "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
    body = f"{lead}audit = Audit('a.jsonl', key='0123456789abcdef')\naudit.open()\nprint('ready')\ntime.sleep(60)"
    ours, theirs = os.openpty()
    with subprocess.Popen(
        command(body),
        cwd=tmp_path,
        env=environment(PYTHONUNBUFFERED="1"),
        stdin=theirs,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as program:
        os.close(theirs)
        assert program.stdout is not None
        assert program.stdout.readline() == b"ready\n"
        os.close(ours)
        assert program.wait(30) == -1
