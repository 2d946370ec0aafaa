"""Runs, plans and questions as a client sees them, without the content of runs; must not know where rows are from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from otel_agents.runtime.flex.frames import timestamp
from otel_agents.runtime.flex.store import NodeRow, QuestionRow, RunRow, RunSummary


def run(row: RunSummary) -> dict[str, Any]:
    """Return what a list of runs shows."""
    return {
        "runId": row.run_id,
        "correlationId": row.correlation_id,
        "clientId": row.client_id or None,
        "name": row.name,
        "status": row.status,
        "reason": row.reason,
        "planVersion": row.plan_version,
        "lastSeq": row.last_seq,
        "segments": row.epoch,
        "createdAt": _moment(row.created_at),
        "updatedAt": _moment(row.updated_at),
        "finishedAt": _moment(row.finished_at),
    }


def details(
    row: RunRow, graph: Mapping[str, Any] | None, nodes: Mapping[str, NodeRow], asked: Iterable[QuestionRow]
) -> dict[str, Any]:
    """Return what is known of one run beside that: states and names, no inputs, outputs or messages."""
    planned = graph["nodes"] if graph else []
    return {
        "owner": row.owner,
        "leaseUntil": _moment(row.lease_until),
        "cancelSource": row.cancel_source,
        "errorCode": row.error["code"] if row.error else None,
        "nodes": [_node(each, nodes.get(each["id"])) for each in planned],
        "questions": [{**_question(each), "answeredBy": each.by} for each in asked],
    }


def question(row: QuestionRow) -> dict[str, Any]:
    """Return what an operator sees of a question that is open."""
    return {**_question(row), "correlationId": row.correlation_id, "prompt": row.prompt}


def _question(row: QuestionRow) -> dict[str, Any]:
    return {
        "requestId": row.id,
        "runId": row.run_id,
        "nodeId": row.node_id,
        "capabilityId": row.capability_id,
        "origin": row.origin,
        "planVersion": row.plan_version,
        "facetProvenance": row.provenance,
        "askedAt": _moment(row.asked_at),
        "expiresAt": _moment(row.expires_at),
        "decision": row.decision,
        "answeredAt": _moment(row.answered_at),
    }


def _node(planned: Mapping[str, Any], row: NodeRow | None) -> dict[str, Any]:
    return {
        "id": planned["id"],
        "capabilityId": planned["capabilityId"],
        "label": planned["label"],
        "kind": planned["kind"],
        "dependsOn": planned["dependsOn"],
        "status": row.status if row else "pending",
        "attempts": row.attempts if row else 0,
        "errorCode": row.error["code"] if row and row.error else None,
    }


def _moment(seconds: float | None) -> str | None:
    return None if seconds is None else timestamp(datetime.fromtimestamp(seconds, UTC))
