"""The team of agents that hand work over, with the panels of the older system's board; must not know other runtimes."""

from __future__ import annotations

from dashboards.alerting.agents import ERROR_SHARE, WORKFLOW_MEAN
from dashboards.limits import Limits
from dashboards.logs import Logs
from dashboards.model import Board, Line, Panel, Row
from dashboards.panels import fails, graph, lines, series, stat, table
from dashboards.queries import BOARD, Query, label
from otel_agents.semconv import agents as a
from otel_agents.semconv import events as e
from otel_agents.semconv import metrics as m


def board(limits: Limits) -> Board:
    """Return the board."""
    return Board(
        "yolo",
        "YOLO System Overview",
        "Who is at work, who hands to whom, what is decided, what goes wrong, and whether contexts fit.",
        m.CPU_USAGE,
        (_overview(limits), _handoffs(), _workflows(), _decisions(), _state(), _logs()),
    )


def _overview(limits: Limits) -> Row:
    status = BOARD.now(m.AGENT_STATUS_INFO, a.YOLO_AGENT, a.YOLO_AGENT_STATUS, how="max")
    return Row(
        "Overview",
        (
            stat("Agents at work", "Agents that are active at this moment.", BOARD.now(m.AGENTS_ACTIVE),
                 empty="no agent is known"),
            series("Agent Activity", "Share of a second in which each agent was active, by any number of workflows.",
                   BOARD.rate(m.AGENT_ACTIVE_TIME, a.YOLO_AGENT), empty="no agent was active", width=20),
            series("Decision Rate", "Decisions by agent and what was decided on.",
                   BOARD.rate(m.DECISIONS, a.YOLO_AGENT, a.YOLO_DECISION_TYPE), empty="nothing was decided", width=8),
            series("Context Token Usage",
                   "Tokens in the context of each living agent; over the line ContextOverflow fires.",
                   BOARD.now(m.CONTEXT_TOKENS, a.YOLO_AGENT, how="max"), empty="no agent has a context", width=8,
                   limits=fails(limits.context_tokens), board="tokens"),
            series("Error Rate", "Errors by agent and severity; over the line HighErrorRate fires.",
                   BOARD.rate(m.ERRORS, a.YOLO_AGENT, a.YOLO_ERROR_SEVERITY), empty="no agent failed", width=8,
                   limits=fails(limits.error_rate)),
            table("Who does what", "What each living agent does: 1 in the column of its status.",
                  Line(Query(f"{status} == 1", status.unit, status.labels), "now"), empty="no agent is known", width=8),
            series("Errors for each step", "Of all agents, for each step of one; recorded.",
                   _recorded(ERROR_SHARE.name, ERROR_SHARE.unit),
                   empty="nothing happened, or agents.yaml is not loaded", width=8),
            table("Errors in this time", "By agent and severity; the first one counts.",
                  Line(BOARD.added(m.ERRORS, a.YOLO_AGENT, a.YOLO_ERROR_SEVERITY), "errors"),
                  empty="no agent failed", width=8),
        ),
    )  # fmt: skip


def _recorded(name: str, unit: str) -> Query:
    return Query(f'max by (job) ({name}{{job=~"$job"}})', unit, ("job",))


def _handoffs() -> Row:
    return Row(
        "Handoffs",
        (
            _who_to_whom(),
            series("Handoff Duration P95",
                   "From the request of a handoff until the target begins. Points lead to traces.",
                   BOARD.quantile(0.95, m.HANDOFF_DURATION, a.YOLO_TO_AGENT), empty="nothing was handed over"),
            series("Handoffs", "By who hands over and who takes over.",
                   BOARD.rate(m.HANDOFFS, a.YOLO_FROM_AGENT, a.YOLO_TO_AGENT), empty="nothing was handed over"),
            table("Loops in this time", "How often work came back to an agent without progress in between.",
                  Line(BOARD.added(m.HANDOFF_LOOPS, a.YOLO_AGENT), "loops"), empty="no work went to and fro"),
        ),
    )  # fmt: skip


