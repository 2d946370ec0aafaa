from __future__ import annotations

import math

import httpx
import pytest

from otel_agents.bus.hub import Hub
from otel_agents.serve import health
from tests.bus.making import event
from tests.serve.serving import Served, serving


def get(served: Served, path: str, **headers: str) -> httpx.Response:
    served.hub.flush()
    return httpx.get(f"{served.url}{path}", headers=headers)


def fail(served: Served, times: int) -> None:
    for _ in range(times):
        served.hub.publish(event("complete", status="failed"))


def fill(served: Served, tokens: int) -> None:
    served.hub.publish(event("context_refreshed", payload={"agent": "a", "items": 1, "tokens": tokens, "limit": 100}))


def test_the_report_has_every_field(served) -> None:
    """All fields of the contract are there, in the words of the contract, from the first request on."""
    report = get(served, "/health").json()

    assert list(report) == [
        "status", "reasons", "mode", "current_agent", "uptime_seconds", "errors_last_hour", "memory_usage_mb",
        "context_health", "patch_points", "dropped_events", "failed_subscribers",
        "own_errors", "audit",
        "clients",
    ]  # fmt: skip
    assert (report["status"], report["reasons"], report["mode"], report["current_agent"]) == ("healthy", [], None, None)
    assert report["context_health"] == {"status": "unknown", "agents": {}}
    assert 0 < report["uptime_seconds"] < 60
    assert 10 < report["memory_usage_mb"] < 10_000


def test_the_report_is_taken_from_the_stream(served) -> None:
    """Mode, agent, errors and contexts are what the events said."""
    served.hub.publish(event("mode_changed", payload={"mode": "active"}))
    served.hub.publish(event("agent_status", payload={"agent": "planner", "status": "active"}))
    fail(served, 1)
    fill(served, 50)
    report = get(served, "/health").json()

    assert (report["mode"], report["current_agent"], report["errors_last_hour"]) == ("active", "planner", 1)
    assert report["context_health"] == {
        "status": "ok",
        "agents": {"a": {"items": 1, "tokens": 50, "limit": 100, "used": 0.5, "status": "ok"}},
    }


@pytest.mark.parametrize(
    "told", [math.nan, math.inf, -1, 10**400, "many", True], ids=["nan", "inf", "less", "huge", "text", "bool"]
)
def test_an_amount_that_is_none_leaves_what_was_known(served, told) -> None:
    """And the report can be read, whatever a program tells, and however it calls its agents."""
    fill(served, 50)
    payload = {"agent": "a", "items": told, "tokens": told, "limit": told}
    served.hub.publish(event("context_refreshed", payload=payload))
    served.hub.publish(event("context_refreshed", payload={**payload, "agent": "\ud800", "items": 2}))

    assert get(served, "/health").json()["context_health"] == {
        "status": "ok",
        "agents": {
            "a": {"items": 1, "tokens": 50, "limit": 100, "used": 0.5, "status": "ok"},
            "\ud800": {"items": 2, "tokens": None, "limit": None, "used": None, "status": "unknown"},
        },
    }


@pytest.mark.parametrize(
    ("failures", "tokens", "status"),
    [
        (4, 79, "healthy"),
        (5, 0, "degraded"),
        (0, 80, "degraded"),
        (49, 99, "degraded"),
        (50, 0, "unhealthy"),
        (0, 100, "unhealthy"),
        (0, 140, "unhealthy"),
    ],
)
def test_status_follows_the_rules(served, failures, tokens, status) -> None:
    """Each rule holds from its threshold on; unhealthy goes before degraded, and every reason is named."""
    fail(served, failures)
    fill(served, tokens)
    report = get(served, "/health").json()

    assert report["status"] == status
    assert bool(report["reasons"]) == (status != "healthy")
    assert get(served, "/health/ready").status_code == (503 if status == "unhealthy" else 200)
    assert get(served, "/health/live").status_code == 200


def test_missing_patch_points_and_own_errors_degrade() -> None:
    """What makes less be seen is said; what a slow client missed is only reported."""
    telemetry = {"patch_points": {"flex": {"missing": 1}}, "errors": {"spans": 2}, "dropped_events": {"events": 7}}
    with serving(telemetry=lambda: telemetry) as served:
        report = get(served, "/health").json()

    assert report["status"] == "degraded"
    assert len(report["reasons"]) == 2
    assert (report["patch_points"], report["own_errors"]) == ({"flex": {"missing": 1}}, {"spans": 2})
    assert report["dropped_events"] == {"events": 7}


def test_an_audit_that_is_not_written_degrades() -> None:
    """The audit's own report is passed on; without an audit there is none, and nothing is wrong."""
    audit = {"file": "/var/log/audit-1.jsonl", "writing": True, "written": 3, "lost": 0}
    with serving(telemetry=lambda: {"audit": audit}) as served:
        first = get(served, "/health").json()
        audit |= {"writing": False, "lost": 2}
        second = get(served, "/health").json()

    assert (first["status"], first["audit"]["written"]) == ("healthy", 3)
    assert (second["status"], second["reasons"]) == ("degraded", ["the audit cannot be written"])
    assert second["audit"] == audit


@pytest.mark.parametrize(("mode", "status"), [("active", 200), ("paused", 503), ("off", 503)])
def test_ready_means_new_work_is_taken(served, mode, status) -> None:
    """A paused orchestrator lives and is not ready."""
    served.hub.publish(event("mode_changed", payload={"mode": mode}))

    assert get(served, "/health/ready").status_code == status
    assert get(served, "/health/live").status_code == 200


def test_ready_asks_the_server_too() -> None:
    """A server that waits for its database says so."""
    with serving(is_ready=lambda: False) as served:
        assert get(served, "/health/ready").status_code == 503
        assert get(served, "/health/live").status_code == 200


def test_not_ready_once_it_closes(served) -> None:
    """Who is about to stop takes no more work."""
    served.observation.close()

    assert get(served, "/health/ready").status_code == 503


def test_probes_tell_nothing_and_need_no_token() -> None:
    """Without the token there is a word and a status; the report needs the token."""
    with serving(Hub(), token="t0ken") as served:
        assert get(served, "/health/live").json() == {"status": "live"}
        assert get(served, "/health/ready").json() == {"status": "ready"}
        assert get(served, "/health").status_code == 401
        assert get(served, "/health", Authorization="Bearer t0ken").status_code == 200


def test_rules_are_said_in_the_docs() -> None:
    """The reference page has every rule's words."""
    from pathlib import Path

    page = (Path(__file__).parents[2] / "docs/reference/http.md").read_text(encoding="utf-8")

    assert [rule.reason for rule in health.RULES if rule.reason not in page] == []
