"""Host programs of the tests: a gateway with a few agents and rules; they know nothing of telemetry."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping
from typing import Any

from otel_agents.runtime.gateway import Agent, Gateway, Message, Reply, Request, Rule

RULES = (
    Rule(name="refund", agent="clerk", channels=frozenset({"mail"}), pattern=r"\brefund\b", cooldown_s=60),
    Rule(name="boss", agent="clerk", channels=frozenset({"mail", "chat"}), senders=frozenset({"ada"})),
    Rule(name="night", agent="slow", channels=frozenset({"chat"}), enabled=False),
    Rule(name="wait", agent="slow", channels=frozenset({"desk"})),
    Rule(name="break", agent="broken", channels=frozenset({"lab"})),
)


async def clerk(request: Request) -> str:
    await asyncio.sleep(0)
    return f"{len(request.history)}: {request.text}"


async def slow(request: Request) -> str:
    await asyncio.Event().wait()
    return "never"


def broken(request: Request) -> str:
    raise LookupError("no such order")


AGENTS: Mapping[str, Agent] = {"clerk": clerk, "slow": slow, "broken": broken}


def gateway(**changes: Any) -> Gateway:
    """Return a gateway whose runs are `g-1`, `g-2`, ... and whose clock stands still."""
    ids = itertools.count(1)
    known = {"name": "front-desk", "new_id": lambda: f"g-{next(ids)}", "clock": lambda: 1000.0}
    return Gateway(AGENTS, RULES, **{**known, **changes})


def message(channel: str, text: str, sender: str = "bob", **more: Any) -> Message:
    return Message(channel=channel, sender=sender, text=text, **more)


async def day(desk: Gateway) -> list[Any]:
    """One day at the desk: every way in which a message or a call can go."""
    told: list[Any] = [
        await desk.receive(message("mail", "I want a refund", correlation_id="order-17")),
        await desk.receive(message("mail", "a refund, please")),
        await desk.receive(message("mail", "a REFUND, please", "ada")),
        await desk.receive(message("mail", "hello")),
        await desk.receive(message("chat", "hello")),
        await desk.receive(message("fax", "hello")),
        await desk.receive(message("lab", "hello")),
        await stopped_by_command(desk),
    ]
    sent = await desk.call("agent.send", {"agent": "clerk", "message": "how is it going?"})
    told += [sent, await desk.call("agent.wait", {"runId": sent["runId"]})]
    sent = await desk.call("agent.send", {"agent": "slow", "message": "take your time"})
    await asyncio.sleep(0)
    told += [await desk.call("run.cancel", {"runId": sent["runId"]})]
    told += [await desk.call("agent.wait", {"runId": sent["runId"]}), await desk.call("session.list", {})]
    await desk.close()
    return told


async def stopped_by_command(desk: Gateway) -> tuple[Reply, Reply, Reply]:
    """Send /stop while one message is being answered and another waits for its turn."""
    asked = [asyncio.ensure_future(desk.receive(message("desk", text))) for text in ("first", "second")]
    for _ in range(5):
        await asyncio.sleep(0)
    stop = await desk.receive(message("desk", " /STOP "))
    first, second = await asyncio.gather(*asked)
    return stop, first, second
