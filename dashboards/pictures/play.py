"""One program of many kinds of work, at a pace that comes and goes: `python play.py NAME SECONDS FOLDER`.

It knows no telemetry, and stays until its input is closed, so that what is measured of living agents is there.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import math
import os
import random
import runpy
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

EXAMPLES: Final = Path(__file__).parents[2] / "examples"
WAVE_S: Final = 45
WISH: Final = {"objective": "Write a LinkedIn post about our new release"}
ASKS: Final[Mapping[str, Any]] = {
    "id": "editor-approves",
    "trigger": {"kind": "onNodeComplete", "selector": {"capabilityId": "review_posts"}},
    "action": {"type": "hitl", "prompt": "Is the draft good enough?"},
}
NEVER: Final = {"type": "object", "required": ["post"], "properties": {"post": {"type": "string", "maxLength": 1}}}
WISHES: Final[tuple[Mapping[str, Any], ...]] = (
    {},
    {},
    {"policies": {"runtime": [ASKS]}},
    {"policies": {"runtime": [ASKS]}},
    {"policies": {"planner": {"maxNodes": 1}}},
    {"outputContract": {"mode": "json_schema", "schema": NEVER}},
)

alive: list[Any] = []  # teams: what is measured of an agent ends with it


def _example(name: str, *arguments: str, run_name: str = "__main__") -> dict[str, Any]:
    """Run an example as its user does; returns its names."""
    sys.argv = ["app.py", *arguments]
    if (folder := str(EXAMPLES / name)) not in sys.path:
        sys.path.insert(0, folder)
    return runpy.run_path(f"{folder}/app.py", run_name=run_name)


def _team(folder: Path, chance: random.Random) -> None:
    """Have a team work, and another one read where it was left."""
    made = _example("yolo_team", run_name="app")
    for old in folder.glob("team.state*"):
        old.unlink()
    team = made["build"](folder / "team.state", chance.uniform(0.02, 0.4))
    alive[:] = [team]
    asyncio.run(made["work"](team))
    asyncio.run(made["build"](folder / "team.state", 0).load())


def _converge(folder: Path, chance: random.Random) -> None:
    pace = str(chance.uniform(0.05, 0.5))
    how = chance.choice(((), (), ("--decision", "rejected"), ("--cancel-after", "0.2"), ("--strategy", "fixed")))
    _example("convergence", "--pace", pace, *how)


def _gateway(folder: Path, chance: random.Random) -> None:
    if chance.random() < 0.4:  # noqa: PLR2004  # a day has all kinds of messages, a window many of one kind
        _example("gateway", "--pace", str(chance.uniform(0.01, 0.1)))
    else:
        window, runs, seed = chance.choice(("channel", "gateway")), chance.randint(5, 40), chance.randint(0, 999)
        _example("gateway", "--window", window, "--runs", str(runs), "--seed", str(seed))


def _notes(folder: Path, chance: random.Random) -> None:
    mode = chance.choice(("invoke", "stream", "ainvoke", "astream"))
    how = chance.choice(((), (), ("--decision", "reject"), ("--until-approval",)))
    pace = str(chance.uniform(0.02, 0.3))
    _example("langgraph_app", "--db", str(folder / "threads.sqlite"), "--mode", mode, "--pace", pace, *how)


def _desk(folder: Path, chance: random.Random) -> None:
    how = chance.choice(((), (), ("--decision", "reject"), ("--until-approval",)))
    pace = str(chance.uniform(0.02, 0.3))
    _example("openai_agents_app", "--state", str(folder / "desk.json"), "--pace", pace, *how)


def _flex_api(path: str, body: Mapping[str, Any] | None = None) -> str:
    """Return what the server says to a POST, or without a body, to a GET."""
    given = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        f"{os.environ['FLEX']}/api/v1/flex/{path}", given, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return str(answer.read().decode())


def _flex(folder: Path, chance: random.Random) -> None:
    """Ask for posts: plain ones, ones that an editor is asked about, and ones that fail; answer what is asked."""
    _flex_api("run.stream", {**WISH, **chance.choice(WISHES)})
    time.sleep(chance.uniform(0, 4))
    asked = json.loads(_flex_api("hitl/pending"))["pending"]
    if len(asked) > chance.randint(0, 3):  # some wait for long
        decision = chance.choice(("approved", "approved", "rejected"))
        _flex_api("hitl/resolve", {"requestId": asked[-1]["requestId"], "decision": decision, "by": "ada"})


PLAYS: Final[Mapping[str, Callable[[Path, random.Random], None]]] = {
    "team": _team,
    "converge": _converge,
    "gateway": _gateway,
    "notes": _notes,
    "desk": _desk,
    "flex": _flex,
}


def main() -> None:
    """Play one kind again and again, then stay."""
    name, seconds, folder = sys.argv[1:]
    chance, begin = random.Random(name), time.monotonic()
    while (passed := time.monotonic() - begin) < float(seconds):
        with contextlib.redirect_stdout(io.StringIO()):
            PLAYS[name](Path(folder), chance)
        time.sleep(chance.uniform(0.5, 1.5) * (1.5 + math.sin(passed / WAVE_S * math.tau)))
    sys.stdin.read()


if __name__ == "__main__":
    main()
