"""A front desk: messages come over channels, calls over the gateway itself, agents answer, and people stop them.

    python app.py                                  # a short day, every kind of message once
    python app.py --window channel --runs 300      # much of one kind: messages over channels ...
    python app.py --window gateway --runs 300      # ... or calls, some of which are cancelled

No key and no network needed: small functions play the agents. The same seed sends the same messages and calls.
"""

from __future__ import annotations

import argparse
import asyncio
import random
from collections import Counter

from otel_agents.runtime.gateway import Gateway, Message, Reply, Request, Rule

RULES = (
    Rule(name="refund", agent="clerk", channels=frozenset({"mail", "chat"}), pattern=r"\brefund\b", cooldown_s=30.0),
    Rule(name="report", agent="analyst", channels=frozenset({"chat"}), senders=frozenset({"ada"}), pattern="report"),
    Rule(name="night-shift", agent="clerk", channels=frozenset({"pager"}), enabled=False),
)
TEXTS = ("I want a refund", "the weekly report, please", "hello", "what about my refund?", "a report on tides")
SENDERS = ("ada", "bob", "cho", "dee")
CHANNELS = ("mail", "chat", "pager", "fax")
CANCELLED = 0.2  # of the calls


class Desk:
    """The agents, and how long they take."""

    def __init__(self, pace: float) -> None:
        self._pace = pace

    async def clerk(self, request: Request) -> str:
        await asyncio.sleep(self._pace)
        return f"Noted ({len(request.history)} before): {request.text}"

    async def analyst(self, request: Request) -> str:
        await asyncio.sleep(self._pace * 4)
        return f"The report on {request.text.rpartition(' ')[2]} is ready."

    def printer(self, request: Request) -> str:
        """Take long, in a thread, and look now and then whether to stop."""
        for _ in range(20):
            request.cancel.check()
            request.cancel.wait(self._pace)
        raise ConnectionError("the printer did not answer")


def build(pace: float) -> Gateway:
    """Return the gateway; `pace` is how long the quickest agent takes, in seconds."""
    desk = Desk(pace)
    agents = {"clerk": desk.clerk, "analyst": desk.analyst, "printer": desk.printer}
    return Gateway(agents, RULES, name="front-desk")


def said(who: str, reply: Reply) -> str:
    return f"{who}: {reply.status} {reply.text or reply.reason}".rstrip()


async def day(gateway: Gateway) -> list[str]:
    """Return what is said on a short day."""
    told = []
    for channel, sender, text in (
        ("mail", "bob", "I want a refund"),
        ("mail", "bob", "a refund, now!"),
        ("chat", "ada", "the weekly report, please"),
        ("chat", "bob", "the weekly report, please"),
        ("pager", "cho", "fire"),
        ("fax", "dee", "hello"),
    ):
        told.append(said(f"{sender} by {channel}", await gateway.receive(_message(channel, sender, text))))
    asked = asyncio.ensure_future(gateway.receive(_message("chat", "ada", "a report on tides")))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    told.append(said("ada by chat", await gateway.receive(_message("chat", "ada", "/stop"))))
    told.append(said("ada by chat", await asked))
    for agent in ("clerk", "printer"):
        sent = await gateway.call("agent.send", {"agent": agent, "message": "make three copies"})
        over = await gateway.call("agent.wait", {"runId": sent["runId"]})
        told.append(f"call: {over['status']} {over['text'] or over['error']}")
    return told


async def channel_window(gateway: Gateway, runs: int, chance: random.Random) -> Counter[str]:
    """Messages of many people over all channels; returns how they were answered."""
    found: Counter[str] = Counter()
    for number in range(runs):
        channel, sender, text = chance.choice(CHANNELS), chance.choice(SENDERS), chance.choice(TEXTS)
        reply = await gateway.receive(_message(channel, sender, text, f"talk-{number % 40}"))
        found[reply.status] += 1
    return found


async def gateway_window(gateway: Gateway, runs: int, chance: random.Random) -> Counter[str]:
    """Calls to all agents, a fifth of which are cancelled; returns how the runs ended."""
    found: Counter[str] = Counter()
    for number in range(runs):
        agent = chance.choice(("clerk", "clerk", "analyst", "printer"))
        sent = await gateway.call("agent.send", {"agent": agent, "message": "go", "session": f"job-{number % 40}"})
        if chance.random() < CANCELLED:
            await asyncio.sleep(0)
            await gateway.call("run.cancel", {"runId": sent["runId"]})
        found[(await gateway.call("agent.wait", {"runId": sent["runId"]}))["status"]] += 1
    return found


def _message(channel: str, sender: str, text: str, conversation: str = "") -> Message:
    return Message(channel=channel, sender=sender, text=text, conversation=conversation)


async def _play(arguments: argparse.Namespace) -> list[str]:
    gateway, chance = build(arguments.pace), random.Random(arguments.seed)
    try:
        if arguments.window is None:
            return await day(gateway)
        play = channel_window if arguments.window == "channel" else gateway_window
        found = await play(gateway, arguments.runs, chance)
        return [f"{status}: {count}" for status, count in sorted(found.items())]
    finally:
        await gateway.close()


def main() -> None:
    """Play a day, or a window of one kind, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    option = parser.add_argument
    option("--pace", type=float, default=0.01, help="seconds the quickest agent takes")
    option("--window", choices=("channel", "gateway"), help="play much of one kind")
    option("--runs", type=int, default=100, help="messages or calls of a window")
    option("--seed", type=int, default=7, help="of the chance in a window")
    print("\n".join(asyncio.run(_play(parser.parse_args()))))


if __name__ == "__main__":
    main()
