"""What each declared kind tells: attributes, events, metrics, outcomes, pauses, facts."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from otel_agents.bus.event import Event
from otel_agents.testing import Telemetry
from tests.patching import acme
from tests.patching.declaring import HOST, force, written


def row(method: str, kind: str, more: str = "") -> str:
    """Return a row as it is written."""
    return f"  - {{method: 'HOST:Team.{method}', kind: {kind}{', ' if more else ''}{more}}}\n"


RUN = "  - {method: 'HOST:Team.calls', kind: run, name: job, run_id: arg.work.run_id | 'r-1'}\n"


def told(telemetry: Telemetry, *types: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the payload of each event of these types."""
    return [(event.type, dict(event.payload)) for event in telemetry.events if event.type in types]


def one(telemetry: Telemetry, type_: str) -> Event:
    """Return the one event of a type."""
    [event] = [event for event in telemetry.events if event.type == type_]
    return event


PLANNED = (
    "result: {flex.plan.version: result.version, flex.plan.node_count: len(result.items), "
    "flex.plan.nodes: {each: result.items, id: each, capabilityId: 'x'}}"
)
GATES = "{flex.iteration.gate_results: {each: result.items, gate: each, passed: true}}"
OPERATIONS = [
    (
        f"kind: plan, {PLANNED}",
        "plan_generated",
        {"version": 3, "nodeCount": 2,
         "nodes": [{"id": "a", "capabilityId": "x"}, {"id": "b", "capabilityId": "x"}]},
        "flex.planner.generated{runtime=tests}",
    ),
    ("kind: node, name: n, attributes: {flex.node.kind: tool}, result: {flex.node.attempt: 2}", "node_complete",
     {"kind": "tool", "attempts": 2}, "flex.node.duration_count{capability=n,kind=tool,outcome=ok,runtime=tests}"),
    ("kind: policy, name: p, attributes: {flex.policy.trigger: late}, result: {flex.policy.action: stop}",
     "policy_triggered", {"policyId": "p", "trigger": "late", "action": "stop"},
     "flex.policy.triggers{action=stop,policy=p,runtime=tests}"),
    ("kind: hitl, attributes: {flex.hitl.request.id: q, flex.hitl.origin: o}, result: {flex.hitl.decision: result.ok}",
     "hitl_resolved", {"requestId": "q", "decision": "approved"},
     "flex.hitl.resolved{decision=approved,runtime=tests}"),
    ("kind: validation, attributes: {flex.validation.scope: input}, outcome: {rejected_when: result.items}",
     "validation_error", {"scope": "input", "errorCount": 2, "attempt": 1},
     "flex.validation.errors{runtime=tests,scope=input}"),
    (f"kind: iteration, attributes: {{flex.iteration.number: 2}}, result: {GATES}", "iteration_completed",
     {"iteration": 2, "success": True, "gateResults": [{"gate": "a", "passed": True}, {"gate": "b", "passed": True}]},
     "flex.iteration.duration_count{outcome=ok,runtime=tests}"),
    ("kind: phase, name: build, attributes: {flex.iteration.number: 1}", "phase_completed",
     {"iteration": 1, "phase": "build", "success": True},
     "flex.phase.duration_count{outcome=ok,phase=build,runtime=tests}"),
    ("kind: gate, name: tests, result: {flex.gate.passed: result.ok}", "gate_checked",
     {"gate": "tests", "passed": True}, "flex.gate.checks{gate=tests,passed=true,runtime=tests}"),
    ("kind: gate, name: tests, outcome: {rejected_when: result.items}", "gate_checked",
     {"gate": "tests", "passed": False}, "flex.gate.checks{gate=tests,passed=false,runtime=tests}"),
    ("kind: delivery, result: {flex.delivery.pr_url: 'http://x'}", "delivery_completed",
     {"success": True, "prUrl": "http://x"}, "flex.delivery.duration_count{outcome=ok,runtime=tests}"),
    ("kind: decision, agent: self.current, name: route", "decision", {"agent": "writer", "decisionType": "route"},
     "yolo_decisions_total{agent=writer,decision_type=route}"),
    ("kind: decision, attributes: {yolo.agent: me, yolo.decision.type: arg.name}", "decision",
     {"agent": "me", "decisionType": "x"}, "yolo_decisions_total{agent=me,decision_type=x}"),
    ("kind: context_refresh, agent: me, result: {yolo.context.tokens: 5, yolo.context.items: len(result.items)}",
     "context_refreshed", {"agent": "me", "items": 2, "tokens": 5},
     "yolo_context_refresh_time_seconds_count{agent=me}"),
    ("kind: state_save, result: {yolo.state.size: 77}", "state_saved", {"sizeBytes": 77}, "yolo_state_saves_total"),
    ("kind: state_load", "state_loaded", {}, "yolo_state_load_time_seconds_count"),
]  # fmt: skip