def _who_to_whom() -> Panel:
    """Return the graph: Grafana takes a table with source and target for edges, and one with an id for nodes."""
    edges = BOARD.added(m.HANDOFFS, a.YOLO_FROM_AGENT, a.YOLO_TO_AGENT)
    giver, taker = label(m.HANDOFFS, a.YOLO_FROM_AGENT), label(m.HANDOFFS, a.YOLO_TO_AGENT)
    named = (
        f'label_replace(label_replace({edges}, "source", "$1", "{giver}", "(.+)"), "target", "$1", "{taker}", "(.+)")'
    )
    joined = f'label_join({named}, "id", "->", "{giver}", "{taker}")'
    taken, given = (
        f'sum by (id, title) (label_replace(label_replace({edges}, "id", "$1", "{each}", "(.+)"), '
        f'"title", "$1", "{each}", "(.+)"))'
        for each in (taker, giver)
    )
    # Who only gives took nothing, and is a node all the same.
    nodes = _numbered(f"{taken} or 0 * {given}", edges.unit, "id", "title")
    return graph(
        "Who hands to whom", "Agents, and how often work went from one to the other in this time.",
        nodes, _numbered(joined, edges.unit, "id", "source", "target"), empty="nothing was handed over",
    )  # fmt: skip


def _numbered(counted: str, unit: str, *labels: str) -> Query:
    """Return a query with its values as a label, since that is where the graph shows them."""
    text = f'count_values by ({", ".join(labels)}) ("mainstat", round({counted}))'
    return Query(text, unit, (*labels, "mainstat"))


def _workflows() -> Row:
    return Row(
        "Workflows",
        (
            series("Workflows finished", "By how they ended.", BOARD.rate(m.WORKFLOWS, a.FLEX_OUTCOME),
                   empty="no workflow finished", width=8, stacked=True),
            series("Workflow duration, P95", "By how they ended. Points lead to traces.",
                   BOARD.quantile(0.95, m.WORKFLOW_DURATION, a.FLEX_OUTCOME), empty="no workflow finished", width=8),
            series("Average workflow time", "Of the last hour; recorded.",
                   _recorded(WORKFLOW_MEAN.name, WORKFLOW_MEAN.unit),
                   empty="nothing happened, or agents.yaml is not loaded", width=8),
        ),
    )  # fmt: skip


def _decisions() -> Row:
    return Row(
        "Decisions",
        (
            series("Decision time, P95", "How long each agent takes to decide.",
                   BOARD.quantile(0.95, m.DECISION_TIME, a.YOLO_AGENT), empty="nothing was decided"),
            table("Blocked in this time", "Decisions that a safety limit blocked; the first one counts.",
                  Line(BOARD.added(m.SAFETY_BLOCKS, a.YOLO_AGENT), "blocks"), empty="nothing was blocked",
                  board="humans"),
        ),
    )  # fmt: skip


def _state() -> Row:
    return Row(
        "State",
        (
            series("States saved", "How often the team is saved.", BOARD.rate(m.STATE_SAVES),
                   empty="nothing was saved", width=8),
            series("State load time, P95", "How long it takes to read the state at a start.",
                   BOARD.quantile(0.95, m.STATE_LOAD_TIME), empty="nothing was loaded", width=8),
            series("State size", "Size of the last saved state.", BOARD.now(m.STATE_FILE_SIZE, how="max"),
                   empty="nothing was saved", width=8),
        ),
    )  # fmt: skip


def _logs() -> Row:
    return Row(
        "Logs",
        (
            lines("Handoffs and decisions", "Who, to whom, what.", Logs((e.HANDOFF, e.DECISION)),
                  empty="nothing happened"),
            lines("Errors and blocks", "By agent and severity.", Logs((e.AGENT_ERROR, e.SAFETY_BLOCK)),
                  empty="no agent failed"),
        ),
    )  # fmt: skip
