"""Runs `otel-agents` as users do: as a program, with pipes or on a terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import textwrap
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

import pyte

COMMAND = (sys.executable, "-m", "otel_agents.cli")
PATIENCE_S = 60.0
ROWS, COLUMNS = 24, 100

# Makes the terminal on standard input the one that keys come from, then becomes the command.
LEAD = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"

Done = subprocess.CompletedProcess[str]


def environment(**more: str) -> dict[str, str]:
    """Return our environment without what would change what is shown."""
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS")}
    return {**kept, "TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8", **more}


def call(*arguments: str, cwd: Path | None = None, stdin: str = "", **env: str) -> Done:
    """Run a command of ours to its end."""
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=cwd,
        input=stdin,
        env=environment(**env),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def program(body: str) -> tuple[str, ...]:
    """Return the command of a Python program."""
    return (sys.executable, "-c", textwrap.dedent(body))


class Window:
    """A terminal window in which a command runs, as its session leader."""

    def __init__(self, command: Sequence[str], **env: str) -> None:
        self._fd, inside = pty.openpty()
        fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self._process = subprocess.Popen(
            [sys.executable, "-c", LEAD, *command],
            stdin=inside,
            stdout=inside,
            stderr=inside,
            env=environment(**env),
            start_new_session=True,
        )
        os.close(inside)
        self.pid = self._process.pid
        self._emulated = pyte.HistoryScreen(COLUMNS, ROWS, history=5000)
        self._stream = pyte.ByteStream(self._emulated)
        self._is_over = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Leave no process behind when a test fails."""
        if self._process.poll() is None:
            self._process.kill()
            self.wait()

    def press(self, keys: str) -> None:
        """Type on the keyboard."""
        os.write(self._fd, keys.encode())

    def until(self, holds: Callable[[str], object]) -> str:
        """Wait until the screen shows what is waited for, and return the screen."""
        until_s = time.monotonic() + PATIENCE_S
        while not holds(self.screen):
            assert time.monotonic() < until_s, self.screen
            assert self._read() or holds(self.screen), self.everything
        return self.screen

    def wait(self) -> int:
        """Wait for the end of the command; returns its exit code, negative for a signal."""
        while self._read():
            pass
        os.close(self._fd)
        return self._process.wait(PATIENCE_S)

    @property
    def screen(self) -> str:
        """What stands on the screen now."""
        return "\n".join(row.rstrip() for row in self._emulated.display)

    @property
    def everything(self) -> str:
        """What stands on the screen and what scrolled out of it, if it was not in a scrolling region."""
        gone = ("".join(row[x].data for x in range(COLUMNS)).rstrip() for row in self._emulated.history.top)
        return "\n".join([*gone, self.screen])

    def _read(self) -> bool:
        if self._is_over:
            return False
        if not select.select([self._fd], [], [], 0.05)[0]:
            return True
        try:
            data = os.read(self._fd, 65_536)
        except OSError:  # how Linux says that nobody has the terminal open any more
            data = b""
        self._is_over = not data
        self._stream.feed(data)
        return not self._is_over