@pytest.mark.parametrize(("row", "type_", "payload", "metric"), OPERATIONS, ids=lambda each: str(each)[:40])
def test_what_an_operation_tells(tmp_path: Path, row: str, type_: str, payload: dict[str, Any], metric: str) -> None:
    """Its event with the payload of the contract, and its metric with the runtime of the rows."""
    with force(written(tmp_path, f"  - {{method: 'HOST:Team.method', {row}}}\n")) as (telemetry, _):
        assert acme.Team().method("x") == acme.Result()
        found = dict(one(telemetry, type_).payload)
        assert {name: value for name, value in found.items() if name != "waitMs"} == payload
        assert telemetry.metrics()[metric] >= 1


def test_a_question_that_code_waits_for_has_its_wait(tmp_path: Path) -> None:
    """The time of the call is the wait, unless the row knows better."""
    row = "kind: hitl, attributes: {flex.hitl.request.id: q}, result: {flex.hitl.decision: result}"
    with force(written(tmp_path, f"  - {{method: 'HOST:Team.returns', {row}}}\n")) as (telemetry, _):
        acme.Team().returns("REJECTED")
        assert told(telemetry, "hitl_request", "hitl_resolved") == [
            ("hitl_request", {"requestId": "q"}),
            ("hitl_resolved", {"requestId": "q", "decision": "rejected", "waitMs": 2.0}),
        ]


# Runs


def test_a_run_has_its_identity_from_the_call(tmp_path: Path) -> None:
    """Run id, correlation id, work order, name, and the runtime that the row names."""
    row = ("kind: run, name: arg.what.name, run_id: arg.what.id, correlation_id: arg.what.caller, runtime: acme, "
           "attributes: {flex.work_order.id: arg.what.order, flex.run.strategy: fast}")  # fmt: skip
    job = SimpleNamespace(name="brief", id=7, caller="c-1", order="w-1")
    with force(written(tmp_path, f"  - {{method: 'HOST:Team.returns', {row}}}\n")) as (telemetry, _):
        assert acme.Team().returns(job) is job
        event = one(telemetry, "complete")
        assert (event.run_id, event.correlation_id, event.runtime) == ("7", "c-1", "acme")
        assert event.work_order_id == "w-1"
        assert told(telemetry, "start") == [("start", {"name": "brief", "strategy": "fast"})]
        assert telemetry.metrics()["flex.run.status{runtime=acme,status=completed}"] == 1


def test_a_run_inside_itself_is_one_run(tmp_path: Path) -> None:
    """A method that calls itself, or another that is declared as a run of the same runtime."""
    rows = RUN + "  - {method: 'HOST:Team.returns', kind: run}\n  - {method: 'HOST:Team.run_a', kind: node}\n"
    with force(written(tmp_path, rows)) as (telemetry, _):
        team = acme.Team()
        assert team.calls(lambda: team.calls(lambda: team.returns(team.run_a()))) == "a"
        assert telemetry.tree() == ["run job: ok", "  node run_a (step): ok"]


OUTCOMES = [
    ("paused: ['HOST:Waits']", acme.Waits(), "paused"),
    ("ok: ['HOST:Done']", acme.Done(), "ok"),
    ("cancelled: ['HOST:Stopped']", acme.Stopped(), "cancelled"),
    ("cancelled: [TimeoutError]", TimeoutError(), "cancelled"),
    ("paused: ['HOST:Waits']", ValueError(), "error"),
    ("paused: ['HOST:Nothing']", ValueError(), "error"),
    ("failed_when: result.ok", acme.Result(), "error"),
    ("failed_when: result.error", acme.Result(), "ok"),
    ("failed_when: result.error", acme.Result(error=ValueError("x")), "error"),
    ("paused_when: result.items", acme.Result(), "paused"),
]


