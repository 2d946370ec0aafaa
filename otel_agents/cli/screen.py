"""Keeps lines at the foot of a terminal that another program writes to; must not know what the lines say.

The program above keeps its own standard streams: we only reserve the last rows (a scrolling region ends above them)
and come back to its cursor after each stroke. A live display that moves the cursor up from where it believes it is
would overwrite what the program printed in between.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final

SAVE: Final = "\x1b7"
RESTORE: Final = "\x1b8"
DOWN: Final = "\x1bD"  # by a row, scrolling at the end of the region; the column stays
WHOLE: Final = "\x1b[r"
MIN_ROWS: Final = 12


class Screen:
    """The foot of the terminal behind a file descriptor. It grows with what it has to show, up to half the rows."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._height = 0
        self._size = os.terminal_size((0, 0))
        self._shown: list[str] = []

    @staticmethod
    def fits(fd: int) -> bool:
        """Whether there is a terminal that understands us and is high enough."""
        try:
            rows = os.get_terminal_size(fd).lines
        except OSError:
            return False
        return os.environ.get("TERM", "dumb") not in ("dumb", "unknown", "") and rows >= MIN_ROWS

    @property
    def columns(self) -> int:
        """Width in cells."""
        return self._measure().columns

    @property
    def limit(self) -> int:
        """Lines that can be shown."""
        return self._measure().lines // 2

    def paint(self, lines: Sequence[str]) -> None:
        """Show lines, which may hold colour codes and must not be wider than `columns`."""
        size, shown = self._measure(), list(lines)[-self.limit :]
        resized = self._height > 0 and size != self._size
        if shown == self._shown and not resized:
            return
        strokes = self._reserve(size, max(len(shown), self._height), resized=resized)
        top = size.lines - self._height + 1
        body = "".join(f"\x1b[{top + at};1H\x1b[2K{line}" for at, line in enumerate(self._padded(shown)))
        self._write(f"{strokes}{SAVE}\x1b[0m{body}{RESTORE}")
        self._shown = shown

    def close(self) -> None:
        """Give the rows back, empty; the cursor stays where the program left it. May be called often."""
        if self._height:
            top = self._measure().lines - self._height + 1
            self._write(f"{SAVE}{WHOLE}\x1b[{top};1H\x1b[J{RESTORE}")
        self._height, self._shown = 0, []

    def _padded(self, shown: list[str]) -> list[str]:
        return [*shown, *[""] * (self._height - len(shown))]

    def _reserve(self, size: os.terminal_size, height: int, *, resized: bool) -> str:
        """Return the strokes that end the scrolling region above the foot, and move up what stands in its place."""
        height = min(height, size.lines // 2)
        new = height if resized else height - self._height
        self._size, self._height = size, height
        if not new:
            return ""
        whole = f"{SAVE}{WHOLE}{RESTORE}" if resized else ""
        return f"{whole}{DOWN * new}\x1b[{new}A{SAVE}\x1b[1;{size.lines - height}r{RESTORE}"

    def _measure(self) -> os.terminal_size:
        try:
            return os.get_terminal_size(self._fd)
        except OSError:
            return os.terminal_size((80, 24))

    def _write(self, text: str) -> None:
        # One write: the kernel does not let another program's output in between.
        data = text.encode("utf-8", "replace")
        try:
            while data:
                data = data[os.write(self._fd, data) :]
        except OSError:
            self._height = 0  # the terminal is gone
