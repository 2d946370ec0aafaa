"""Answer a customer who wants money back, and ask a human before much of it is given.

    python app.py                                  # all of it, approved
    python app.py --decision reject                # ... or not
    python app.py --until-approval                 # stop where the human is asked ...
    python app.py --resume FILE --decision reject  # ... and go on, in another process
    python app.py --mode run_streamed --pace 0.3   # watch it happen

No key and no network needed: scripts play the models, and nothing is traced to anywhere.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from pathlib import Path
from typing import Any

from agents import Agent, RunConfig, Runner, RunState
from desk import build

STATE = Path(tempfile.gettempdir()) / "support-desk.json"
WISH = "The kettle of order A-17 leaks. I want my money back."
SETTINGS = RunConfig(workflow_name="support-desk", tracing_disabled=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    option = parser.add_argument
    option("--mode", choices=("run", "run_streamed"), default="run")
    option("--pace", type=float, default=0.05, help="seconds a model call takes")
    option("--state", type=Path, default=STATE, help="where a run that waits is kept")
    option("--until-approval", action="store_true", help="stop where the human is asked")
    option("--resume", type=Path, metavar="FILE", help="go on with the run that is kept here")
    option("--decision", choices=("approve", "reject"), default="approve")
    return parser.parse_args()


async def _play(agent: Agent[Any], given: Any, mode: str) -> Any:
    if mode == "run":
        return await Runner.run(agent, given, run_config=SETTINGS)
    stream = Runner.run_streamed(agent, given, run_config=SETTINGS)
    async for event in stream.stream_events():
        if event.type == "agent_updated_stream_event":
            print(f"now: {event.new_agent.name}")
    return stream


def _decide(state: RunState[Any], decision: str) -> RunState[Any]:
    for item in state.get_interruptions():
        print(f"{item.name}({item.arguments})? {decision}")
        if decision == "approve":
            state.approve(item)
        else:
            state.reject(item)
    return state


async def _run(arguments: argparse.Namespace) -> Any:
    desk = build(arguments.pace)
    if arguments.resume:
        state = await RunState.from_string(desk, arguments.resume.read_text())
    else:
        result = await _play(desk, WISH, arguments.mode)
        if arguments.until_approval:
            arguments.state.write_text(result.to_state().to_string())
            return f"Waiting for approval; go on with --resume {arguments.state}"
        state = result.to_state()
    return (await _play(desk, _decide(state, arguments.decision), arguments.mode)).final_output


if __name__ == "__main__":
    print(asyncio.run(_run(_arguments())))
