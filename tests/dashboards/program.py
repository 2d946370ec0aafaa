"""A program that has everything happen that is on a board: `python program.py FOLDER`, a round for each line.

It stays alive between rounds, and so do its agents. Nothing in it but the first lines knows that anybody watches.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import runpy
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import otel_agents
from otel_agents import guard

EXAMPLES = Path(__file__).parents[2] / "examples"
MANY = 520  # more label sets than an instrument takes
FLOOD = 1200  # more events than may wait for a listener

alive: list[Any] = []  # teams: what is measured of an agent ends with it


def _play(example: str, *arguments: str) -> None:
    """Run an example as its user does."""
    sys.argv = ["app.py", *arguments]
    runpy.run_path(str(EXAMPLES / example / "app.py"), run_name="__main__")


def _team(state: Path) -> None:
    """Have a team work, and another one read where it was left."""
    made = runpy.run_path(str(EXAMPLES / "yolo_team" / "app.py"), run_name="app")
    team = made["build"](state, 0)
    alive[:] = [team]
    asyncio.run(made["work"](team))
    asyncio.run(made["build"](state, 0).load())


def _misbehave() -> None:
    """Overflow labels, be too slow for events, and raise inside of otel-agents."""
    for number in range(MANY):
        otel_agents.record.reaction_matched(rule=f"rule-{number}")
    go_on = threading.Event()
    leave = otel_agents.subscribe(lambda _: (go_on.wait(), None)[1])
    for _ in range(FLOOD):
        otel_agents.record.log(message="flood")
    go_on.set()
    leave()
    guard.run("proof", [].pop)


def play(folder: Path) -> None:
    """Have everything happen once."""
    for example in ("yolo_team", "langgraph_app", "convergence", "gateway"):
        sys.path.insert(0, str(EXAMPLES / example))
    _team(Path(tempfile.mkdtemp(dir=folder)) / "team.state")
    _play("convergence", "--pace", "0")
    _play("convergence", "--pace", "0", "--decision", "rejected")
    _play("convergence", "--pace", "5", "--cancel-after", "0.1")
    _play("gateway")
    _play("langgraph_app", "--pace", "0", "--db", str(folder / "threads.sqlite"))
    _play("langgraph_app", "--pace", "0", "--db", str(folder / "threads.sqlite"), "--until-approval")
    _misbehave()


def main() -> None:
    """Play a round for each line."""
    folder = Path(sys.argv[1])
    print("ready", flush=True)  # noqa: T201
    for _ in sys.stdin:
        with contextlib.redirect_stdout(io.StringIO()):
            play(folder)
        print("done", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
