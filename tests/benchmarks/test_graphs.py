from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.benchmarks import program
from tests.benchmarks.graphs import WAYS, Process, rows
from tests.benchmarks.variants import FLOOR, NOTHING, OURS, OWN, PEERS, SPANS, UNSAMPLED, VARIANTS
from tests.need import require_module

RUN = 1  # a run makes a span and two log records of its own
EXACT = {
    NOTHING: {"spans": 0, "logs": 0, "values": 0},
    FLOOR: {"spans": program.TASKS + RUN, "logs": 2 * program.TASKS, "values": program.TASKS},
    OURS: {"spans": program.TASKS + RUN, "logs": 2 * (program.TASKS + RUN), "values": program.TASKS + RUN},
    SPANS: {"spans": program.TASKS + RUN, "logs": 0, "values": 0},
    UNSAMPLED: {"spans": 0, "logs": 2 * (program.TASKS + RUN), "values": program.TASKS + RUN},
}


@pytest.fixture(scope="module")
def played() -> Iterator[dict[str, Process]]:
    """The variants that need nothing but us; they start side by side."""
    processes = {name: Process(VARIANTS[name]) for name in (NOTHING, FLOOR, OURS)}
    yield processes
    for process in processes.values():
        process.__exit__()


def test_watching_does_not_change_what_the_program_returns(played):
    """Watched by nobody, by hand-written code and by us, the program reports the same, either way it is run."""
    for process in played.values():
        for way in WAYS:
            process.ask(way, 1)

    assert {name: process.reports for name, process in played.items()} == {name: {program.REPORT} for name in played}


def test_the_hand_written_floor_makes_the_records_that_we_make(played):
    """A span, two log records and a histogram value for each of the 26 tasks; we have those of the run on top."""
    assert {name: process.ask("count", 1) for name, process in played.items()} == {name: EXACT[name] for name in played}


@pytest.mark.bench
@pytest.mark.parametrize(
    "variant", [each for each in OWN if each.name not in {NOTHING, FLOOR, OURS}], ids=lambda v: v.name
)
def test_our_other_variants_work(variant):
    """Each plays a round with the same result, and makes the records that its name says."""
    with Process(variant) as process:
        for way in WAYS:
            process.ask(way, 1)
        counts = process.ask("count", 1)

    assert process.reports == {program.REPORT}
    assert counts == EXACT.get(variant.name, counts)


@pytest.mark.bench
@pytest.mark.parametrize("variant", PEERS, ids=lambda v: v.name)
def test_the_others_work(variant):
    """Each plays a round with the same result, and makes spans."""
    require_module(variant.module, "bench")
    with Process(variant) as process:
        for way in WAYS:
            process.ask(way, 1)
        counts = process.ask("count", 1)

    assert process.reports == {program.REPORT}
    assert counts["spans"] > 0


def test_ratios_are_those_of_the_rounds():
    """A variant is compared with nobody watching round by round, with its records beside it, and goals are judged."""
    names = (NOTHING, *(v.name for v in OWN[1:]))
    spent = {
        f"{way} {name}": [1.0, 1.0, 1.0] if name == NOTHING else [1.5, 1.25, 1.5] for way in WAYS for name in names
    }
    records = {name: {"spans": 1, "logs": 2, "values": 3} for name in names}

    ours = next(row for row in rows(spent, records) if row.name == VARIANTS[OURS].says)

    assert (ours.ratio, ours.goal, ours.is_reached) == (1.5, 1.2, False)
    assert ours.note == "300.00 / 200.00 ms; 1 spans, 2 log records, 3 histogram values a run"
