"""A gateway: a message that starts a run by a rule, one that is ignored, a call, and a close."""

from __future__ import annotations

import itertools
from typing import Any

from otel_agents.runtime.gateway import Gateway, Request
from tests.adapters.gateways import RULES, message
from tests.transparency.step import Here


async def _day(here: Here) -> Any:
    async def clerk(request: Request) -> str:
        return await here.later(f"clerk on {request.text}")

    ids = itertools.count(1)
    desk = Gateway(
        {"clerk": clerk, "slow": clerk, "broken": clerk},
        RULES,
        name="front",
        new_id=lambda: f"g-{next(ids)}",
        clock=lambda: 1000.0,
    )
    try:
        told: list[Any] = [
            await desk.receive(message("mail", "a refund")),
            await desk.receive(message("mail", "hello")),
            await desk.receive(message("mail", "a refund", "ada")),
        ]
        sent = await desk.call("agent.send", {"agent": "clerk", "message": "how is it going?"})
        return [*told, sent, await desk.call("agent.wait", {"runId": sent["runId"]})]
    finally:
        here.tell("the desk closes")
        await desk.close()


SYNC: dict[str, Any] = {}
ASYNC = {"day": _day}
