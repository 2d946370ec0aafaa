"""Draw every board from minutes of real runs; the entry point, and nothing else.

python -m dashboards.pictures           # six minutes of work, then docs/images/boards/*.png
python -m dashboards.pictures --redraw  # the last answers again, after a change of the page
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from dashboards.pictures.asking import Asker
from dashboards.pictures.drawing import bundle, draw, missing
from dashboards.pictures.load import at_work

ROOT: Final = Path(__file__).parents[2]
BOARDS: Final = ROOT / "dashboards" / "grafana"
CACHE: Final = ROOT / ".cache" / "pictures"
RUN: Final = CACHE / "run"
ANSWERS: Final = CACHE / "answers"


def _ask(seconds: int) -> None:
    """Have everything run, and keep what the queries come to."""
    for folder in (RUN, ANSWERS):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    with at_work(RUN, seconds) as (known, logs):
        asker = Asker(known.url, time.time(), seconds, logs)
        for path in sorted(BOARDS.glob("*.json")):
            (ANSWERS / path.name).write_text(json.dumps(asker.board(json.loads(path.read_text()))))


def _empty(board: dict[str, Any]) -> Iterator[str]:
    for panel in board["panels"]:
        if panel["type"] != "row" and not panel["series"] and not panel["records"]:
            yield f"{panel['title']} ({panel['fieldConfig']['defaults']['noValue']})"


def main(arguments: list[str]) -> int:
    """Ask and draw; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m dashboards.pictures", description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=360, help="how long everything runs")
    parser.add_argument("--into", type=Path, default=ROOT / "docs" / "images" / "boards", metavar="FOLDER")
    parser.add_argument("--redraw", action="store_true", help="draw the last answers, without a run")
    asked = parser.parse_args(arguments)
    if wanted := list(missing()):
        print("\n".join(wanted), file=sys.stderr)
        return 1
    bundle(CACHE)
    if not asked.redraw:
        _ask(asked.seconds)
    asked.into.mkdir(parents=True, exist_ok=True)
    for path in sorted(ANSWERS.glob("*.json")):
        board = json.loads(path.read_text())
        picture = asked.into / f"{path.stem.removeprefix('otel-agents-')}.png"
        draw(CACHE, board, picture)
        empty = "; ".join(_empty(board))
        print(f"{picture.name}: {picture.stat().st_size // 1000} kB" + (f"; empty: {empty}" if empty else ""))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