@pytest.mark.parametrize(("rule", "what", "outcome"), OUTCOMES, ids=lambda each: str(each)[:30])
def test_how_a_call_ended(tmp_path: Path, rule: str, what: Any, outcome: str) -> None:
    """By exceptions that the row names, and by what is true of the result; error.type names what was returned."""
    rows = f"  - {{method: 'HOST:Team.returns', kind: node, name: n, outcome: {{{rule}}}}}\n"
    rows += f"  - {{method: 'HOST:Team.raises', kind: node, name: n, outcome: {{{rule}}}}}\n"
    with force(written(tmp_path, rows)) as (telemetry, _):
        team = acme.Team()
        if isinstance(what, Exception):
            with pytest.raises(type(what)) as caught:
                team.raises(what)
            assert caught.value is what
        else:
            assert team.returns(what) is what
        assert telemetry.tree() == [f"node n (step): {outcome}"]
        named = (telemetry.span("flex.node n").attributes or {}).get("error.type")
        is_named = isinstance(what, ValueError) or getattr(what, "error", None) is not None
        assert named == (None if outcome != "error" else "ValueError" if is_named else "_OTHER")


def test_an_error_that_is_returned_may_have_a_name(tmp_path: Path) -> None:
    """`error.type` under `result` is what the span and the events say."""
    row = 'kind: node, name: n, result: {error.type: "result.items[0]"}, outcome: {failed_when: result.ok}'
    with force(written(tmp_path, f"  - {{method: 'HOST:Team.returns', {row}}}\n")) as (telemetry, _):
        acme.Team().returns(acme.Result())
        assert told(telemetry, "node_error") == [("node_error", {"attempt": 1, "errorType": "a"})]
        assert telemetry.span("flex.node n").status.status_code.name == "ERROR"


def test_a_plan_is_rejected_by_exception_or_by_result(tmp_path: Path) -> None:
    """With the number of its diagnostics and their codes; the next one takes the place of the one before."""
    row = ('kind: plan, attributes: {flex.plan.phase: arg.what.phase | "replan"}, '
           "result: {flex.plan.version: result.version, flex.plan.codes: error.rules}, "
           "outcome: {ok: ['HOST:Refused'], rejected_when: %s}")  # fmt: skip
    rows = RUN + f"  - {{method: 'HOST:Team.raises', {row % 'error.rules'}}}\n"
    rows += f"  - {{method: 'HOST:Team.returns', {row % 'result.bad'}}}\n"
    first = SimpleNamespace(phase="initial", version=1, bad=[])
    second = SimpleNamespace(phase="replan", version=2, bad=())
    bad = SimpleNamespace(phase="replan", version=2, bad=["x", "y", "z"])

    def job() -> None:
        team.returns(first)
        with pytest.raises(acme.Refused):
            team.raises(acme.Refused(["a", "b"]))
        team.returns(bad)
        team.returns(second)

    with force(written(tmp_path, rows)) as (telemetry, _):
        team = acme.Team()
        team.calls(job)
        assert told(telemetry, "plan_rejected", "plan_generated", "plan_updated") == [
            ("plan_generated", {"version": 1}),
            ("plan_rejected", {"attempt": 1, "diagnosticCount": 2, "codes": ["a", "b"]}),
            ("plan_rejected", {"attempt": 1, "diagnosticCount": 3}),
            ("plan_updated", {"previousVersion": 1, "version": 2}),
        ]


def test_tokens_are_counted_on_agents_and_runs(tmp_path: Path) -> None:
    """As those of any model call."""
    tokens = "result: {gen_ai.usage.input_tokens: result.version, gen_ai.usage.output_tokens: 4}"
    rows = (
        RUN
        + f"  - {{method: 'HOST:Team.returns', kind: node, name: n, attributes: {{flex.node.kind: agent}}, {tokens}}}\n"
    )
    with force(written(tmp_path, rows)) as (telemetry, _):
        team = acme.Team()
        team.calls(lambda: team.returns(acme.Result()))
        assert telemetry.metrics()["flex.model.tokens{direction=input,runtime=tests}"] == 3
        attributes = telemetry.span("flex.run job").attributes or {}
        assert (attributes["gen_ai.usage.input_tokens"], attributes["gen_ai.usage.output_tokens"]) == (3, 4)


# Pauses

ASK = row("raises", "hitl", "attributes: {flex.hitl.request.id: q}, outcome: {paused: ['HOST:Waits']}")
PAUSES = RUN.replace("'r-1'}", "'r-1', outcome: {paused: ['HOST:Waits']}}")


