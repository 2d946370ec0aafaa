"""What is healthy, by rules, and what probes are told; must not know how the facts were come by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from otel_agents.bus.event import to_json
from otel_agents.serve.observation import Observation
from otel_agents.serve.vitals import Context, Vital
from otel_agents.signals.metrics.process import Process

MEGABYTE: Final = 1_000_000
HEALTHY, DEGRADED, UNHEALTHY = "healthy", "degraded", "unhealthy"
SOME_ERRORS: Final = 5
MANY_ERRORS: Final = 50
HIGH: Final = 0.8
FULL: Final = 1.0
AT_WORK: Final = (None, "active")  # modes in which new work is taken


@dataclass(frozen=True, slots=True)
class Facts:
    """What the rules look at."""

    errors: int
    fullest: float
    missing: int
    own_errors: int
    is_unwritten: bool


@dataclass(frozen=True, slots=True)
class Rule:
    """What makes it less than healthy, in words, and when that holds."""

    status: str
    reason: str
    holds: Callable[[Facts], bool]


RULES: Final = (
    Rule(UNHEALTHY, f"{MANY_ERRORS} errors or more in the last hour", lambda f: f.errors >= MANY_ERRORS),
    Rule(UNHEALTHY, "an agent's context is full", lambda f: f.fullest >= FULL),
    Rule(DEGRADED, f"{SOME_ERRORS} errors or more in the last hour", lambda f: SOME_ERRORS <= f.errors < MANY_ERRORS),
    Rule(DEGRADED, f"an agent's context is {HIGH:.0%} full", lambda f: HIGH <= f.fullest < FULL),
    Rule(DEGRADED, "patch points are missing, so that less is seen", lambda f: f.missing > 0),
    Rule(DEGRADED, "the audit cannot be written", lambda f: f.is_unwritten),
    Rule(DEGRADED, "telemetry swallowed errors of its own", lambda f: f.own_errors > 0),
)


class Health:
    """The endpoints about health."""

    def __init__(self, observation: Observation) -> None:
        self._observation = observation
        self._process = Process()

    async def whole(self, request: Request) -> Response:
        """Return all that is known; the status is in the body."""
        return Response(to_json(self.report()), media_type="application/json")  # whatever agents are called

    async def live(self, request: Request) -> JSONResponse:
        """Say that the server answers: to be restarted for less would end the work that still goes on."""
        return JSONResponse({"status": "live"})

    async def ready(self, request: Request) -> JSONResponse:
        """Say whether new work should come: not while unhealthy, paused, switched off or about to stop."""
        report, observation = self.report(), self._observation
        is_ready = report["status"] != UNHEALTHY and report["mode"] in AT_WORK and observation.is_ready()
        is_ready = is_ready and observation.is_open
        return JSONResponse({"status": "ready" if is_ready else "not ready"}, 200 if is_ready else 503)

    def report(self) -> dict[str, object]:
        """Return the health of the process and of what it runs."""
        vital, telemetry = self._observation.vitals.look(), self._observation.telemetry()
        points, own_errors = _counts(telemetry, "patch_points"), _counts(telemetry, "errors")
        known = facts(vital, telemetry)
        broken = [rule for rule in RULES if rule.holds(known)]
        memory_bytes = self._process.look().memory_bytes
        return {
            "status": broken[0].status if broken else HEALTHY,
            "reasons": [rule.reason for rule in broken],
            "mode": vital.mode,
            "current_agent": vital.current_agent,
            "uptime_seconds": round(vital.uptime_s, 3),
            "errors_last_hour": vital.errors_last_hour,
            "memory_usage_mb": None if memory_bytes is None else round(memory_bytes / MEGABYTE, 3),
            "context_health": _context_health(vital.contexts),
            "patch_points": points,
            "dropped_events": self._observation.hub.dropped | _counts(telemetry, "dropped_events"),
            "failed_subscribers": self._observation.hub.failed,
            "own_errors": own_errors,
            "audit": telemetry.get("audit"),
            "clients": self._observation.board.clients(),
        }


def facts(vital: Vital, telemetry: Mapping[str, object]) -> Facts:
    """Return what the rules look at."""
    points, audit = _counts(telemetry, "patch_points"), _counts(telemetry, "audit")
    return Facts(
        errors=vital.errors_last_hour,
        fullest=max((context.used or 0.0 for context in vital.contexts.values()), default=0.0),
        missing=sum(states.get("missing", 0) for states in points.values() if isinstance(states, dict)),
        own_errors=len(_counts(telemetry, "errors")),
        is_unwritten=audit.get("writing") is False,
    )


def _context_health(contexts: Mapping[str, Context]) -> dict[str, object]:
    known = [context.used for context in contexts.values() if context.used is not None]
    agents = {
        name: {
            "items": each.items,
            "tokens": each.tokens,
            "limit": each.limit,
            "used": each.used,
            "status": _word(each),
        }
        for name, each in contexts.items()
    }
    fullest = max(known, default=None)
    return {"status": _word(Context(None, fullest, 1)), "agents": agents}


def _word(context: Context) -> str:
    used = context.used
    if used is None:
        return "unknown"
    return "full" if used >= FULL else "high" if used >= HIGH else "ok"


def _counts(telemetry: Mapping[str, object], name: str) -> dict[str, object]:
    found = telemetry.get(name)
    return dict(found) if isinstance(found, Mapping) else {}
