"""Run the Python examples of one page, in order, in one namespace: `python -m tests.docs.play docs/howto/logs.md`.

A block `text output` after an example is what the example prints, a block `text tree` what otel-agents sees of it.
"""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stdout
from itertools import pairwise
from pathlib import Path
from types import CodeType
from typing import Any

from otel_agents import adapters
from otel_agents.config import Selection
from otel_agents.patching.apply import apply
from otel_agents.testing import capture
from tests.docs.pages import ROOT, Block, blocks

NOTHING = Block("", "", "", 0)
INPUT = "tides\n"


def _compiled(block: Block, page: Path) -> CodeType:
    return compile("\n" * (block.line - 1) + block.text, str(page), "exec")


def _tree(code: CodeType, namespace: dict[str, Any]) -> str:
    with capture() as telemetry:
        applied = [apply(adapter) for adapter in adapters.load(Selection())]
        try:
            exec(code, namespace)
        finally:
            for each in applied:
                each.undo()
        return "".join(f"{line}\n" for line in telemetry.tree())


def _output(code: CodeType, namespace: dict[str, Any]) -> str:
    with redirect_stdout(io.StringIO()) as printed:
        exec(code, namespace)
    return printed.getvalue()


def play(page: Path) -> list[str]:
    """Run the examples; returns what is not as the page says."""
    wrong, namespace = [], {"__name__": "__main__"}
    for block, after in pairwise([*blocks(page), NOTHING]):
        if block.language != "python":
            continue
        sys.stdin = io.StringIO(INPUT)
        code = _compiled(block, page)
        if after.said not in ("tree", "output"):
            exec(code, namespace)
            continue
        found = _tree(code, namespace) if after.said == "tree" else _output(code, namespace)
        if found != after.text:
            wrong.append(f"{page}:{after.line}: the page says\n{after.text}and it is\n{found}")
    return wrong


if __name__ == "__main__":
    problems = play(ROOT / sys.argv[1])
    sys.stdout.writelines(problems)
    sys.exit(1 if problems else 0)