def test_a_pause_is_resumed_under_its_id(tmp_path: Path) -> None:
    """The run links to the paused one, keeps its id, and the wait is measured; asking again is no new question."""
    rows = PAUSES + ASK
    rows += row("returns", "hitl_resolved", "attributes: {flex.hitl.request.id: q, flex.hitl.decision: arg.what}")

    def waits() -> None:
        team.raises(acme.Waits())

    with force(written(tmp_path, rows)) as (telemetry, _):
        team = acme.Team()
        for _each in range(2):
            with pytest.raises(acme.Waits):
                team.calls(waits)
        assert telemetry.metrics()["flex.hitl.pending{runtime=tests}"] == 1
        team.calls(lambda: team.returns("approved"))
        assert telemetry.tree() == ["run job: paused", "  hitl: paused", "run job: paused", "run job: ok"]
        assert [kind for kind, _ in told(telemetry, "hitl_request", "hitl_resolved", "complete")] == [
            "hitl_request", "complete", "complete", "hitl_resolved", "complete"]  # fmt: skip
        first, second, third = (span for span in telemetry.spans if span.name == "flex.run job")
        assert [link.context.span_id for link in third.links] == [first.context.span_id]
        assert {dict(span.attributes or {})["flex.run.id"] for span in (first, second, third)} == {"r-1"}
        assert told(telemetry, "start")[1:] == [("start", {"name": "job", "resumed": True})] * 2
        assert "flex.hitl.pending{runtime=tests}" not in telemetry.metrics()


def test_a_question_without_a_declared_run_waits_under_its_own_id(tmp_path: Path) -> None:
    """An answer outside any run finds it by the id of the question; an unknown one is told without a wait."""
    rows = row("calls", "run")
    rows += row("run_a", "hitl_request", "attributes: {flex.hitl.request.id: q, flex.hitl.origin: o}")
    answer = "attributes: {flex.hitl.request.id: arg.what, flex.hitl.decision: approved}"
    rows += row("returns", "hitl_resolved", answer)
    with force(written(tmp_path, rows)) as (telemetry, _):
        team = acme.Team()
        team.calls(team.run_a)
        team.returns("q")
        team.returns("other")
        resolved = told(telemetry, "hitl_resolved")
        assert [payload["requestId"] for _, payload in resolved] == ["q", "other"]
        assert ["waitMs" in payload for _, payload in resolved] == [True, False]
        assert told(telemetry, "hitl_request") == [("hitl_request", {"requestId": "q", "origin": "o"})]


# Handoffs and facts

OVER = "  - {method: 'HOST:Team.hand_over', kind: handoff, from: self.current, to: arg.to}\n"
WORK = "  - {method: 'HOST:Team.inherited', kind: node, name: arg.name, attributes: {flex.node.kind: agent}}\n"


def test_a_handoff_lasts_until_its_target_starts(tmp_path: Path) -> None:
    """From the request on; one that raises does not take place; the names come from an enum and an argument."""

    def job() -> None:
        team.hand_over("editor")
        team.inherited("editor")
        with pytest.raises(ValueError, match="no"):
            team.hand_over(ValueError("no"))

    with force(written(tmp_path, RUN + OVER.replace("arg.to}", "'arg.to.args[0] | arg.to'}") + WORK)) as (telemetry, _):
        team = acme.Team()
        team.calls(job)
        assert telemetry.tree() == [
            "run job: ok", "  handoff editor: ok", "  node editor (agent): ok", "  handoff no: error",
        ]  # fmt: skip
        assert telemetry.metrics()["yolo_handoffs_total{from_agent=writer,to_agent=editor}"] == 1


def test_a_handoff_may_be_known_only_afterwards_or_not_be_one(tmp_path: Path) -> None:
    """The target is the result; `when` says that there is one."""
    rows = RUN + "  - {method: 'HOST:Team.returns', kind: handoff, from: boss, to: result, when: result}\n" + WORK
    with force(written(tmp_path, rows)) as (telemetry, _):
        team = acme.Team()
        team.calls(lambda: (team.returns(""), team.returns("editor"), team.inherited("editor")))
        assert telemetry.tree() == ["run job: ok", "  handoff editor: ok", "  node editor (agent): ok"]


FACTS = [
    ("kind: policy_update, attributes: {flex.policy.id: arg.name}", "policy_update", {"policyId": "x"}),
    ("kind: reaction_matched, attributes: {flex.reaction.rule: arg.name}", "reaction_matched", {"rule": "x"}),
    ("kind: reaction_skipped, attributes: {flex.reaction.reason: none, flex.reaction.candidate_count: 3}",
     "reaction_skipped", {"reason": "none", "candidateCount": 3}),
    ("kind: safety_block, agent: arg.name, attributes: {yolo.decision.type: buy}", "safety_block",
     {"agent": "x", "decisionType": "buy"}),
    ("kind: agent_status, agent: arg.name, attributes: {yolo.agent.status: active}", "agent_status",
     {"agent": "x", "status": "active"}),
    ('kind: mode_changed, result: {yolo.mode: "result.items[1]"}', "mode_changed", {"mode": "b"}),
    ("kind: agent_error, agent: arg.name, attributes: {error.type: type(result)}", "agent_error",
     {"agent": "x", "errorType": "tests.patching.acme.Result", "severity": "error"}),
    ("kind: node_retry, attributes: {error.type: arg.name}", "node_retry", {"attempt": 1, "errorType": "x"}),
]  # fmt: skip


