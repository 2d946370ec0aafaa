"""The calls of a gateway's own interface, as plain data in and out; must not know how they travel."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from otel_agents.runtime.gateway.messages import GatewayError

if TYPE_CHECKING:
    from otel_agents.runtime.gateway.gateway import Gateway

API: Final = "api"

Params = Mapping[str, Any]
Method = Callable[["Gateway", Params], Awaitable[dict[str, Any]]]


def text(params: Params, name: str, default: str | None = None) -> str:
    """Return a parameter.

    Raises:
        GatewayError: It is no text, or missing.
    """
    value = params.get(name, default)
    if not isinstance(value, str) or (default is None and not value):
        raise GatewayError("invalid_params", f"{name} has to be a text")
    return value


async def _send(gateway: Gateway, params: Params) -> dict[str, Any]:
    run = gateway.send(
        text(params, "agent"),
        text(params, "message"),
        session=text(params, "session", "main"),
        correlation_id=text(params, "correlationId", ""),
    )
    return {"runId": run.id, "session": run.session.key, "status": run.status}


async def _wait(gateway: Gateway, params: Params) -> dict[str, Any]:
    run = gateway.find(text(params, "runId"))
    reply = await gateway.wait(run)
    return {"runId": run.id, "status": run.status, "text": reply.text, "error": reply.reason}


async def _cancel(gateway: Gateway, params: Params) -> dict[str, Any]:
    run = gateway.find(text(params, "runId"))
    return {"runId": run.id, "requested": run.cancel(text(params, "source", API))}


async def _stop(gateway: Gateway, params: Params) -> dict[str, Any]:
    key = text(params, "session")
    session = gateway.sessions.find(key)
    if session is None:
        raise GatewayError("not_found", f"there is no session {key!r}")
    return {"session": key, "stopped": gateway.stop(session, text(params, "source", API))}


async def _sessions(gateway: Gateway, params: Params) -> dict[str, Any]:
    return {
        "sessions": [
            {"session": each.key, "channel": each.channel, "turns": len(each.history), "runs": len(each.runs)}
            for each in gateway.sessions.all()
        ]
    }


METHODS: Final[Mapping[str, Method]] = MappingProxyType(
    {
        "agent.send": _send,
        "agent.wait": _wait,
        "run.cancel": _cancel,
        "session.stop": _stop,
        "session.list": _sessions,
    }
)
