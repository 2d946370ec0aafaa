"""What is used up: context, model tokens, memory, CPU; must not know what it was used for."""

from __future__ import annotations

from dashboards.limits import Limits
from dashboards.logs import Logs
from dashboards.model import Board, Row
from dashboards.panels import fails, lines, series
from dashboards.queries import BOARD, INSTANCE, Query
from otel_agents.semconv import agents as a
from otel_agents.semconv import events as e
from otel_agents.semconv import metrics as m


def board(limits: Limits) -> Board:
    """Return the board."""
    return Board(
        "tokens",
        "Agents: Context, Model Tokens and Resources",
        "How full contexts are, what models read and wrote, and what the process takes from the machine.",
        m.CPU_USAGE,
        (_contexts(limits), _models(), _process(), _logs()),
    )


def _contexts(limits: Limits) -> Row:
    ahead = Query(
        f"max by (agent) (predict_linear({BOARD.select(m.CONTEXT_TOKENS)}[30m], {limits.prediction_s}))",
        m.CONTEXT_TOKENS.unit, ("agent",),
    )  # fmt: skip
    return Row(
        "Contexts",
        (
            series("Tokens", "In the context of each living agent; over the line ContextOverflow fires.",
                   BOARD.now(m.CONTEXT_TOKENS, a.YOLO_AGENT, how="max"), empty="no agent has a context",
                   limits=fails(limits.context_tokens)),
            series(f"Tokens in {limits.prediction_s // 60} minutes",
                   "If contexts grow as they did in the last 30 minutes.",
                   ahead, empty="no agent has a context", limits=fails(limits.context_tokens)),
            series("Items", "In the context of each living agent.",
                   BOARD.now(m.CONTEXT_ITEMS, a.YOLO_AGENT, how="max"), empty="no agent has a context"),
            series("Refresh time, P95", "How long it takes to shorten a context.",
                   BOARD.quantile(0.95, m.CONTEXT_REFRESH_TIME, a.YOLO_AGENT), empty="no context was refreshed"),
        ),
    )  # fmt: skip


def _models() -> Row:
    each = BOARD.rate(m.MODEL_TOKENS, a.FLEX_RUNTIME).per(BOARD.rate(m.RUN_STATUS, a.FLEX_RUNTIME), m.MODEL_TOKENS.unit)
    return Row(
        "Models",
        (
            series("Model tokens", "Read and written, summed from model calls only.",
                   BOARD.rate(m.MODEL_TOKENS, a.FLEX_MODEL_DIRECTION, a.FLEX_RUNTIME), empty="no model was called"),
            series("Model tokens for each run segment", "Read and written together.", each, empty="no run ended"),
        ),
    )  # fmt: skip


def _process() -> Row:
    return Row(
        "Process",
        (
            series("Memory", "Resident memory of each process.", BOARD.now(m.MEMORY_USAGE, INSTANCE),
                   empty="no process"),
            series("CPU", "Of each process; 100 % is one core.", BOARD.now(m.CPU_USAGE, INSTANCE), empty="no process"),
        ),
    )  # fmt: skip


def _logs() -> Row:
    return Row("Logs", (lines("Refreshed contexts", "Agent, tokens and items after it.", Logs((e.CONTEXT_REFRESHED,)),
                              empty="no context was refreshed"),))  # fmt: skip
