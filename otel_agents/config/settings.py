"""The table of all settings, which drives reading, messages and the page in the docs; must not know any source."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from otel_agents.config import parsers
from otel_agents.config.values import Selection

SIGNALS = ("spans", "metrics", "logs", "feed")
CAPTURE_MODES = ("NO_CONTENT", "SPAN_ONLY", "EVENT_ONLY", "SPAN_AND_EVENT")
MAX_SIZE = 1_000_000


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting.

    Attributes:
        name: The keyword argument, the key in the YAML file and the field of `Config`.
        env: The environment variable.
        read: Turns text into the value; raises `ValueError` with what the text is not.
        default: The value when nothing is set.
        brief: What it decides, in one sentence.
        accepts: What may be written, as a noun phrase; the fix in messages.
        shown: The default as it would be written.
        is_list: Whether a list of texts may be given instead of one text with commas.
        is_secret: Whether the value must never be shown.
        is_shared: Whether the variable belongs to the host as well, so that an odd value may not be meant for us.
        in_file: Whether it may stand in the YAML file.
        is_public: Whether it is there for users; the others are set by our own commands, in the environment only.
    """

    name: str
    env: str
    read: Callable[[str], object]
    default: object
    brief: str
    accepts: str
    shown: str = "off"
    is_list: bool = False
    is_secret: bool = False
    is_shared: bool = False
    in_file: bool = True
    is_public: bool = True


_FLAG = "`true` or `false` (also 1, yes, on; 0, no, off)"
_SIZE = f"a whole number from 1 to {MAX_SIZE}"