@pytest.mark.parametrize(("row", "type_", "payload"), FACTS, ids=lambda each: str(each)[:40])
def test_what_a_fact_tells(tmp_path: Path, row: str, type_: str, payload: dict[str, Any]) -> None:
    """One event a call, in the run around, else in a nameless one of the runtime; `when` keeps it back."""
    with force(written(tmp_path, RUN + f"  - {{method: 'HOST:Team.method', when: arg.count, {row}}}\n")) as (
        telemetry,
        _,
    ):
        team = acme.Team()
        team.method("x", 0)
        team.calls(lambda: team.method("x"))
        team.method("x")
        assert told(telemetry, type_) == [(type_, payload)] * 2
        events = [event for event in telemetry.events if event.type == type_]
        assert [event.runtime for event in events] == ["tests"] * 2
        assert (events[0].run_id, events[1].run_id == "r-1") == ("r-1", False)


def test_an_exception_can_be_the_fact(tmp_path: Path) -> None:
    """A row whose values come from `error` tells of calls that raise, and of no other."""
    row = "kind: agent_error, agent: me, attributes: {error.type: error, yolo.error.severity: low}, when: error.args"
    with force(written(tmp_path, f"  - {{method: 'HOST:Team.raises', {row}}}\n")) as (telemetry, _):
        for error in (ValueError(), KeyError("k")):
            with pytest.raises(type(error)):
                acme.Team().raises(error)
        assert told(telemetry, "agent_error") == [
            ("agent_error", {"agent": "me", "errorType": "KeyError", "severity": "low"})
        ]


def test_a_retry_is_an_error_and_another_attempt_of_the_node(tmp_path: Path) -> None:
    """Both events belong to the node, whose last attempt is its own."""
    rows = row("calls", "node", "name: n") + row("returns", "node_retry", "attributes: {error.type: arg.what}")
    with force(written(tmp_path, rows)) as (telemetry, _):
        team = acme.Team()
        team.calls(lambda: (team.returns(ValueError), team.returns(KeyError("x"))))
        assert told(telemetry, "node_error", "node_retry", "node_complete") == [
            ("node_error", {"attempt": 1, "errorType": "ValueError"}),
            ("node_retry", {"attempt": 1, "errorType": "ValueError"}),
            ("node_error", {"attempt": 2, "errorType": "KeyError"}),
            ("node_retry", {"attempt": 2, "errorType": "KeyError"}),
            ("node_complete", {"kind": "step", "attempts": 3}),
        ]


def test_a_cancel_is_wished_from_outside_and_obeyed_inside(tmp_path: Path) -> None:
    """The wish finds the run by its id, is told once, and the time until it is obeyed is measured."""
    source = "attributes: {flex.cancel.source: user}"
    rows = RUN + row("static", "cancel_requested", f"run_id: arg.name, {source}")
    rows += row("run_a", "cancel_acknowledged", source)
    with force(written(tmp_path, rows)) as (telemetry, _):
        team = acme.Team()
        team.static("r-1")
        team.calls(lambda: (team.static("r-1"), team.static("r-1"), team.static("r-2"), team.run_a()))
        found = [kind for kind, _ in told(telemetry, "cancel_requested", "cancel_acknowledged")]
        assert found == ["cancel_requested", "cancel_acknowledged"]
        assert telemetry.metrics()["flex.run.cancel.latency_count{runtime=tests,source=user}"] == 1
        assert dict(one(telemetry, "cancel_acknowledged").payload).keys() == {"source", "latencyMs"}


def test_content_stays_out_unless_it_is_captured(tmp_path: Path) -> None:
    """A goal is content: a row that reads it makes no exception. Plan nodes have their three fields and no more."""
    row = "kind: run, name: n, attributes: {flex.run.goal: arg.what}"
    with force(written(tmp_path, f"  - {{method: '{HOST}:Team.returns', {row}}}\n")) as (telemetry, _):
        acme.Team().returns("CANARY")
        assert "CANARY" not in repr([(span.to_json(), telemetry.events, telemetry.logs) for span in telemetry.spans])
