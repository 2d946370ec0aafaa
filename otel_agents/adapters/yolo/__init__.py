"""The team of agents that comes along: workflows, turns, handoffs, decisions, contexts, state; must not know signals.

Nothing of the runtime is imported: it is watched like anybody else's.
"""

from __future__ import annotations

from typing import Final

from otel_agents.adapters.yolo import team, workflows
from otel_agents.adapters.yolo.team import RUNTIME
from otel_agents.patching.table import Adapter, Patch
from otel_agents.semconv import kinds as k

PATCHES: Final = (
    Patch(
        "otel_agents.runtime.yolo.orchestrator:Orchestrator._follow",
        k.RUN,
        "One call is one workflow, begun by run or gone on with by resume, after both have looked at what they got.",
        before=workflows.before_workflow,
        after=workflows.after_workflow,
        failed=workflows.failed_workflow,
    ),
    Patch(
        "otel_agents.runtime.yolo.orchestrator:Orchestrator._step",
        k.NODE,
        "One call is one step with all its attempts.",
        before=workflows.before_turn,
        after=workflows.after_turn,
        failed=workflows.failed_turn,
    ),
    Patch(
        "otel_agents.runtime.yolo.orchestrator:Orchestrator._try_again",
        why="Called once for each attempt that failed and is made again, and for no other.",
        before=workflows.before_another_try,
    ),
    Patch(
        "otel_agents.runtime.yolo.orchestrator:Orchestrator._block",
        why="Every limit that forbids something ends here, whoever asked.",
        before=team.before_block,
    ),
    Patch(
        "otel_agents.runtime.yolo.turn:Turn._hand_over",
        why="A handoff stands here when it is agreed on and not yet done; what is refused never comes so far.",
        before=workflows.before_handoff,
        failed=workflows.failed_handoff,
    ),
    Patch(
        "otel_agents.runtime.yolo.turn:Turn._choose",
        k.DECISION,
        "A decision that is allowed, while it is taken.",
        before=workflows.before_decision,
    ),
    Patch(
        "otel_agents.runtime.yolo.turn:Turn.use",
        k.NODE,
        "Every tool that an agent names is called here.",
        before=workflows.before_tool,
    ),
    Patch(
        "otel_agents.runtime.yolo.roster:Roster.note",
        why="Every error of an agent passes here, whether it was reported or raised, with its severity.",
        after=team.after_note,
    ),
    Patch(
        "otel_agents.runtime.yolo.roster:Roster.become",
        why="The only place where the status of an agent changes, from joining to leaving.",
        after=team.after_status,
    ),
    Patch(
        "otel_agents.runtime.yolo.roster:Roster.restore",
        why="Contexts that come out of a file pass no other place.",
        after=team.after_restore,
    ),
    Patch(
        "otel_agents.runtime.yolo.modes:Gate.set",
        why="Every change of the mode passes here, from whichever thread.",
        after=team.after_mode,
    ),
    Patch(
        "otel_agents.runtime.yolo.context:Context.refresh",
        k.CONTEXT_REFRESH,
        "A context is made anew, with all the time that its source takes.",
        before=team.before_refresh,
        after=team.after_refresh,
        failed=team.failed_refresh,
    ),
    Patch(
        "otel_agents.runtime.yolo.state:StateFile.save",
        k.STATE_SAVE,
        "Every state goes to disk here; returns the size of the file.",
        after=team.after_save,
    ),
    Patch(
        "otel_agents.runtime.yolo.state:StateFile.load",
        k.STATE_LOAD,
        "Every state comes from disk here, a damaged one as an exception.",
    ),
)

ADAPTER: Final = Adapter(
    name="yolo",
    runtime=RUNTIME,
    distribution="otel-agents",
    tested=("0.1", "0.1"),
    patches=PATCHES,
)
