"""One file to which whole lines are appended, whatever happens to it meanwhile; must not know what the lines say."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from otel_agents.audit.place import make_folder, own

FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
PRIVATE = 0o600


class File:
    """A file of this process, for one thread. Opened again when it was moved away, when told to, and after a fork.

    Each line is one write at the end of the file. A line that does not fit is taken back; one that was left half by
    another process gets its end, so that the next begins a line of its own. Public: `path`, once it was opened;
    `is_stale`, which may be set from anywhere to have the file opened again.
    """

    def __init__(self, template: str, *, fsync: bool = False) -> None:
        self.path = ""
        self.is_stale = False
        self._template = template
        self._fsync = fsync
        self._fd = -1
        self._same: os.stat_result | None = None
        self._is_torn = False

    def append(self, line: bytes) -> None:
        """Write a line, which ends in a newline.

        Raises:
            OSError: It cannot be written; nothing of it was, or not all and what was is taken back.
        """
        self.settle()
        data = b"\n" + line if self._is_torn else line
        written = os.write(self._fd, data)
        if written < len(data):
            self._take_back(written)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._is_torn = False
        if self._fsync:
            os.fsync(self._fd)

    def settle(self) -> None:
        """Have the file open that the path of this process names.

        Raises:
            OSError: It cannot be opened.
        """
        if self.is_stale or not self._is_there():
            self.is_stale = False
            self.close()
            self._open()

    def close(self) -> None:
        """Let go of the file; the next line opens it again. A number that the host has closed is left alone."""
        if self._is_ours():
            os.close(self._fd)
        self._fd = -1

    def _open(self) -> None:
        path = Path(own(self._template))
        make_folder(path.parent)
        self._fd = os.open(path, FLAGS, PRIVATE)
        self.path = str(path)
        self._same = known = os.fstat(self._fd)
        self._is_torn = known.st_size > 0 and _last_byte(self._fd) != b"\n"
        if self._fsync and os.name == "posix":
            _fsync_folder(path.parent)

    def _is_ours(self) -> bool:
        try:
            return self._fd >= 0 and self._same is not None and os.path.samestat(self._same, os.fstat(self._fd))
        except OSError:  # closed by the host
            return False

    def _is_there(self) -> bool:
        if self.path != own(self._template) or not self._is_ours() or self._same is None:
            return False
        try:
            return os.path.samestat(self._same, os.stat(self.path))  # noqa: PTH116  # once for each line
        except PermissionError:  # the folder was shut, and the file can still be written
            return True
        except OSError:
            return False

    def _take_back(self, written: int) -> None:
        try:
            end = os.lseek(self._fd, 0, os.SEEK_CUR)
            if os.fstat(self._fd).st_size == end:  # nobody else has written behind it
                os.ftruncate(self._fd, end - written)
                return
        except OSError:
            pass
        self._is_torn = True


def _last_byte(fd: int) -> bytes:
    os.lseek(fd, -1, os.SEEK_END)  # writes go to the end all the same
    return os.read(fd, 1)


def _fsync_folder(path: Path) -> None:
    """Have the disk know the name of a new file."""
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
