"""What watching a program costs: nobody, we, hand-written code and others, each in a process of its own."""

from __future__ import annotations

import importlib.util
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import IO, Any, Final, Self

from tests.benchmarks.measuring import Case, Row, compare, in_turn
from tests.benchmarks.subjects import Subject
from tests.benchmarks.variants import (
    CONTENT_OFF,
    FLOOR,
    FLOOR_OTLP,
    NOTHING,
    OURS,
    OURS_OTLP,
    SILENT,
    SPANS,
    UNSAMPLED,
    Variant,
)

RUNS: Final = 5  # a round
TO_FLOOR: Final = 1.2
MIB: Final = 2**20
# Of what the memory is measured: title, key of the player's answer, and whether nobody's is taken off first.
MEMORIES: Final = (("process", "resident"), ("a round's peak", "peak"))
Spent = Mapping[str, list[float]]


class Process:
    """A player: the program in a process of its own, watched by one variant."""

    def __init__(self, subject: Subject, variant: Variant) -> None:
        self.cpu = 0.0
        self.reports: set[str] = set()
        self._child = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "tests.benchmarks.player", subject.name, variant.name],
            env={**os.environ, **CONTENT_OFF},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._pipe(self._child.stdin).close()
        self._child.wait(60)
        self._pipe(self._child.stdout).close()

    def ask(self, way: str, runs: int) -> dict[str, Any]:
        """Have a round played; the program's report and the time are kept."""
        self._pipe(self._child.stdin).write(f"{way} {runs}\n")
        line = self._pipe(self._child.stdout).readline()
        if not line:
            raise RuntimeError(f"the process of a variant ended with {self._child.wait()}; what it said is above")
        answer: dict[str, Any] = json.loads(line)
        self.cpu += answer.pop("cpu", 0.0)
        if "report" in answer:
            self.reports.add(answer["report"])
        return answer

    @staticmethod
    def _pipe(pipe: IO[str] | None) -> IO[str]:
        assert pipe is not None
        return pipe


@dataclass(frozen=True, slots=True)
class Played:
    """What a program came to: the CPU seconds of each round by ``{way} {variant}``, bytes and records by variant.

    ``memory`` holds, by what was measured, the bytes of each round; ``records`` are those of one run.
    """

    subject: Subject
    spent: Spent
    memory: Mapping[str, Spent]
    records: Mapping[str, Mapping[str, int]]


def installed(variants: Iterable[Variant]) -> list[Variant]:
    """Return the variants whose distribution is there."""
    return [variant for variant in variants if not variant.module or _found(variant.module)]


def _found(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # not even the package around it
        return False


def play(subject: Subject, rounds: int) -> Played:
    """Have a program played in all ways, watched by all who are installed, in turn."""
    with ExitStack() as stack:
        variants = installed(subject.variants.values())
        processes = {each.name: stack.enter_context(Process(subject, each)) for each in variants}

        def case(way: str, name: str) -> Case:
            process = processes[name]
            return Case(f"{way} {name}", lambda: process.ask(way, RUNS))

        every = [case(way, name) for way in subject.ways for name in processes]
        spent = in_turn(every, rounds, clock=lambda: sum(process.cpu for process in processes.values()))
        reports = set.union(*(process.reports for process in processes.values()))
        if len(reports) != 1:
            raise RuntimeError(f"the program gave different results: {sorted(reports)}")
        memory = _memory(processes, rounds)
        return Played(subject, spent, memory, {name: process.ask("count", 1) for name, process in processes.items()})


def _memory(processes: Mapping[str, Process], rounds: int) -> dict[str, dict[str, list[float]]]:
    """Return what each process holds after as many rounds. Comes after what is timed: to look at memory takes time."""
    told = {name: [process.ask("memory", RUNS) for _ in range(rounds)] for name, process in processes.items()}
    return {key: {name: [each[key] for each in answers] for name, answers in told.items()} for _, key in MEMORIES}


def rows(played: Played) -> Iterator[Row]:
    """Return the comparisons."""
    for way in played.subject.ways:
        yield from _totals(way, played)
    for way in played.subject.ways:
        yield from _additions(way, played)
    for title, key in MEMORIES:
        yield from _memories(title, played.memory[key], played.subject)


def _totals(way: str, played: Played) -> Iterator[Row]:
    subject, spent = played.subject, played.spent
    base = spent[f"{way} {NOTHING}"]
    for name, counts in played.records.items():
        if name == NOTHING:
            continue
        made = f"{counts['spans']} spans, {counts['logs']} log records, {counts['values']} histogram values a run"
        ours, goal = spent[f"{way} {name}"], subject.goals.get((way, name))
        note = f"{_millis(ours)} / {_millis(base)} ms; {made}"
        group = f"{subject.says} {subject.ways[way]}, to nobody watching"
        yield compare(group, subject.variants[name].says, ours, base, goal=goal, note=note)


def _additions(way: str, played: Played) -> Iterator[Row]:
    """Compare what is added to the program's own time."""
    subject, spent = played.subject, played.spent
    base = spent[f"{way} {NOTHING}"]

    def added(name: str) -> list[float]:
        return [with_it - without for with_it, without in zip(spent[f"{way} {name}"], base, strict=True)]

    def row(ours: str, other: str, goal: float | None) -> Row:
        note = f"{_millis(added(ours))} / {_millis(added(other))} ms"
        name = f"{subject.variants[ours].says}, to {subject.variants[other].says}"
        group = f"{subject.says} {subject.ways[way]}, added time"
        return compare(group, name, added(ours), added(other), goal=goal, note=note)

    yield row(OURS, FLOOR, TO_FLOOR)
    yield row(OURS_OTLP, FLOOR_OTLP, TO_FLOOR)
    for peer in installed(subject.peers):
        yield row(OURS, peer.name, 1.0)
    for peer in installed(subject.peers):
        yield row(SPANS, peer.name, None)


def _memories(title: str, held: Spent, subject: Subject) -> Iterator[Row]:
    base = held[NOTHING]
    for name, each in held.items():
        if name != NOTHING:
            note = f"{_mebis(each)} / {_mebis(base)} MiB"
            yield compare(f"{subject.says}, memory of {title}, to nobody watching", subject.variants[name].says, each,
                          base, note=note)  # fmt: skip


def _millis(spent: Iterable[float]) -> str:
    return f"{statistics.median(spent) / RUNS * 1e3:.2f}"


def _mebis(held: Iterable[float]) -> str:
    return f"{statistics.median(held) / MIB:.2f}"


def shares(played: Played) -> Iterator[tuple[str, list[str]]]:
    """Return where our time goes: what it is spent on, and the milliseconds of a run by way."""
    parts: tuple[tuple[str, str, str], ...] = (
        ("patched calls, seen by nobody", SILENT, NOTHING),
        ("facts, operations and spans", SPANS, SILENT),
        ("metrics, log records and the feed, beside spans", OURS, SPANS),
        ("of all this, what goes when nothing is sampled", OURS, UNSAMPLED),
        ("OTLP encoding, on top", OURS_OTLP, OURS),
    )
    for says, more, less in parts:
        yield says, [_difference(played.spent, way, more, less) for way in played.subject.ways]


def _difference(spent: Spent, way: str, more: str, less: str) -> str:
    pairs = zip(spent[f"{way} {more}"], spent[f"{way} {less}"], strict=True)
    return _millis([a - b for a, b in pairs])
