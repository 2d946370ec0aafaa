"""Where rules and humans step in: questions, policies, validations, safety limits, channels; must not know plans."""

from __future__ import annotations

from dashboards.limits import Limits
from dashboards.logs import Logs
from dashboards.model import Board, Line, Row
from dashboards.panels import fails, lines, series, table, warns
from dashboards.queries import BOARD
from otel_agents.semconv import agents as a
from otel_agents.semconv import events as e
from otel_agents.semconv import metrics as m


def board(limits: Limits) -> Board:
    """Return the board."""
    return Board(
        "humans",
        "Agents: HITL, Policy and Safety",
        "What humans are asked and how long they take, which policies act, what validations find, what limits block.",
        m.RUN_ACTIVE,
        (_questions(limits), _rules(), _channels(), _logs()),
    )


def _questions(limits: Limits) -> Row:
    return Row(
        "Humans",
        (
            series("Open questions", "Processes of a job that share a store report the same ones, so they count once.",
                   BOARD.shared(m.HITL_PENDING, a.FLEX_RUNTIME), empty="nobody was asked",
                   limits=warns(limits.pending)),
            series("Oldest question", "How long it has been waiting; over the line it is late.",
                   BOARD.now(m.HITL_OLDEST_AGE, a.FLEX_RUNTIME, how="max"), empty="nobody was asked",
                   limits=fails(limits.answer_s)),
            series("Asked and answered", "Questions, and answers by decision.",
                   Line(BOARD.rate(m.HITL_REQUESTS), "asked"),
                   Line(BOARD.rate(m.HITL_RESOLVED, a.FLEX_HITL_DECISION), "{{decision}}"), empty="nobody was asked"),
            series("Time to answer", "Of the questions that were answered.",
                   Line(BOARD.quantile(0.5, m.HITL_WAIT_DURATION, a.FLEX_HITL_DECISION), "P50 {{decision}}"),
                   Line(BOARD.quantile(0.95, m.HITL_WAIT_DURATION, a.FLEX_HITL_DECISION), "P95 {{decision}}"),
                   empty="nothing was answered", limits=fails(limits.answer_s)),
        ),
    )  # fmt: skip


def _rules() -> Row:
    return Row(
        "Policies, validations and safety",
        (
            series("Policies that acted", "By policy and what it did.",
                   BOARD.rate(m.POLICY_TRIGGERS, a.FLEX_POLICY_ID, a.FLEX_POLICY_ACTION), empty="no policy acted"),
            table("Safety blocks in this time", "Decisions that a limit blocked, by agent; the first one counts.",
                  Line(BOARD.added(m.SAFETY_BLOCKS, a.YOLO_AGENT), "blocks"), empty="nothing was blocked"),
            series("Errors that validations found", "By what was validated.",
                   BOARD.rate(m.VALIDATION_ERRORS, a.FLEX_VALIDATION_SCOPE), empty="everything was valid"),
            series("Work asked for again", "After a failed validation.",
                   BOARD.rate(m.VALIDATION_RETRIES, a.FLEX_VALIDATION_SCOPE), empty="everything was valid"),
        ),
    )  # fmt: skip


def _channels() -> Row:
    return Row(
        "Channels",
        (
            series("Messages that started a run", "By rule and channel.",
                   BOARD.rate(m.REACTION_MATCHES, a.FLEX_REACTION_RULE, a.FLEX_CHANNEL), empty="no rule matched"),
            series("Messages that started nothing", "By reason and channel.",
                   BOARD.rate(m.REACTION_SKIPS, a.FLEX_REACTION_REASON, a.FLEX_CHANNEL), empty="every message matched"),
        ),
    )  # fmt: skip


def _logs() -> Row:
    return Row(
        "Logs",
        (
            lines("Questions and answers", "Each question with its id, each answer with its decision.",
                  Logs((e.HITL_REQUEST, e.HITL_RESOLVED)), empty="nobody was asked"),
            lines("Policies, blocks and invalid values", "What rules did.",
                  Logs((e.POLICY_TRIGGERED, e.SAFETY_BLOCK, e.VALIDATION_ERROR)), empty="no rule had to act"),
        ),
    )  # fmt: skip
