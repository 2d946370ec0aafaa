"""Write release notes with a crew of agents, and ask a human before they go out.

    python app.py                                     # all of it, approved at the end
    python app.py --until-approval                    # stop where the human is asked ...
    python app.py --resume THREAD --decision reject   # ... and go on, in another process
    python app.py --mode astream --pace 0.3           # watch it happen

No key and no network needed: a script plays the model. With OPENAI_API_KEY set and
langchain-openai installed, `--model openai:gpt-5-mini` asks a real one.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import uuid
from pathlib import Path
from typing import Any

from crew import Graph, Models, build
from langchain.chat_models import init_chat_model
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.types import Command
from scripted import ScriptedModel

DATABASE = Path(tempfile.gettempdir()) / "release-notes.sqlite"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    option = parser.add_argument
    option("--mode", choices=("invoke", "stream", "ainvoke", "astream"), default="invoke")
    option("--pace", type=float, default=0.05, help="seconds a model call takes")
    option("--model", help="a real model, such as openai:gpt-5-mini")
    option("--db", type=Path, default=DATABASE, help="where threads are kept")
    option("--thread", default=uuid.uuid4().hex[:8], help="name of the new thread")
    option("--until-approval", action="store_true", help="stop where the human is asked")
    option("--resume", metavar="THREAD", help="answer the question of this thread")
    option("--decision", choices=("approve", "reject"), default="approve")
    return parser.parse_args()


def _models(model: str | None, pace: float) -> Models:
    if model is None:
        return lambda role: ScriptedModel(role=role, pace=pace)
    if "OPENAI_API_KEY" not in os.environ:
        sys.exit("--model needs OPENAI_API_KEY")
    real = init_chat_model(model)
    return lambda role: real


def _tasks(arguments: argparse.Namespace) -> list[Any]:
    start = {"messages": [("user", "Write the notes for release 2.4")]}
    answer: Command[str] = Command(resume=arguments.decision)
    if arguments.resume:
        return [answer]
    return [start] if arguments.until_approval else [start, answer]


def _show(update: dict[str, Any]) -> None:
    name = next(iter(update))
    print("waiting for a human" if name == "__interrupt__" else f"finished {name}")


def _play(graph: Graph, task: Any, config: RunnableConfig, mode: str) -> None:
    if mode == "invoke":
        graph.invoke(task, config)
        return
    for update in graph.stream(task, config, stream_mode="updates"):
        _show(update)


async def _aplay(graph: Graph, task: Any, config: RunnableConfig, mode: str) -> None:
    if mode == "ainvoke":
        await graph.ainvoke(task, config)
        return
    async for update in graph.astream(task, config, stream_mode="updates"):
        _show(update)


def _run(arguments: argparse.Namespace, config: RunnableConfig) -> dict[str, Any]:
    with SqliteSaver.from_conn_string(str(arguments.db)) as saver:
        graph = build(_models(arguments.model, arguments.pace), saver, arguments.pace)
        for task in _tasks(arguments):
            _play(graph, task, config, arguments.mode)
        return dict(graph.get_state(config).values)


async def _arun(arguments: argparse.Namespace, config: RunnableConfig) -> dict[str, Any]:
    async with AsyncSqliteSaver.from_conn_string(str(arguments.db)) as saver:
        graph = build(_models(arguments.model, arguments.pace), saver, arguments.pace)
        for task in _tasks(arguments):
            await _aplay(graph, task, config, arguments.mode)
        return dict((await graph.aget_state(config)).values)


def _report(values: dict[str, Any], thread: str) -> str:
    if "published" not in values:
        return f"{values['draft']}\n\nWaiting for approval; go on with --resume {thread}"
    return values["published"] or "Rejected: nothing was published."


def main() -> None:
    """Run the crew and print what came of it."""
    arguments = _arguments()
    thread = arguments.resume or arguments.thread
    config: RunnableConfig = {"configurable": {"thread_id": thread}}
    is_async = arguments.mode.startswith("a")
    values = asyncio.run(_arun(arguments, config)) if is_async else _run(arguments, config)
    print(_report(values, thread))


if __name__ == "__main__":
    main()
