"""Have a team of agents mend a bug, answer a question, and run into trouble.

    python app.py                                  # plain
    otel-agents run -- python app.py --pace 0.3    # watched
    python app.py --state /tmp/team.state          # kept on disk; killed, it goes on where it was

No key and no network needed: a script plays the models.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from team import build

from otel_agents.runtime.yolo import AgentError, Orchestrator


async def work(team: Orchestrator) -> None:
    for unfinished in await team.load():
        print("gone on with:", await team.resume(unfinished))
    print("mended:", await team.run("bugfix", "the tide table is wrong", steps=["triage"], correlation_id="ticket-17"))
    print("answered:", await team.run("question", "and the moon?", steps=["helpdesk"]))
    try:
        await team.run("patrol", steps=["watchman"])
    except AgentError as error:
        print(f"trouble: {error}; the team is {team.mode}")
    team.set_mode("active")
    team.remove("watchman")
    await team.save()  # who set the mode says so on disk, too: else the next start finds the team paused


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pace", type=float, default=0.05, help="seconds a model call takes")
    parser.add_argument("--state", type=Path, help="where the team is kept")
    arguments = parser.parse_args()
    asyncio.run(work(build(arguments.state, arguments.pace)))


if __name__ == "__main__":
    main()
