"""A program in which all goes wrong, or nothing: `python misbehaving.py bad` or `quiet`; a line silences it.

It speaks through the manual API, as an orchestrator of a user's own would, and has a real team hand over. It stays
alive until it is ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import sys
import threading
import time
from collections.abc import Callable
from typing import cast

from opentelemetry._logs import get_logger_provider
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import get_tracer_provider

import otel_agents
from otel_agents import guard, record
from otel_agents.runtime.yolo import Agent, Handoff, Orchestrator, Turn

TICK_S = 0.25
MANY = 520  # more label sets than an instrument takes
FLOOD = 1200  # more events than may wait for a listener
CANCEL_MS = 7000.0


def endless() -> None:
    """Have a run active that does nothing, in a thread that ends with the program."""

    def stand_still() -> None:
        with otel_agents.run("endless"):
            threading.Event().wait()

    threading.Thread(target=stand_still, daemon=True).start()


def once() -> None:
    """Overflow labels, be too slow for events, and raise inside of otel-agents."""
    for number in range(MANY):
        record.reaction_matched(rule=f"rule-{number}")
    go_on = threading.Event()
    leave = otel_agents.subscribe(lambda _: (go_on.wait(), None)[1])
    for _ in range(FLOOD):
        record.log(message="flood")
    go_on.set()
    leave()
    guard.run("proof", [].pop)
    endless()


def ask(number: int) -> None:
    """Ask a human who never answers."""
    with otel_agents.run("approval", thread_id=f"thread-{number}") as run:
        run.ask(f"question-{number}")


def fail() -> None:
    """Fail a run."""
    with contextlib.suppress(ValueError), otel_agents.run("doomed"):
        raise ValueError


def team(handoffs: int) -> Orchestrator:
    """Return two agents that hand over to each other so often, and do nothing between."""

    def to(other: str) -> Callable[[Turn], Handoff | str]:
        return lambda turn: Handoff(other, turn.task + 1) if turn.task < handoffs else "done"

    return Orchestrator([Agent("coder", to("reviewer")), Agent("reviewer", to("coder"))])


def hand_over(who: Orchestrator) -> None:
    """Have a team work on something."""
    asyncio.run(who.run("bugfix", 0, steps=["coder"]))


def bad(number: int) -> None:
    """Do everything wrong that an alert is about."""
    record.agent_error("coder", "ValueError", "high")
    record.safety_block("coder", "deploy")
    record.context_tokens("hoarder", 9500)
    record.context_tokens("grower", min(5000 + 20 * number, 9000))
    for attempt in range(3):
        record.node_retry(attempt + 1, "TimeoutError", capability="search")
    record.validation_error("output", 3)
    record.cancel_acknowledged("operator", CANCEL_MS)
    record.plan_requested("initial")
    record.plan_rejected(1)
    fail()
    hand_over(TO_AND_FRO)
    if number % 4 == 0:
        ask(number)


def quiet(_: int) -> None:
    """Do the same kinds of things well."""
    with otel_agents.run("fine", thread_id="thread-1") as run:
        record.plan_requested("initial")
        record.plan_generated(1, 2)
        with otel_agents.node("search", kind="tool"):
            pass
        run.ask("question-1")
        run.answer("question-1", "approved")
        record.validation_error("output", 0)
        record.context_tokens("coder", 3000)
        record.cancel_acknowledged("operator", 20.0)
    hand_over(ONCE)


TO_AND_FRO, ONCE = team(4), team(1)
WORK: dict[str, tuple[Callable[[], None], Callable[[int], None]]] = {"bad": (once, bad), "quiet": (lambda: None, quiet)}


def silence() -> None:
    """Send neither spans nor log records any more, as with an exporter that is broken; metrics go on."""
    cast("TracerProvider", get_tracer_provider()).shutdown()
    cast("LoggerProvider", get_logger_provider()).shutdown()


def main() -> None:
    """Work, in silence from the first line on, until there is nothing more to read."""
    before, tick = WORK[sys.argv[1]]
    logging.basicConfig()  # what the SDK gives up, it says there

    def work() -> None:
        before()
        for number in itertools.count():
            time.sleep(TICK_S)
            tick(number)

    threading.Thread(target=work, daemon=True).start()
    print("ready", flush=True)  # noqa: T201
    sys.stdin.readline()
    silence()
    sys.stdin.read()


if __name__ == "__main__":
    main()
