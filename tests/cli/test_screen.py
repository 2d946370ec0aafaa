from __future__ import annotations

import fcntl
import os
import pty
import struct
import termios
from collections.abc import Iterator

import pyte
import pytest

from otel_agents.cli.screen import Screen

ROWS, COLUMNS = 20, 40


class Terminal:
    """A pseudo terminal with an emulator behind it, to see what a person would see."""

    def __init__(self) -> None:
        self.keyboard, self.fd = pty.openpty()
        self.resize(ROWS)
        self._emulated = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.ByteStream(self._emulated)
        os.set_blocking(self.keyboard, False)

    def resize(self, rows: int) -> None:
        """Change the height that programs are told."""
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, COLUMNS, 0, 0))

    def say(self, text: str) -> None:
        """Print as another program would."""
        os.write(self.fd, text.encode())

    def shown(self) -> list[str]:
        """Return the rows as they stand now."""
        try:
            while data := os.read(self.keyboard, 65_536):
                self._stream.feed(data)
        except BlockingIOError:
            pass
        return [row.rstrip() for row in self._emulated.display]

    @property
    def cursor(self) -> tuple[int, int]:
        """Row and column of the cursor, from 0."""
        return self._emulated.cursor.y, self._emulated.cursor.x

    def close(self) -> None:
        os.close(self.fd)
        os.close(self.keyboard)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    made = Terminal()
    yield made
    made.close()


def _at(**rows: str) -> list[str]:
    """Return a screen that is empty but for these rows, `r0` to `r19`."""
    return [rows.get(f"r{number}", "") for number in range(ROWS)]


def test_the_foot_holds_the_lines_and_the_program_goes_on_above(terminal: Terminal) -> None:
    """What the program prints stands where it would stand, and a half line can be finished."""
    screen = Screen(terminal.fd)
    terminal.say("one\nhalf ")
    screen.paint(["first", "second"])
    terminal.say("whole\n")

    assert terminal.shown() == _at(r0="one", r1="half whole", r18="first", r19="second")
    assert terminal.cursor == (2, 0)


def test_the_program_scrolls_above_the_foot(terminal: Terminal) -> None:
    """However much it prints, the foot stays, and the newest lines stand right above it."""
    screen = Screen(terminal.fd)
    screen.paint(["foot"])
    terminal.say("".join(f"line {number}\n" for number in range(100)))
    screen.paint(["foot, later"])

    shown = terminal.shown()
    assert shown[:18] == [f"line {number}" for number in range(82, 100)]
    assert shown[18:] == ["", "foot, later"]


def test_a_foot_that_grows_moves_the_program_up(terminal: Terminal) -> None:
    """No line of the program is overwritten when the foot needs its row."""
    screen = Screen(terminal.fd)
    terminal.say("".join(f"line {number}\n" for number in range(ROWS - 1)) + "last")
    screen.paint(["a"])
    screen.paint(["a", "b", "c"])
    terminal.say(" words")

    shown = terminal.shown()
    assert shown[16:] == ["last words", "a", "b", "c"]
    assert shown[15] == "line 18"


def test_it_never_takes_more_than_half_the_rows(terminal: Terminal) -> None:
    """Of more lines the last are shown; of fewer than before the rest is blank."""
    screen = Screen(terminal.fd)
    screen.paint([f"row {number}" for number in range(50)])
    assert terminal.shown() == _at(**{f"r{10 + n}": f"row {40 + n}" for n in range(10)})

    screen.paint(["alone"])
    assert terminal.shown() == _at(r10="alone")


def test_closing_gives_the_rows_back(terminal: Terminal) -> None:
    """The foot is empty, the program prints on where it was and scrolls over the whole terminal again."""
    screen = Screen(terminal.fd)
    terminal.say("before")
    screen.paint(["a", "b"])
    screen.close()
    screen.close()

    assert terminal.shown() == _at(r0="before")
    terminal.say("".join(f"\nline {number}" for number in range(30)))
    assert terminal.shown() == [f"line {number}" for number in range(10, 30)]


def test_a_new_size_is_noticed(terminal: Terminal) -> None:
    """The foot is drawn again at the end of the smaller terminal."""
    screen = Screen(terminal.fd)
    screen.paint(["foot"])
    terminal.resize(16)
    screen.paint(["foot"])

    assert terminal.shown()[15] == "foot"


def test_only_a_terminal_that_is_high_enough_will_do(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    """Files, dumb and tiny terminals get plain lines."""
    monkeypatch.setenv("TERM", "xterm")
    assert Screen.fits(terminal.fd)
    terminal.resize(11)
    assert not Screen.fits(terminal.fd)
    terminal.resize(ROWS)
    monkeypatch.setenv("TERM", "dumb")
    assert not Screen.fits(terminal.fd)
    monkeypatch.delenv("TERM")
    assert not Screen.fits(terminal.fd)
    reading, writing = os.pipe()
    assert not Screen.fits(writing)
    os.close(reading)
    os.close(writing)


def test_a_terminal_that_goes_away_is_no_error() -> None:
    """The window was closed: nobody is left to be shown anything."""
    gone = Terminal()
    screen = Screen(gone.fd)
    screen.paint(["a"])
    gone.close()
    screen.paint(["b"])
    screen.close()
