"""Measures everything, prints it and writes the page; ``--rounds 3`` for a first look, which writes nothing."""

from __future__ import annotations

import argparse

from tests.benchmarks import crew, graphs, imports, node, page

ROUNDS = 15


def main() -> None:
    """Measure."""
    arguments = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    arguments.add_argument("--rounds", type=int, default=0, help=f"of each comparison; {ROUNDS} for the page")
    asked: int = arguments.parse_args().rounds
    rounds = asked or ROUNDS
    spent, records = graphs.play(rounds)
    rows = [*graphs.rows(spent, records), *node.measure(rounds), *crew.measure(rounds), *imports.measure(rounds)]
    page.show(rows)
    if not asked:
        page.write(rows, list(graphs.shares(spent)), runs=graphs.RUNS)


if __name__ == "__main__":
    main()
