"""Runs a program as a child that behaves as if it ran alone: streams, signals, exit status. POSIX only."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn, TextIO

NOT_FOUND: Final = 127
NOT_EXECUTABLE: Final = 126
KEYS: Final = (signal.SIGINT, signal.SIGQUIT)  # what a terminal sends to all processes in the foreground
FORWARDED: Final = (*KEYS, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
LIVE_FD: Final = 90  # at least: a shell in between uses the small numbers for itself


class StartError(Exception):
    """The program cannot be started; has the exit status that a shell would give."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Child:
    """A running program, the reading end of the pipe that it tells us through, and a file that says when to look."""

    def __init__(self, command: Sequence[str], environment: Callable[[int, str], Mapping[str, str]]) -> None:
        """Start the program; `environment` is given the number of the pipe's writing end, and the pipe's path.

        Raises:
            StartError: It is missing or cannot be executed.
        """
        self._process: subprocess.Popen[bytes] | None = None
        self._pending: list[int] = []
        self._before: dict[int, object] = {}
        self.on_stop: Callable[[], None] = _nothing
        self._folder = _folder()
        path = str(Path(self._folder.name) / "live") if self._folder is not None else ""
        self.reading, writing = _pipe(path)
        self._wake_reading, self._wake_writing = os.pipe()
        os.set_blocking(self._wake_reading, False)
        os.set_blocking(self._wake_writing, False)
        self._wake_before = signal.set_wakeup_fd(self._wake_writing, warn_on_full_buffer=False)
        self._listen()
        try:
            # Files that we inherited are the program's: only our own are closed in it, as always in Python.
            self._process = subprocess.Popen(list(command), env=environment(writing, path), close_fds=False)  # noqa: S603
        except OSError as error:
            self.close()
            raise _start_error(command[0], error) from None
        finally:
            os.close(writing)
        for signum in self._pending:
            self.send(signum)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid if self._process is not None else 0

    @property
    def wake(self) -> int:
        """A file descriptor that becomes readable when a signal arrived, the child's end among them."""
        return self._wake_reading

    def poll(self) -> int | None:
        """Return how it ended, negative for a signal, or None while it runs."""
        return self._process.poll() if self._process is not None else NOT_FOUND

    def send(self, signum: int) -> None:
        """Send a signal to the program."""
        if self._process is None:
            self._pending.append(signum)
        else:
            self._process.send_signal(signum)

    def close(self) -> None:
        """Restore the signals and close the files. May be called again."""
        signal.set_wakeup_fd(self._wake_before)
        for signum, handler in self._before.items():
            signal.signal(signum, handler)  # type: ignore[arg-type]
        self._before.clear()
        for fd in (self.reading, self._wake_reading, self._wake_writing):
            if fd >= 0:
                os.close(fd)
        self.reading = self._wake_reading = self._wake_writing = -1
        if self._folder is not None:
            self._folder.cleanup()

    def _listen(self) -> None:
        # Functions, not SIG_IGN: that one the program would inherit.
        self._handle(signal.SIGCHLD, _ignore)
        self._handle(signal.SIGTSTP, self._stop)
        for signum in FORWARDED:
            self._handle(signum, self._forward)

    def _handle(self, signum: int, handler: Callable[[int, FrameType | None], None]) -> None:
        before = signal.getsignal(signum)
        if before is signal.SIG_IGN and signum != signal.SIGCHLD:
            return  # whoever started us wants it ignored, by the program, too
        self._before[signum] = before
        signal.signal(signum, handler)

    def _forward(self, signum: int, frame: FrameType | None) -> None:
        if signum not in KEYS or not is_foreground():
            self.send(signum)

    def _stop(self, signum: int, frame: FrameType | None) -> None:
        self.on_stop()
        os.kill(os.getpid(), signal.SIGSTOP)


def exit_like(status: int) -> NoReturn:
    """End this process as the child ended: with its exit code, or by the signal that killed it."""
    for stream in (sys.stdout, sys.stderr):
        _flush(stream)
    if status >= 0:
        sys.exit(status)
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))  # the child has dumped
    if -status not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(-status, signal.SIG_DFL)
    os.kill(os.getpid(), -status)
    sys.exit(128 - status)  # the signal does not kill us


def is_foreground() -> bool:
    """Whether a key pressed on our terminal reaches our child as well as us."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


def _flush(stream: TextIO) -> None:
    try:
        stream.flush()
    except (OSError, ValueError):  # nobody reads it any more: the interpreter must not stumble over it at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _folder() -> tempfile.TemporaryDirectory[str] | None:
    try:
        return tempfile.TemporaryDirectory(prefix="otel-agents-")
    except OSError:  # nothing can be written here: the program is watched, what inherits no files from it is not
        return None


def _ends(path: str) -> tuple[int, int]:
    """Return both ends of a pipe, which has this name where that can be."""
    try:
        os.mkfifo(path, 0o600)
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK), os.open(path, os.O_WRONLY)
    except OSError:
        return os.pipe()


def _pipe(path: str) -> tuple[int, int]:
    import fcntl

    reading, writing = _ends(path)
    try:
        high = fcntl.fcntl(writing, fcntl.F_DUPFD, LIVE_FD)
    except OSError:  # a low limit on open files
        high = os.dup(writing)
    os.close(writing)
    os.set_inheritable(high, True)
    os.set_blocking(reading, False)
    return reading, high


def _start_error(program: str, error: OSError) -> StartError:
    hint = f"; did you mean: python {program}" if program.endswith(".py") else ""
    if isinstance(error, FileNotFoundError):
        return StartError(f"{program}: command not found{hint}", NOT_FOUND)
    return StartError(f"{program}: {error.strerror}{hint}", NOT_EXECUTABLE)


def _ignore(signum: int, frame: FrameType | None) -> None:
    pass


def _nothing() -> None:
    pass
