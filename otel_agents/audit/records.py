"""The audit records as a table: types, their fields, what each holds; must not know who writes or reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

RUN_STATE: Final = "run.state"
RUN_CANCEL: Final = "run.cancel"
REACTION_MATCH: Final = "reaction.match"
REACTION_SKIP: Final = "reaction.skip"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a record: its name, its JSON type, what it holds."""

    name: str
    type: str
    brief: str


@dataclass(frozen=True, slots=True)
class RecordType:
    """One type of record: its name, when it is written, and its own fields behind those that all have."""

    name: str
    brief: str
    fields: tuple[Field, ...]


ENTRY: Final = (
    Field("type", "string", "The type of the record."),
    Field("ts", "string", "When it happened: RFC 3339, UTC, milliseconds."),
    Field("run_id", "string", "The run; a message that started none has one of its own."),
    Field("session_id", "string or null", "The session that the run comes from: a keyed hash, unless asked in clear."),
    Field("channel", "string or null", "The channel that the run comes from."),
    Field("runtime", "string", "Who runs it."),
)

RECORDS: Final = (
    RecordType(
        RUN_STATE,
        "A run enters a state.",
        (
            Field(
                "state",
                "string",
                "`start`, `complete`, `cancel_requested`, `cancelled`, `error`, `paused` or `resumed`.",
            ),
        ),
    ),
    RecordType(
        RUN_CANCEL,
        "How a cancel went: written when the run obeys, or when it ends without having obeyed.",
        (
            Field("source", "string or null", "Who asked."),
            Field("requested", "boolean", "True: an acknowledgement answers a request."),
            Field("acknowledged", "boolean", "Whether the run obeyed."),
            Field("latency_ms", "number or null", "From the request to the acknowledgement; null when there was none."),
        ),
    ),
    RecordType(
        REACTION_MATCH,
        "A trigger rule matches a message.",
        (
            Field("rule_name", "string", "The rule."),
            Field("sender", "string or null", "Who sent the message: a keyed hash, unless asked in clear."),
            Field("filter_summary", "string or null", "What the rule looked at; null unless content is captured."),
        ),
    ),
    RecordType(
        REACTION_SKIP,
        "No trigger rule matches a message.",
        (
            Field("reason", "string", "Why."),
            Field("candidate_count", "integer", "How many rules were considered."),
        ),
    ),
)


def records_markdown() -> str:
    """Return all records as Markdown tables for the reference page."""
    common = _table(ENTRY)
    own = (f"### {row.name}\n\n{row.brief}\n\n{_table(row.fields)}" for row in RECORDS)
    return "\n".join((f"Every record has these fields, in this order:\n\n{common}", *own))


def _table(fields: tuple[Field, ...]) -> str:
    rows = (f"| `{each.name}` | {each.type} | {each.brief} |\n" for each in fields)
    return f"| field | type | holds |\n| --- | --- | --- |\n{''.join(rows)}"
