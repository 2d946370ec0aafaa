"""Draws a story with rich: the tree in aligned columns, and the sums; must not know where it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from rich.console import Console, ConsoleOptions, OverflowMethod, RenderResult
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from otel_agents.cli import words
from otel_agents.cli.rows import ERROR, FACT, OK, RUNNING, UNENDED, UNTOLD, WAITING, Row
from otel_agents.cli.shape import ALL, Shown, lines
from otel_agents.cli.story import Story
from otel_agents.semconv.events import EVENTS


class Look(NamedTuple):
    """How a status looks: its sign where Unicode can be shown, its sign elsewhere, colour, and its word."""

    sign: str
    plain: str
    style: str
    word: str = ""


class Stems(NamedTuple):
    """The lines that connect rows."""

    follows: str
    last: str
    through: str
    past: str


LOOKS: Final[Mapping[str, Look]] = MappingProxyType(
    {
        RUNNING: Look("…", "*", "cyan", "running"),
        WAITING: Look("?", "?", "bold yellow"),
        OK: Look("✓", "+", "green"),
        ERROR: Look("✗", "x", "bold red", "failed"),
        "cancelled": Look("⊘", "-", "yellow", "cancelled"),
        "paused": Look("‖", "=", "yellow", "paused"),
        "abandoned": Look("○", "o", "dim", "abandoned"),
        "answered": Look("✓", "+", "green"),
        UNTOLD: Look("·", ".", "dim", "ended with its run"),
        UNENDED: Look("!", "!", "bold red", "never ended"),
        FACT: Look("·", ".", "dim"),
    }
)
UNKNOWN: Final = Look("·", ".", "dim")
# What is not judged by how it ended, by kind of operation or type of event.
SIGNS: Final[Mapping[str, Look]] = MappingProxyType(
    {
        "handoff": Look("→", ">", "blue"),
        "policy": Look("◆", "#", "magenta"),
        "policy_triggered": Look("◆", "#", "magenta"),
        "validation": Look("!", "!", "yellow"),
        "cancel_requested": Look("⊘", "-", "yellow"),
        "hitl_resolved": Look("✓", "+", "green"),
    }
)
SEVERITIES: Final = MappingProxyType({"WARN": Look("!", "!", "yellow"), "ERROR": Look("✗", "x", "red")})
PAUSE: Final = "awaiting_hitl"  # the run status
UNICODE: Final = Stems("├─ ", "└─ ", "│  ", "   ")
ASCII: Final = Stems("|- ", "`- ", "|  ", "   ")
SPINNERS: Final = MappingProxyType({UNICODE: Spinner("dots"), ASCII: Spinner("line")})


class Drawing:
    """A story as it stands at a moment, at most `limit` lines high; a rich renderable."""

    def __init__(self, story: Story, now_s: float, *, limit: int = ALL, is_moving: bool = False) -> None:
        self._story = story
        self._now_s = now_s
        self._limit = limit
        self._is_moving = is_moving

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        stems = ASCII if options.ascii_only else UNICODE
        grid = Table.grid(padding=(0, 2))
        grid.add_column()  # of all columns only this one gives way when there is no room
        grid.add_column(no_wrap=True, justify="right", style="cyan")
        grid.add_column(no_wrap=True, style="dim")
        for shown in lines(self._story.tree, self._limit):
            grid.add_row(*self._cells(shown, stems))
        yield grid

    def _cells(self, shown: Shown, stems: Stems) -> tuple[Text, str, str]:
        cut: OverflowMethod = "crop" if stems is ASCII else "ellipsis"  # rich's is a character that ASCII has not
        stem = Text(_stem(shown.stem, stems), style="dim", no_wrap=True, overflow=cut)
        row = shown.row
        if row is None:
            return stem.append(f"{'...' if stems is ASCII else '…'} {_more(shown)}"), "", ""
        look = look_of(row)
        sign = look.plain if stems is ASCII else look.sign
        if row.status == RUNNING and self._is_moving:
            sign = str(SPINNERS[stems].render(self._now_s))
        head = stem.append(f"{sign} ", style=f"not dim {look.style}").append(_ascii(row.name, stems), style="not dim")
        said = beside(row)
        head.append(f"  {_ascii(said, stems)}" if said else "", style="not dim bright_black")
        seconds, used = row.seconds(self._now_s), row.tokens
        return head, words.duration(seconds) if seconds is not None else "", words.tokens(used) if used else ""


def look_of(row: Row) -> Look:
    """Return how a row looks: facts by what they are, operations by how they ended."""
    if row.status in (OK, FACT) and row.kind in SIGNS:
        return SIGNS[row.kind]
    if row.status == OK and row.result.startswith((words.NOT_PASSED, words.FAILED)):
        return SEVERITIES["WARN"]  # it did its work, and what it found is no success
    event = EVENTS.get(row.kind) if row.status == FACT else None
    if event is not None and event.severity in SEVERITIES:
        return SEVERITIES[event.severity]
    return LOOKS.get(row.status, UNKNOWN)


def beside(row: Row, *, with_status: bool = True) -> str:
    """Return what stands beside a row's name: details, attempts, errors, and how it ended when that is not ok."""
    parts = [row.detail, row.result] if row.result != row.detail else [row.detail]
    if row.attempt > 1:
        parts.append(f"attempt {row.attempt}")
    failed = row.failure if row.status == ERROR else ""
    if row.failure and not failed and row.attempt > 1:
        parts[-1] += f" after {row.failure}"
    word = LOOKS.get(row.status, UNKNOWN).word if row.status != RUNNING and with_status else ""
    return words.joined(*parts, f"{word}: {failed}" if failed and word else word or failed)


