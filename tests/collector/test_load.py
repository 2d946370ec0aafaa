"""What `make load` prints is what the sizing guide shows: each pipeline beside a Collector that does nothing."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.collector.collectors import ROOT, binary
from tests.collector.load import VARIANTS
from tests.docs.pages import read
from tests.need import require_module

pytestmark = pytest.mark.proof

require_module("langgraph_swarm", "demo")

HEAD = "| | spans a second | of bare | CPU s a million spans | of bare | peak memory, MiB |"


def test_each_pipeline_is_measured_beside_the_bare_one() -> None:
    """All are measured in one run, and none of the shipped ones is as quick as one that does nothing."""
    assert binary()
    command = [sys.executable, "-m", "tests.collector.load", "--seconds", "1", "--rounds", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=100)
    head, _, *rows = done.stdout.splitlines()
    measured = {name: [float(cell.replace(",", "")) for cell in cells] for name, *cells in map(cells_of, rows)}
    assert head == HEAD
    assert measured.keys() == VARIANTS.keys()
    assert (measured["bare"][1], measured["bare"][3]) == (1, 1)
    for name in ("standalone", "two tiers"):
        assert 0 < measured[name][1] < 1 < measured[name][3]


def cells_of(row: str) -> list[str]:
    """Return the cells of a row of a table."""
    return row.strip("| ").split(" | ")


def test_the_sizing_guide_shows_it() -> None:
    """The docs have its table, with a row for each pipeline."""
    page = read(ROOT / "docs/howto/collector.md")
    rows = page.partition(f"{HEAD}\n")[2].partition("\n\n")[0].splitlines()[1:]
    assert [re.sub(r",.*", "", cells_of(row)[0]) for row in rows] == [*VARIANTS]
