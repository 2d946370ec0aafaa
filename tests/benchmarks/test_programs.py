from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.benchmarks import assistants, graph
from tests.benchmarks.programs import MEMORIES, Played, Process, rows
from tests.benchmarks.subjects import LANGGRAPH, OPENAI_AGENTS, SUBJECTS, Subject
from tests.benchmarks.variants import FLOOR, NOTHING, OURS, SPANS, UNSAMPLED, Variant
from tests.need import require_module

RUN = 1  # a run makes a span, two log records and a histogram value of its own


def counted(spans: int, logs: int, values: int) -> dict[str, int]:
    return {"spans": spans, "logs": logs, "values": values}


def exact(nodes: int, policies: int = 0, handoffs: int = 0) -> dict[str, dict[str, int]]:
    """Return the records of a run of so many nodes, policies that let pass, and handoffs, by variant."""
    spans, logs = nodes + policies + handoffs + RUN, 2 * nodes + handoffs
    ours = counted(spans, logs + 2 * RUN, nodes + handoffs + RUN)
    return {
        NOTHING: counted(0, 0, 0),
        FLOOR: counted(spans, logs, nodes),
        OURS: ours,
        SPANS: counted(spans, 0, 0),
        UNSAMPLED: {**ours, "spans": 0},
    }


EXACT = {
    LANGGRAPH: exact(graph.TASKS),
    OPENAI_AGENTS: exact(assistants.NODES, assistants.POLICIES, assistants.HANDOFFS),
}
REPORTS = {LANGGRAPH: graph.REPORT, OPENAI_AGENTS: assistants.REPORT}
BARE = (NOTHING, FLOOR, OURS)
OTHERS = [(subject, each) for subject in SUBJECTS.values() for each in subject.own if each.name not in BARE]
PEERS = [(subject, each) for subject in SUBJECTS.values() for each in subject.peers]


def named(value: Any) -> str | None:
    return value.name if isinstance(value, Subject | Variant) else None


@pytest.fixture(scope="module", params=SUBJECTS.values(), ids=named)
def played(request: pytest.FixtureRequest) -> Iterator[tuple[Subject, dict[str, Process]]]:
    """The variants that need nothing but us; they start side by side."""
    subject: Subject = request.param
    with ExitStack() as stack:
        yield subject, {name: stack.enter_context(Process(subject, subject.variants[name])) for name in BARE}


def play(subject: Subject, variant: Variant) -> dict[str, Any]:
    """Play a round each way, and return the records of a run."""
    with Process(subject, variant) as process:
        for way in subject.ways:
            process.ask(way, 1)
        counts = process.ask("count", 1)
    assert process.reports == {REPORTS[subject]}
    return counts


def test_watching_does_not_change_what_the_program_returns(played):
    """Watched by nobody, by hand-written code and by us, the program reports the same, whichever way it is run."""
    subject, processes = played
    for process in processes.values():
        for way in subject.ways:
            process.ask(way, 1)

    assert {name: each.reports for name, each in processes.items()} == {name: {REPORTS[subject]} for name in BARE}


def test_memory_is_looked_at(played):
    """Each process says what it holds and what a round needs, and plays on."""
    _, processes = played
    for process in processes.values():
        told = process.ask("memory", 1)

        assert set(told) == {key for _, key in MEMORIES}
        assert told["resident"] > told["peak"] > 0


def test_the_hand_written_floor_makes_the_records_that_we_make(played):
    """A span, two log records and a histogram value for each node; we have those of the run on top."""
    subject, processes = played

    assert {name: process.ask("count", 1) for name, process in processes.items()} == {
        name: EXACT[subject][name] for name in BARE
    }


@pytest.mark.bench
@pytest.mark.parametrize(("subject", "variant"), OTHERS, ids=named)
def test_our_other_variants_work(subject, variant):
    """Each plays a round with the same result, and makes the records that its name says."""
    counts = play(subject, variant)

    assert counts == EXACT[subject].get(variant.name, counts)


@pytest.mark.bench
@pytest.mark.parametrize(("subject", "variant"), PEERS, ids=named)
def test_the_others_work(subject, variant):
    """Each plays a round with the same result, and makes spans."""
    require_module(variant.module, "bench")

    assert play(subject, variant)["spans"] > 0


@pytest.mark.parametrize("subject", SUBJECTS.values(), ids=named)
def test_the_programs_are_run_in_the_ways_that_are_compared(subject):
    """What a subject says of its ways is what its module offers."""
    assert set(importlib.import_module(subject.module).runs()) == set(subject.ways)


def test_ratios_are_those_of_the_rounds():
    """A variant is compared with nobody watching round by round, with its records beside it, and goals are judged."""
    names = [each.name for each in LANGGRAPH.own]

    def three(name: str, base: float) -> list[float]:
        return [base, base, base] if name == NOTHING else [1.5 * base, 1.25 * base, 1.5 * base]

    played = Played(
        LANGGRAPH,
        spent={f"{way} {name}": three(name, 1.0) for way in LANGGRAPH.ways for name in names},
        memory={key: {name: three(name, 2.0**20) for name in names} for _, key in MEMORIES},
        records={name: counted(1, 2, 3) for name in names},
    )

    ours = {row.group: row for row in rows(played) if row.name == LANGGRAPH.variants[OURS].says}

    total = ours["LangGraph invoke, to nobody watching"]
    assert (total.ratio, total.goal, total.is_reached) == (1.5, 1.2, False)
    assert total.note == "300.00 / 200.00 ms; 1 spans, 2 log records, 3 histogram values a run"
    assert ours["LangGraph, memory of process, to nobody watching"].note == "1.50 / 1.00 MiB"
