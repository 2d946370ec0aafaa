"""Measures everything, prints it and writes the page; ``--rounds 3`` for a first look, which writes nothing."""

from __future__ import annotations

import argparse

from tests.benchmarks import crew, imports, node, page, programs
from tests.benchmarks.subjects import SUBJECTS

ROUNDS = 15


def main() -> None:
    """Measure."""
    arguments = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    arguments.add_argument("--rounds", type=int, default=0, help=f"of each comparison; {ROUNDS} for the page")
    asked: int = arguments.parse_args().rounds
    rounds = asked or ROUNDS
    played = [programs.play(subject, rounds) for subject in SUBJECTS.values()]
    watched = [row for each in played for row in programs.rows(each)]
    rows = [*watched, *node.measure(rounds), *crew.measure(rounds), *imports.measure(rounds)]
    page.show(rows)
    if not asked:
        page.write(rows, {each.subject: list(programs.shares(each)) for each in played}, runs=programs.RUNS)


if __name__ == "__main__":
    main()