def summary(story: Story) -> str:
    """Return one line of sums: runs by status, nodes, retries, handoffs, waits, tokens, what went wrong."""
    happened = story.events
    read, written = story.used()
    failed, started = story.nodes["error"], happened["start"] - story.resumed
    nodes = words.count(sum(story.nodes.values()), "node") + (f" ({failed} failed)" if failed else "")
    waits = words.count(happened["hitl_request"], "question to a human", "questions to a human")
    waited = f" (waited {words.duration(story.waited_s)})" if story.waited_s else ""
    parts = (
        f"{words.count(max(started, 1), 'run')} ({_endings(story)})" if happened["start"] else "no run",
        nodes,
        _counted(happened["node_retry"], "retry", "retries"),
        _counted(happened["handoff"], "handoff"),
        _counted(happened["policy_triggered"], "policy triggered", "policies triggered"),
        _counted(happened["validation_error"], "failed validation"),
        waits + waited if happened["hitl_request"] or story.waited_s else "",
        f"{read} tokens in, {written} out" if read or written else "",
        _counted(story.lost, "event lost", "events lost"),
    )
    return ", ".join(part for part in parts if part)


def sums(story: Story) -> dict[str, object]:
    """Return the sums for machines."""
    read, written = story.used()
    return {
        "runs": dict(sorted(story.runs.items())),
        "runsStarted": story.events["start"],
        "runsResumed": story.resumed,
        "nodes": dict(sorted(story.nodes.items())),
        "events": dict(sorted(story.events.items())),
        "waitedMs": round(story.waited_s * 1000, 3),
        "tokens": {"input": read, "output": written},
        "lost": story.lost,
        "processes": story.processes,
    }


def _endings(story: Story) -> str:
    left = story.events["start"] - story.runs.total()
    ends = [f"{number} {status}" for status, number in sorted(story.runs.items()) if status != PAUSE]
    ends += [words.count(story.runs[PAUSE], "pause")] if story.runs[PAUSE] else []
    return ", ".join([*ends, *([f"{left} never ended"] if left > 0 else [])])


def _counted(number: int, noun: str, plural: str = "") -> str:
    return words.count(number, noun, plural) if number else ""


def _stem(at: tuple[bool, ...], stems: Stems) -> str:
    if len(at) == 1:
        return ""
    through = "".join(stems.through if follows else stems.past for follows in at[1:-1])
    return through + (stems.follows if at[-1] else stems.last)


def _more(shown: Shown) -> str:
    parts = ", ".join(f"{number} {status}" for status, number in sorted(shown.more.items()))
    return f"{shown.more.total()} more: {parts}"


def _ascii(text: str, stems: Stems) -> str:
    return text.encode("ascii", "replace").decode() if stems is ASCII else text
