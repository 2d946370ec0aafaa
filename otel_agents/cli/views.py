"""The ways to show a story while it is told: live on a terminal, line by line, as JSON; must not know processes."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from typing import Final, Protocol, TextIO

from rich.console import Console

from otel_agents.cli import words
from otel_agents.cli.drawing import Drawing, beside, summary, sums
from otel_agents.cli.rows import Row
from otel_agents.cli.screen import Screen
from otel_agents.cli.story import Line, Story, Told

FRAME_S: Final = 0.125
PLAIN_WIDTH: Final = 160
PATH_PARTS: Final = 8
MARK: Final = "otel-agents"
WORD_WIDTH: Final = 9


class Page(Console):
    """A console that falls silent when nobody reads it any more; rich would end the process with 1."""

    def on_broken_pipe(self) -> None:
        """Say no more."""
        self.quiet = True


class View(Protocol):
    """What is told of a story as it goes on."""

    def told(self, line: Line, told: Told | None) -> None:
        """A line was taken in."""

    def tick(self) -> None:
        """Time passes; called several times a second."""

    def clear(self) -> None:
        """Leave the terminal as it would be without us, for now."""

    def finish(self, unended: list[Row]) -> None:
        """The program is over."""


class LiveView:
    """The tree at the foot of the terminal while the program runs, the whole tree at the end."""

    def __init__(self, story: Story, stream: TextIO) -> None:
        self._story = story
        self._screen = Screen(stream.fileno())
        self._console = Page(file=stream, highlight=False)
        self._painted_s = 0.0

    def told(self, line: Line, told: Told | None) -> None:
        """Wait for the next tick: events may come faster than a person reads."""

    def tick(self) -> None:
        """Draw, unless that was done just now."""
        now_s = time.time()
        if self._story.tree.roots and abs(now_s - self._painted_s) >= FRAME_S:
            self._painted_s = now_s
            self._screen.paint(self._frame(now_s))

    def clear(self) -> None:
        """Give the foot of the terminal back."""
        self._screen.close()

    def finish(self, unended: list[Row]) -> None:
        """Print the whole tree and the sums."""
        self._screen.close()
        _print_end(self._story, self._console, time.time())

    def _frame(self, now_s: float) -> list[str]:
        canvas = Console(
            file=io.StringIO(),
            force_terminal=True,
            color_system=self._console.color_system,  # type: ignore[arg-type]
            no_color=self._console.no_color,
            width=self._screen.columns,
            legacy_windows=False,
            highlight=False,
        )
        drawing = Drawing(self._story, now_s, limit=self._screen.limit, is_moving=True)
        with canvas.capture() as drawn:
            canvas.print(drawing)
        return drawn.get().splitlines()


class LineView:
    """One plain line for each thing that happens, and the whole tree at the end. No control codes."""

    def __init__(self, story: Story, stream: TextIO, clock_s: Callable[[], float] = time.time) -> None:
        self._story = story
        self._stream = stream
        self._clock_s = clock_s

    def told(self, line: Line, told: Told | None) -> None:
        """Print the line."""
        if told is not None:
            self._say(told)

    def tick(self) -> None:
        """Nothing moves."""

    def clear(self) -> None:
        """Nothing to take back."""

    def finish(self, unended: list[Row]) -> None:
        """Print what never ended, the whole tree and the sums."""
        now_s = self._clock_s()
        for row in unended:
            self._say(Told(row, "unended", now_s))
        if self._story.began_s:
            # Said outright, since FORCE_COLOR may ask rich for codes in a file.
            plain = Page(file=self._stream, width=PLAIN_WIDTH, color_system=None, force_terminal=False)
            _print_end(self._story, plain, now_s)

    def _say(self, told: Told) -> None:
        print(sentence(told, self._story.began_s), file=self._stream, flush=True)


class JsonView:
    """The events as JSON lines, and the sums as the last line: `{"summary": ...}`."""

    def __init__(self, story: Story, stream: TextIO) -> None:
        self._story = story
        self._stream = stream

    def told(self, line: Line, told: Told | None) -> None:
        """Write the event."""
        if "type" in line:
            self._write(line)

    def tick(self) -> None:
        """Nothing moves."""

    def clear(self) -> None:
        """Nothing to take back."""

    def finish(self, unended: list[Row]) -> None:
        """Write the sums."""
        self._write({"summary": {**sums(self._story), "unended": len(unended)}})

    def _write(self, line: Line) -> None:
        print(json.dumps(line, separators=(",", ":")), file=self._stream, flush=True)


def sentence(told: Told, began_s: float) -> str:
    """Return what happened as one line: time since the first event, a word, the path in the tree, the details."""
    row = told.row
    names = [each.name for each in row.around()][: PATH_PARTS - 1]
    path = " / ".join([*reversed(names), row.name])
    took = words.duration(row.duration_s) if row.duration_s is not None and not row.is_open else ""
    said = words.joined(beside(row, with_status=False), took)
    return f"{MARK} {told.time_s - began_s:+9.3f}s  {told.word:<{WORD_WIDTH}}  {path}{f'  {said}' if said else ''}"


def choose(story: Story, stream: TextIO, *, as_json: bool = False) -> View:
    """Return the view for a stream: JSON when asked for, live on a terminal that can, else line by line."""
    if as_json:
        return JsonView(story, stream)
    if stream.isatty() and Screen.fits(stream.fileno()):
        return LiveView(story, stream)
    return LineView(story, stream)


def _print_end(story: Story, console: Console, now_s: float) -> None:
    console.print()
    if story.tree.roots:
        with console.capture() as drawn:
            console.print(Drawing(story, now_s))
        tree = "\n".join(line.rstrip() for line in drawn.get().splitlines())
        console.out(tree, highlight=False)
        console.print()
    console.print(f"{MARK}: {summary(story)}", markup=False, highlight=False, soft_wrap=not console.is_terminal)
