# The types of record.py, written by docs/generate.py from the vocabulary: change that instead.

from collections.abc import Sequence

__all__ = [
    "agent_error",
    "agent_status",
    "cancel_acknowledged",
    "cancel_requested",
    "complete",
    "context_refreshed",
    "context_tokens",
    "decision",
    "delivery_completed",
    "delivery_started",
    "gate_checked",
    "handoff",
    "hitl_request",
    "hitl_resolved",
    "iteration_completed",
    "iteration_started",
    "log",
    "mode_changed",
    "node_complete",
    "node_error",
    "node_retry",
    "node_start",
    "phase_completed",
    "phase_started",
    "plan_generated",
    "plan_rejected",
    "plan_requested",
    "plan_updated",
    "policy_triggered",
    "policy_update",
    "reaction_matched",
    "reaction_skipped",
    "safety_block",
    "start",
    "state_loaded",
    "state_saved",
    "validation_error",
    "workflow_finished",
]

def start(
    name: str | None = None,
    thread_id: str | None = None,
    strategy: str | None = None,
    max_iterations: int | None = None,
    resumed: bool | None = None,
    goal: str | None = None,
    duration_s: float | None = None,
    *,
    outcome: str = "ok",
) -> None: ...
def complete(
    status: str | None = None,
    reason: str | None = None,
    error_type: str | None = None,
    error: str | None = None,
    iterations: int | None = None,
    metrics: object | None = None,
    duration_s: float | None = None,
    *,
    outcome: str = "ok",
) -> None: ...
def plan_requested(
    phase: str | None = None,
    attempt: int | None = None,
    duration_s: float | None = None,
    *,
    outcome: str = "ok",
) -> None: ...
def plan_rejected(
    attempt: int | None = None,
    diagnostic_count: int | None = None,
    codes: Sequence[str] | None = None,
    duration_s: float | None = None,
    *,
    outcome: str = "ok",
) -> None: ...
def plan_generated(
    version: int | None = None,
    node_count: int | None = None,
    nodes: object | None = None,
    duration_s: float | None = None,
    *,
    outcome: str = "ok",
) -> None: ...
def plan_updated(
    previous_version: int | None = None,
    version: int | None = None,
    trigger: str | None = None,
    duration_s: float | None = None,
    *,
    outcome: str = "ok",
) -> None: ...
def node_start(
    kind: str | None = None,
    label: str | None = None,
    node_id: str | None = None,
    capability: str | None = None,
    duration_s: float | None = None,
    *,
    outcome: str = "ok",
) -> None: ...
def node_complete(
    kind: str | None = None,
    attempts: int | None = None,
    node_id: str | None = None,
    capability: str | None = None,
    duration_s: float | None = None,
    *,
    outcome: str = "ok",
) -> None: ...
def node_error(
    attempt: int | None = None,
    error_type: str | None = None,
    error: str | None = None,
    node_id: str | None = None,
    capability: str | None = None,
    duration_s: float | None = None,
    *,
    outcome: str = "ok",
) -> None: ...
def node_retry(
    attempt: int | None = None,
    error_type: str | None = None,
    node_id: str | None = None,
    capability: str | None = None,
    duration_s: float | None = None,
    *,
    outcome: str = "ok",
) -> None: ...
def policy_triggered(
    policy_id: str | None = None,
    trigger: str | None = None,
    action: str | None = None,
    duration_s: float | None = None,
    *,
    outcome: str = "ok",
) -> None: ...
def policy_update(
    policy_id: str | None = None,
    duration_s: float | None = None,
    *,
    outcome: str = "ok",
) -> None: ...
def hitl_request(
    request_id: str | None = None,
    origin: str | None = None,
    pending_node_id: str | None = None,
    duration_s: float | None = None,
    *,
    outcome: str = "ok",
) -> None: ...
def hitl_resolved(
    request_id: str | None = None,
    decision: str | None = None,
    wait_ms: float | None = None,
    duration_s: float | None = None,
    *,
    outcome: str = "ok",
) -> None: ...
def validation_error(
    scope: str | None = None,
    error_count: int | None = None,
    attempt: int | None = None,
    retried: bool | None = None,
    duration_s: float | None = None,
    *,
    outcome: str = "ok",
) -> None: ...
def iteration_started(
    iteration: int | None = None,
    max_iterations: int | None = None,
    feedback: str | None = None,
    duration_s: float | None = None,
    *,
    outcome: str = "ok",
) -> None: ...
def iteration_completed(
    iteration: int | None = None,
    success: bool | None = None,
    phase_timings: object | None = None,
    gate_results: object | None = None,
    duration_s: float | None = None,
    *,
    outcome: str = "ok",
) -> None: ...
def phase_started(
    iteration: int | None = None,
    phase: str | None = None,
    duration_s: float | None = None,
    *,
    outcome: str = "ok",
) -> None: ...
def phase_completed(
    iteration: int | None = None,
    phase: str | None = None,
    success: bool | None = None,
    duration_s: float | None = None,
    *,
    outcome: str = "ok",
) -> None: ...
def gate_checked(
    iteration: int | None = None,
    gate: str | None = None,
    passed: bool | None = None,
    duration_s: float | None = None,
    *,
    outcome: str = "ok",
) -> None: ...
def delivery_started(
    duration_s: float | None = None,
    *,
    outcome: str = "ok",
) -> None: ...
def delivery_completed(
    success: bool | None = None,
    pr_url: str | None = None,
    ci_status: str | None = None,
    duration_s: float | None = None,
    *,
    outcome: str = "ok",
) -> None: ...
def cancel_requested(
    source: str | None = None,
    duration_s: float | None = None,
    *,
    outcome: str = "ok",
) -> None: ...
def cancel_acknowledged(
    source: str | None = None,
    latency_ms: float | None = None,
    duration_s: float | None = None,
    *,
    outcome: str = "ok",
) -> None: ...
def reaction_matched(
    rule: str | None = None,
    sender: str | None = None,
    filter_summary: str | None = None,
    duration_s: float | None = None,
    *,
    outcome: str = "ok",
) -> None: ...
def reaction_skipped(
    reason: str | None = None,
    candidate_count: int | None = None,
    duration_s: float | None = None,
    *,
    outcome: str = "ok",
) -> None: ...
def handoff(
    from_agent: str | None = None,
    to_agent: str | None = None,
    duration_s: float | None = None,
    *,
    outcome: str = "ok",
) -> None: ...
def decision(
    agent: str | None = None,
    decision_type: str | None = None,
    duration_s: float | None = None,
    *,
    outcome: str = "ok",
) -> None: ...
def safety_block(
    agent: str | None = None,
    decision_type: str | None = None,
    duration_s: float | None = None,
    *,
    outcome: str = "ok",
) -> None: ...
def agent_error(
    agent: str | None = None,
    error_type: str | None = None,
    severity: str | None = None,
    duration_s: float | None = None,
    *,
    outcome: str = "ok",
) -> None: ...
def agent_status(
    agent: str | None = None,
    status: str | None = None,
    duration_s: float | None = None,
    *,
    outcome: str = "ok",
) -> None: ...
def mode_changed(
    mode: str | None = None,
    duration_s: float | None = None,
    *,
    outcome: str = "ok",
) -> None: ...
def context_refreshed(
    agent: str | None = None,
    items: int | None = None,
    tokens: int | None = None,
    limit: int | None = None,
    duration_s: float | None = None,
    *,
    outcome: str = "ok",
) -> None: ...
def workflow_finished(
    workflow: str | None = None,
    success: bool | None = None,
    duration_s: float | None = None,
    *,
    outcome: str = "ok",
) -> None: ...
def state_saved(
    size_bytes: int | None = None,
    duration_s: float | None = None,
    *,
    outcome: str = "ok",
) -> None: ...
def state_loaded(
    duration_s: float | None = None,
    *,
    outcome: str = "ok",
) -> None: ...
def log(
    message: str | None = None,
    duration_s: float | None = None,
    *,
    outcome: str = "ok",
) -> None: ...
def context_tokens(agent: str, tokens: int) -> None: ...
