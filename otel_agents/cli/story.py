"""Turns the event lines of a watched program into a tree and sums; must not know how they are shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from otel_agents.cli import words
from otel_agents.cli.rows import ERROR, FACT, OK, RUNNING, UNENDED, UNTOLD, WAITING, Row, Tree
from otel_agents.semconv import events as e
from otel_agents.semconv.events import EVENTS
from otel_agents.semconv.kinds import HITL, KINDS, NODE, RUN

Line = Mapping[str, Any]

PROCESS_CHARS: Final = 19  # of an event's id: what tells processes apart
MAX_QUESTIONS: Final = 1000

OUTCOMES: Final[Mapping[str, str]] = MappingProxyType(
    {"completed": OK, "failed": ERROR, "cancelled": "cancelled", "awaiting_hitl": "paused"}
)
STARTS: Final = frozenset((kind.name, kind.starts.name) for kind in KINDS if kind.starts is not None)
ENDS: Final = frozenset((kind.name, end.event.name) for kind in KINDS for end in kind.ends)
BESIDE: Final = frozenset({e.NODE_ERROR.name, e.WORKFLOW_FINISHED.name})  # told beside the end itself


class Told(NamedTuple):
    """What one line did to the story: the row, and the word for what happened to it."""

    row: Row
    word: str
    time_s: float


class Place(NamedTuple):
    """The operation that a line is about."""

    key: str
    parent: str
    kind: str
    name: str
    tokens: tuple[int, int] | None


class Story:
    """The tree and the sums. Not safe for several threads; memory is bounded however much is told."""

    def __init__(self) -> None:
        self.tree = Tree()
        self.lost = 0  # lines
        self.processes: list[int] = []
        self.runs: Counter[str] = Counter()  # segments ended, by run status
        self.nodes: Counter[str] = Counter()  # ended, by outcome
        self.events: Counter[str] = Counter()  # by type
        self.tokens = (0, 0)  # of what is over
        self.resumed = 0  # run segments
        self.waited_s = 0.0
        self.began_s = 0.0
        self._asked: dict[tuple[str, str], Row] = {}

    def add(self, line: Line) -> Told | None:
        """Take in one line of the pipe; None when there is nothing new to say.

        Raises:
            KeyError, TypeError, ValueError: The line is no event; the story stays as it was.
        """
        if "hello" in line:
            self.processes.append(int(line["hello"]))
            return None
        if "lost" in line:
            self.lost += int(line["lost"])
            return None
        time_s = datetime.fromisoformat(line["timestamp"]).timestamp()
        self.began_s = self.began_s or time_s
        self.events[line["type"] if line["type"] in EVENTS else e.LOG.name] += 1
        return self._tell(line, _place(line), time_s)

    def finish(self) -> list[Row]:
        """Mark what still runs as never ended, since the program is over; returns those rows, outermost first."""
        left = [row for root in self.tree.roots for row in root.every() if row.status == RUNNING]
        for row in left:
            self.tree.change(row, UNENDED)
        return left

    def used(self) -> tuple[int, int]:
        """Return the model tokens of everything, read and written."""
        left = [root.used() for root in self.tree.roots if root.status in (RUNNING, UNENDED)]
        read, written = self.tokens
        return read + sum(each[0] for each in left), written + sum(each[1] for each in left)

    def _tell(self, line: Line, place: Place, time_s: float) -> Told | None:
        type_, row = line["type"], self.tree.find(place.key)
        if row is not None:
            row.tokens = place.tokens or row.tokens
        if (place.kind, type_) in STARTS:
            return self._start(line, place, time_s)
        if type_ in BESIDE and (place.kind, type_) in ENDS:
            self._fail(line, row)
            return None
        if (place.kind, type_) in ENDS:
            return self._end(line, place, row, time_s)
        if type_ == e.NODE_RETRY.name and row is not None:
            return self._retry(line, row, time_s)
        if type_ == e.HITL_RESOLVED.name:
            return self._answer(line, place, time_s)
        return self._note(line, place, time_s)

    def _start(self, line: Line, place: Place, time_s: float) -> Told:
        row = _row(line, place, time_s)
        row.key, row.status = place.key, WAITING if place.kind == HITL.name else RUNNING
        self.tree.plant(row, self._around(line, place))
        if row.status == WAITING:
            self._ask(line, row)
        self.resumed += bool(place.kind == RUN.name and line["payload"].get("resumed"))
        return Told(row, row.status if row.status == WAITING else "start", time_s)

    def _end(self, line: Line, place: Place, row: Row | None, time_s: float) -> Told:
        status = OUTCOMES.get(line.get("status", OK), line.get("status", OK))
        seconds = float(line.get("durationMs", 0.0)) / 1000
        if row is None or not row.is_open:
            row = _row(line, place, time_s - seconds)
            row.status, row.tokens = status, place.tokens
            self.tree.plant(row, self._around(line, place))
        row.duration_s = seconds
        row.result = words.detail(line["type"], line["payload"])
        row.failure = words.error_name(line["payload"].get("errorType", "")) or row.failure
        self.tree.change(row, status)
        self._sum(line, place)
        if place.kind == RUN.name:
            self.tree.settle(row.run_id, UNTOLD)  # what ran inside and was not told of is over, too
        if place.kind == HITL.name:
            self._close_question(line, row)
        return Told(row, status, time_s)

    def _sum(self, line: Line, place: Place) -> None:
        if place.kind == RUN.name:
            self.runs[str(line.get("status"))] += 1
        if place.kind == NODE.name:
            self.nodes[str(line.get("status"))] += 1
        if not place.parent and place.tokens is not None:
            self.tokens = (self.tokens[0] + place.tokens[0], self.tokens[1] + place.tokens[1])

    def _fail(self, line: Line, row: Row | None) -> None:
        if row is not None:
            row.failure = words.error_name(line["payload"].get("errorType", "")) or row.failure
            row.attempt = _number(line["payload"].get("attempt"), row.attempt)

    def _retry(self, line: Line, row: Row, time_s: float) -> Told:
        row.failure = words.error_name(line["payload"].get("errorType", "")) or row.failure
        row.attempt = _number(line["payload"].get("attempt"), row.attempt) + 1
        return Told(row, "retry", time_s)

    def _note(self, line: Line, place: Place, time_s: float) -> Told:
        seconds = line.get("durationMs")
        row = _row(line, place, time_s)
        row.kind, row.status = line["type"], FACT
        row.duration_s = float(seconds) / 1000 if seconds is not None else None
        if line["type"] == e.HITL_REQUEST.name:
            row.status = WAITING
            self._ask(line, row)
        self.tree.plant(row, self.tree.find(place.key) or self._around(line, place))
        return Told(row, WAITING if row.status == WAITING else row.kind.replace("_", " "), time_s)

    def _ask(self, line: Line, row: Row) -> None:
        if len(self._asked) >= MAX_QUESTIONS:
            self._asked.pop(next(iter(self._asked)))
        self._asked[line["runId"], str(line["payload"].get("requestId"))] = row

    def _answer(self, line: Line, place: Place, time_s: float) -> Told:
        question = self._asked.pop((line["runId"], str(line["payload"].get("requestId"))), None)
        if question is None:
            told = self._note(line, place, time_s)
        else:
            told = Told(question, "answer", time_s)
            question.name = words.name(line["type"], line["payload"])
            self.tree.change(question, "answered")
        waited_ms = line["payload"].get("waitMs")
        told.row.duration_s = float(waited_ms) / 1000 if waited_ms is not None else None
        self.waited_s += told.row.duration_s or 0.0
        return told._replace(word="answer")

    def _close_question(self, line: Line, row: Row) -> None:
        if line["type"] == e.HITL_RESOLVED.name:
            self._asked.pop((line["runId"], str(line["payload"].get("requestId"))), None)
            row.name = words.name(line["type"], line["payload"])
            self.waited_s += float(line["payload"].get("waitMs") or 0.0) / 1000

    def _around(self, line: Line, place: Place) -> Row | None:
        around = self.tree.find(place.parent) if place.parent else None
        if around is None and place.parent:  # it is over and forgotten, or its start was lost
            around = next((root for root in reversed(self.tree.roots) if root.run_id == line["runId"]), None)
        return around


def _row(line: Line, place: Place, time_s: float) -> Row:
    type_, payload = line["type"], line["payload"]
    own_name = place.name if (place.kind, type_) in STARTS | ENDS else ""
    row = Row(place.kind, words.name(type_, payload, own_name, line.get("nodeId") or ""), time_s)
    row.detail, row.run_id = words.detail(type_, payload), line["runId"]
    return row


def _place(line: Line) -> Place:
    operation, process = line.get("operation"), line["id"][:PROCESS_CHARS]
    if operation is None:
        return _guess(line, process)
    parent, used = operation.get("parent"), operation.get("tokens")
    return Place(
        f"{process}{operation['id']}",
        f"{process}{parent}" if parent else "",
        operation["kind"],
        operation["name"],
        (int(used[0]), int(used[1])) if used else None,
    )


def _guess(line: Line, process: str) -> Place:
    """Find the place of an event that only has the envelope: a run has nodes, and nodes have ids."""
    run, node = f"{process}{line['runId']}", line.get("nodeId")
    if EVENTS[line["type"]].family == "run" or node is None:
        return Place(run, "", RUN.name, "", None)
    return Place(f"{run}/{node}", run, NODE.name, line.get("capabilityId") or "", None)


def _number(value: object, otherwise: int) -> int:
    return value if isinstance(value, int) else otherwise
