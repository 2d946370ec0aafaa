"""A board as a picture: a page with Grafana's UI library, bundled by esbuild, in chromium; must not know queries."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent
SOURCES: Final = ("package.json", "package-lock.json", "data.ts", "panels.tsx", "page.tsx", "small.mjs")
PROGRAMS: Final = {
    "node": "Node.js 20 or newer, from https://nodejs.org",
    "npm": "it comes with Node.js",
    "chromium": "apt-get install chromium",
}
WIDTH: Final = 1400
ROW: Final = 38  # pixels of a row of the grid, with the gap
HEAD: Final = 84
LOADERS: Final = ("ttf", "svg", "png", "woff", "woff2")
PAGE: Final = """<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="page.css">
<div id="root"></div><script src="board.js"></script><script src="page.js"></script>"""


def missing() -> Iterator[str]:
    """Yield what this machine lacks, with how to get it."""
    for name, how in PROGRAMS.items():
        if shutil.which(name) is None:
            yield f"{name} is missing: {how}"


def bundle(folder: Path) -> None:
    """Install the library where it is not yet, and make the page."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = folder / "node_modules" / ".package-lock.json"
    stale = not lock.exists() or (folder / SOURCES[1]).read_bytes() != (HERE / SOURCES[1]).read_bytes()
    for name in SOURCES:
        shutil.copy(HERE / name, folder / name)
    if stale:
        _run(folder, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error")
    _run(
        folder,
        *("npx", "--no-install", "esbuild", "page.tsx", "--bundle", "--outfile=page.js", "--log-level=error"),
        *("--jsx=automatic", "--define:process.env.NODE_ENV='production'", "--define:global=window"),
        *(f"--loader:.{name}=dataurl" for name in LOADERS),
    )
    (folder / "page.html").write_text(PAGE, encoding="utf-8")


def draw(folder: Path, board: dict[str, Any], picture: Path) -> None:
    """Write the picture of a board, which is as high as its grid."""
    (folder / "board.js").write_text(f"window.BOARD = {json.dumps(board)}", encoding="utf-8")
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"])
    picture.unlink(missing_ok=True)
    _run(
        folder,
        *("chromium", "--headless", "--no-sandbox", "--hide-scrollbars", "--allow-file-access-from-files"),
        *(f"--window-size={WIDTH},{rows * ROW + HEAD}", "--virtual-time-budget=20000"),
        *(f"--screenshot={picture}", (folder / "page.html").as_uri()),
    )
    if not picture.exists():
        sys.exit(f"chromium drew nothing; look at {folder / 'page.html'} in a browser")
    _run(folder, "node", "small.mjs", str(picture))


def _run(folder: Path, *command: str) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=os.environ)
    if done.returncode:
        sys.exit(f"{' '.join(command[:3])} failed:\n{done.stdout}{done.stderr}")
