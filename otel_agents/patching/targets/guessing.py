"""What the names of classes and methods give away about an orchestrator, as a table; must not know any file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from otel_agents.semconv import agents as a


@dataclass(frozen=True, slots=True)
class Clue:
    """Methods that look like a kind: by their class (any for "") and by their name.

    Attributes:
        kind: What they look like.
        owner: A pattern that the whole name of the class has to match; functions have none.
        name: The same for the name of the method.
        reason: Why, as a sentence.
        values: For each attribute or field the parameters that may give it, best first.
        constants: Values that are the same for every call.
    """

    kind: str
    owner: str
    name: str
    reason: str
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)

    def fits(self, owner: str, name: str) -> bool:
        """Whether a method of a class looks like this."""
        return bool(re.fullmatch(self.name, name)) and (not self.owner or bool(re.fullmatch(self.owner, owner)))


_ENGINE: Final = r".*(?:Engine|Orchestrator|Runner|Coordinator|Workflow|Supervisor|Crew|Pipeline|Conductor)"
_WORKER: Final = r".*(?:Agent|Worker|Node|Step|Task|Tool|Executor|Specialist)"
_AGENT: Final = ("agent", "agent_name", "who")
_TO: Final = (
    "to_agent",
    "to",
    "target",
    "recipient",
    "receiver",
    "next_agent",
    "successor",
    "agent",
    "agent_name",
    "name",
)
_FROM: Final = ("from_agent", "source", "sender", "current", "giver")
_REQUEST: Final = ("request_id", "question_id", "approval_id", "ticket_id", "request", "question")
_RUN: Final = ("run_id", "job_id", "task_id", "workflow_id")

CLUES: Final = (
    Clue("plan", r".*Planner", r"a?(?:build|create|make|generate|propose|revise|draft)", "It is a planner.",
         {a.FLEX_PLAN_PHASE: ("phase",), a.FLEX_PLAN_ATTEMPT: ("attempt",)}),
    Clue("plan", "", r"(?:re)?plan|(?:make|build|create|draft|generate|revise)_plan|decompose", "It makes a plan.",
         {a.FLEX_PLAN_PHASE: ("phase",), a.FLEX_PLAN_ATTEMPT: ("attempt",)}),
    Clue("handoff", "", r"hand_?offs?(?:_to)?|hand_?over(?:_to)?|transfer(?:_to)?|delegate(?:_to)?|escalate(?:_to)?",
         "It hands work to somebody else.", {"from": _FROM, "to": _TO}),
    Clue("hitl", "", r"(?:ask|request|await|wait_for|get)_(?:human|approval|user|review|confirmation|operator)|approve"
         r"|ask|confirm", "It asks a human.", {a.FLEX_HITL_REQUEST_ID: _REQUEST}),
    Clue("hitl_resolved", "", r"(?:resolve|answer|decide)_(?:human|approval|question|request)|answer|resolve_approval",
         "It takes a human's answer.", {a.FLEX_HITL_REQUEST_ID: _REQUEST,
                                        a.FLEX_HITL_DECISION: ("decision", "answer", "approved", "verdict")}),
    Clue("validation", "", r"validate(?:_\w+)?|check_schema|verify_output", "It validates something.",
         {a.FLEX_VALIDATION_ATTEMPT: ("attempt",)}, {a.FLEX_VALIDATION_SCOPE: "output"}),
    Clue("gate", r".*Gate", r"check|passes|run|evaluate|__call__", "It is a gate that is checked."),
    Clue("gate", "", r"check_gate|run_gate", "It checks a gate.", {"name": ("gate", "name")}),
    Clue("policy", r".*(?:Policy|Policies|Guardrail|Guard)", r"check|evaluate|apply|enforce|__call__",
         "It is a policy that looks at the run."),
    Clue("node_retry", "", r"(?:on_|before_|note_|will_)?retry(?:ing)?|try_again|retry_(?:step|node|task)",
         "It is called when an attempt failed and is made again.", {a.FLEX_NODE_ATTEMPT: ("attempt",)}),
    Clue("iteration", "", r"(?:run_)?iteration|iterate", "It is one iteration.",
         {a.FLEX_ITERATION_NUMBER: ("iteration", "number", "index", "turn")}),
    Clue("phase", "", r"run_phase|execute_phase", "It is one phase.", {"name": ("phase", "name")}),
    Clue("delivery", r".*(?:Deliver\w*|Publisher)", r"deliver|publish|ship", "It delivers the result."),
    Clue("delivery", "", r"deliver", "It delivers the result."),
    Clue("decision", "", r"decide|choose(?:_agent|_next)?|select_(?:agent|next)|route", "An agent decides here.",
         {"agent": _AGENT}),
    Clue("context_refresh", "", r"refresh_context|compact(?:_context)?|trim_context", "It makes a context anew.",
         {"agent": _AGENT}),
    Clue("state_save", r".*(?:State|Store|Checkpoint|Memory)\w*", r"save|persist|checkpoint|save_state",
         "It saves the state."),
    Clue("state_load", r".*(?:State|Store|Checkpoint|Memory)\w*", r"load|restore|load_state", "It loads the state."),
    Clue("cancel_requested", _ENGINE, r"cancel|stop|abort|request_cancel", "Somebody asks a run to stop.",
         {"run_id": _RUN}, {a.FLEX_CANCEL_SOURCE: "api"}),
    Clue("node", "", r"(?:run|execute|call|invoke|do|perform)_(?:node|step|task|tool|agent|worker|action)",
         "It executes one step of a plan.",
         {"name": ("name", "capability", "tool_name", "tool", "agent_name", "agent")}),
    Clue("run", _ENGINE, r"a?run|execute|start|a?invoke|kickoff|resume|handle|process", "It runs everything else.",
         {"run_id": _RUN, "correlation_id": ("correlation_id", "trace_id", "request_id")}),
    Clue("node", _WORKER, r"a?run|execute|work|perform|act|a?invoke|__call__|handle|process",
         "It does the work of one agent, tool or step."),
)  # fmt: skip
# Exceptions with which orchestrators say that they wait.
WAITS: Final = re.compile(r".*(?:Pause|Paused|Approval|Human|Interrupt|Suspend|Waiting)\w*")