SETTINGS: tuple[Setting, ...] = (
    Setting(
        "enabled",
        "OTEL_AGENTS_ENABLED",
        parsers.boolean,
        default=True,
        brief="The kill switch: when false nothing is patched and nothing is recorded.",
        accepts=_FLAG,
        shown="true",
    ),
    Setting(
        "adapters",
        "OTEL_AGENTS_ADAPTERS",
        parsers.selection,
        default=Selection(),
        brief="Which frameworks are watched.",
        accepts="`all`, `none`, names such as `langgraph,flex`, or names to leave out such as `-langgraph`, not mixed",
        shown="all",
        is_list=True,
    ),
    Setting(
        "signals",
        "OTEL_AGENTS_SIGNALS",
        parsers.some_of(*SIGNALS),
        default=SIGNALS,
        brief="Which signals are made of what happens.",
        accepts=f"some of `{','.join(SIGNALS)}`, or `none`",
        shown=",".join(SIGNALS),
        is_list=True,
    ),
    Setting(
        "config",
        "OTEL_AGENTS_CONFIG",
        parsers.path,
        default=None,
        brief="A YAML file with these settings and `targets`.",
        accepts="the path of a YAML file with `version: 1`",
        in_file=False,
    ),
    Setting(
        "serve",
        "OTEL_AGENTS_SERVE",
        parsers.address,
        default=None,
        brief="Serve the live endpoints from a daemon thread of the observed process.",
        accepts="`host:port`, a port alone, `true` for `127.0.0.1:9465`, or `off`",
    ),
    Setting(
        "token",
        "OTEL_AGENTS_TOKEN",
        parsers.token,
        default=None,
        brief="The secret that clients of the endpoints show; required on any address but loopback.",
        accepts="1 to 1024 visible ASCII characters without spaces",
        shown="none",
        is_secret=True,
    ),
    Setting(
        "event_log",
        "OTEL_AGENTS_EVENT_LOG",
        parsers.one_of("off", "stderr", "propagate"),
        default="off",
        brief="Write each event as a line on the logger `otel_agents.events`.",
        accepts="`off`, `stderr` or `propagate`",
    ),
    Setting(
        "json_logs",
        "JSON_LOGS",
        parsers.boolean,
        default=False,
        brief="Make those lines JSON objects instead of readable text.",
        accepts=_FLAG,
        shown="false",
        is_shared=True,
    ),
    Setting(
        "log_level",
        "LOG_LEVEL",
        parsers.level,
        default=logging.INFO,
        brief="The threshold of those lines.",
        accepts="`debug`, `info`, `warning`, `error`, `critical` or a number from 0 to 100",
        shown="info",
        is_shared=True,
    ),
    Setting(
        "audit_file",
        "OTEL_AGENTS_AUDIT_FILE",
        parsers.path,
        default=None,
        brief="Append audit records to this file, as JSON Lines; one file per process.",
        accepts="the path of a file, with `~`, variables, `{pid}` and `{host}`; or `off`",
    ),
    Setting(
        "audit_key",
        "OTEL_AGENTS_AUDIT_KEY",
        parsers.key,
        default=None,
        brief="The key of the hashes that stand for sessions and senders in the audit.",
        accepts="16 to 1024 visible ASCII characters without spaces, the same for all processes",
        shown="made once, in a file beside the audit",
        is_secret=True,
    ),
    Setting(
        "audit_clear",
        "OTEL_AGENTS_AUDIT_CLEAR",
        parsers.boolean,
        default=False,
        brief="Write session ids and senders into the audit in clear.",
        accepts=_FLAG,
        shown="false",
    ),
    Setting(
        "audit_fsync",
        "OTEL_AGENTS_AUDIT_FSYNC",
        parsers.boolean,
        default=False,
        brief="Have the disk confirm each audit record before the next, so that it survives a crash of the machine.",
        accepts=_FLAG,
        shown="false",
    ),
    Setting(
        "pause_store",
        "OTEL_AGENTS_PAUSE_STORE",
        parsers.store,
        default="memory",
        brief="Where runs that wait for a human are remembered, so that another process can resume them.",
        accepts="`memory`, `sqlite:///path` or another SQLAlchemy URL",
        shown="memory",
    ),
    Setting(
        "ring_size",
        "OTEL_AGENTS_RING_SIZE",
        parsers.whole(1, MAX_SIZE),
        default=1000,
        brief="How many events are kept for clients that connect again.",
        accepts=_SIZE,
        shown="1000",
    ),
    Setting(
        "queue_size",
        "OTEL_AGENTS_QUEUE_SIZE",
        parsers.whole(1, MAX_SIZE),
        default=1000,
        brief="How many events wait for one slow subscriber before the oldest is dropped and counted.",
        accepts=_SIZE,
        shown="1000",
    ),
    Setting(
        "metric_sets",
        "OTEL_AGENTS_METRIC_SETS",
        parsers.whole(1, MAX_SIZE),
        default=500,
        brief="How many label sets one instrument may have before further labels become `_other`.",
        accepts=_SIZE,
        shown="500",
    ),
    Setting(
        "content_length",
        "OTEL_AGENTS_CONTENT_LENGTH",
        parsers.whole(1, MAX_SIZE),
        default=4096,
        brief="How many characters of one string of captured content are kept.",
        accepts=_SIZE,
        shown="4096",
    ),
    Setting(
        "propagate_run",
        "OTEL_AGENTS_PROPAGATE_RUN",
        parsers.boolean,
        default=False,
        brief="Let run id and correlation id travel to other services in W3C baggage.",
        accepts=_FLAG,
        shown="false",
    ),
    Setting(
        "capture",
        "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT",
        parsers.one_of(*CAPTURE_MODES),
        default="NO_CONTENT",
        brief="Whether inputs, outputs and messages are recorded; OpenTelemetry's own variable.",
        accepts="`NO_CONTENT`, `SPAN_ONLY`, `EVENT_ONLY` or `SPAN_AND_EVENT`",
        shown="NO_CONTENT",
    ),
    Setting(
        "live_fd",
        "OTEL_AGENTS_LIVE_FD",
        parsers.whole(0, MAX_SIZE),
        default=None,
        brief="The file descriptor on which `otel-agents run` hears its child.",
        accepts="the number of an open file descriptor; it is set by `otel-agents run`, so unset it",
        in_file=False,
        is_public=False,
    ),
    Setting(
        "live_path",
        "OTEL_AGENTS_LIVE_PATH",
        parsers.path,
        default=None,
        brief="The named pipe on which `otel-agents run` hears processes that inherit no files from its child.",
        accepts="the path of a named pipe; it is set by `otel-agents run`, so unset it",
        in_file=False,
        is_public=False,
    ),
    Setting(
        "profile",
        "OTEL_AGENTS_PROFILE",
        parsers.path,
        default=None,
        brief="Where `otel-agents run --profile` has its child write a report.",
        accepts="the path of a file; it is set by `otel-agents run`, so unset it",
        in_file=False,
        is_public=False,
    ),
)


def settings_markdown() -> str:
    """Return the public settings as a Markdown table for the reference page."""
    rows = [
        f"| `{each.env}` | `{each.name}` | `{each.shown}` | {each.brief} | {each.accepts} |"
        for each in SETTINGS
        if each.is_public
    ]
    head = "| environment variable | argument and YAML key | default | what it decides | values |"
    return "\n".join((head, "|---|---|---|---|---|", *rows)) + "\n"
