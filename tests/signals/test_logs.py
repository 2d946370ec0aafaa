"""Facts as OpenTelemetry log records: exact names, attributes, severities and trace context."""

from __future__ import annotations

import copy
from functools import partial

import pytest
from opentelemetry import trace
from opentelemetry._logs import Logger, SeverityNumber
from opentelemetry.sdk._logs import LogRecordProcessor, ReadWriteLogRecord
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from otel_agents.content import Capture
from otel_agents.operation import Identity
from otel_agents.recorder import RECORDER
from otel_agents.semconv import agents as a
from otel_agents.semconv import events as e
from otel_agents.semconv import gen_ai as g
from otel_agents.semconv import kinds as k
from otel_agents.semconv.events import EVENTS
from otel_agents.semconv.model import EventType
from otel_agents.signals.logs import Logs, Record
from tests.signals.recording import EPOCH_NS, MS, Shelf, program, recorded, run, spans, step

INFO = ("INFO", SeverityNumber.INFO)
WARN = ("WARN", SeverityNumber.WARN)
ERROR = ("ERROR", SeverityNumber.ERROR)
EVENTS_ON = Capture(events=True)
RUN = {"flex.run.id": "run-1", "flex.correlation.id": "run-1", "flex.runtime": "langgraph"}


def test_a_node_leaves_two_whole_records() -> None:
    """Start and end of a node: envelope, payload, the time of the fact, and the trace context of its own span."""
    shelf = Shelf()
    with recorded(spans(), Logs(shelf.provider)), run(), step(attributes={a.FLEX_NODE_LABEL: "Draft it"}) as node:
        RECORDER.set(node, {a.FLEX_NODE_ATTEMPT: 2})
    node_of = {"flex.node.id": "draft-1", "flex.capability.id": "draft", "flex.node.kind": "agent"}
    assert shelf.records[1:3] == [
        {
            "scope": "otel_agents",
            "event_name": "flex.node_start",
            "body": "flex_node_start",
            "severity": INFO,
            "at_ms": 2,
            "trace": (1, 2),
            "attributes": {"flex.event.type": "node_start", **RUN, **node_of, "flex.node.label": "Draft it"},
        },
        {
            "scope": "otel_agents",
            "event_name": "flex.node_complete",
            "body": "flex_node_complete",
            "severity": INFO,
            "at_ms": 4,
            "trace": (1, 2),
            "attributes": {
                "flex.event.type": "node_complete",
                **RUN,
                **node_of,
                "flex.outcome": "ok",
                "flex.duration_ms": 2.0,
                "flex.node.attempt": 2,
            },
        },
    ]


def test_a_run_leaves_two_whole_records() -> None:
    """Start and end of a run: where it comes from on every record, its status at the end, never the session."""
    shelf = Shelf()
    identity = Identity("gateway", "r-7", "c-7", "wo-7", "sess-7", "web", 3)
    with recorded(spans(), Logs(shelf.provider)), run(identity, {a.FLEX_THREAD_ID: "t-1"}):
        pass
    envelope = {
        "flex.run.id": "r-7",
        "flex.correlation.id": "c-7",
        "flex.runtime": "gateway",
        "flex.work_order.id": "wo-7",
        "flex.channel": "web",
        "flex.plan.version": 3,
    }
    assert [(each["event_name"], each["attributes"]) for each in shelf.records] == [
        (
            "flex.start",
            {"flex.event.type": "start", **envelope, "gen_ai.workflow.name": "brief", "flex.thread.id": "t-1"},
        ),
        (
            "flex.complete",
            {"flex.event.type": "complete", **envelope, "flex.run.status": "completed", "flex.duration_ms": 2.0},
        ),
    ]


def test_a_failure_is_told_by_node_and_run() -> None:
    """A failing node: its error and the failed run are ERROR, what merely ended stays INFO."""
    shelf = Shelf()
    error = ValueError("x")
    with recorded(Logs(shelf.provider)), run(error=error), step(error=error):
        pass
    assert [(each["body"], each["severity"]) for each in shelf.records] == [
        ("flex_start", INFO),
        ("flex_node_start", INFO),
        ("flex_node_error", ERROR),
        ("flex_node_complete", INFO),
        ("flex_run_complete", ERROR),
    ]
    assert shelf.attributes("flex.node_error")["error.type"] == "ValueError"
    assert shelf.attributes("flex.complete")["flex.run.status"] == "failed"


@pytest.mark.parametrize(
    ("outcome", "status"),
    [("ok", "completed"), ("paused", "awaiting_hitl"), ("cancelled", "cancelled"), ("abandoned", "cancelled")],
)
def test_a_run_that_did_not_fail_is_no_error(outcome: str, status: str) -> None:
    """Waiting for a human, being cancelled or left are INFO, with the status of the run."""
    shelf = Shelf()
    with recorded(Logs(shelf.provider)), run(outcome=outcome):
        pass
    assert shelf.records[-1]["severity"] == INFO
    assert shelf.attributes("flex.complete")["flex.run.status"] == status


def test_a_failed_run_that_was_measured_elsewhere_is_an_error() -> None:
    """The status in the payload decides, also without an operation."""
    shelf = Shelf()
    with recorded(Logs(shelf.provider)):
        RECORDER.fact(e.COMPLETE, {a.FLEX_RUN_STATUS: "failed"}, status="ok")
    assert shelf.records[0]["severity"] == ERROR
    assert shelf.attributes("flex.complete")["flex.run.status"] == "failed"


@pytest.mark.parametrize(
    ("severity", "expected"),
    [
        ("info", INFO),
        ("low", INFO),
        ("warning", WARN),
        ("Medium", WARN),
        ("high", ERROR),
        ("critical", ERROR),
        ("error", ERROR),
        ("unheard of", ERROR),
        (None, ERROR),
    ],
)
def test_an_agents_error_has_its_own_severity(severity: str | None, expected: tuple[str, SeverityNumber]) -> None:
    """`agent_error` is as grave as its system says, and an error when it says nothing known."""
    shelf = Shelf()
    with recorded(Logs(shelf.provider)):
        RECORDER.fact(e.AGENT_ERROR, {a.YOLO_AGENT: "coder", g.ERROR_TYPE: "T", a.YOLO_ERROR_SEVERITY: severity})
    assert shelf.records[0]["severity"] == expected
    assert shelf.records[0]["event_name"] == "yolo.agent_error"


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.name)
def test_every_type_has_its_names_and_severity(event: EventType) -> None:
    """Event name, body and severity come from the vocabulary, for all types."""
    shelf = Shelf()
    with recorded(Logs(shelf.provider)):
        RECORDER.fact(event, status="ok")
    record = shelf.records[0]
    assert (record["event_name"], record["body"]) == (event.event_name, event.log_name)
    assert record["severity"] == {"INFO": INFO, "WARN": WARN, "ERROR": ERROR}[event.severity]
    assert record["attributes"] == {
        "flex.event.type": event.name,
        "flex.run.id": "run-1",
        "flex.correlation.id": "run-1",
        "flex.runtime": "manual",
        "flex.run.status" if event.name in {"complete", "workflow_finished"} else "flex.outcome": "ok",
    }


def test_facts_inside_a_node_carry_the_node() -> None:
    """A policy acts inside a node: node, capability and facets stand on its record, facets as JSON without values."""
    shelf = Shelf()
    facets = {"input": [{"facet": "mail", "direction": "input", "pointer": "/mail", "value": "ada@example.org"}]}
    with recorded(Logs(shelf.provider)), run(), step(attributes={a.FLEX_FACET_PROVENANCE: facets}):
        RECORDER.fact(e.POLICY_TRIGGERED, {a.FLEX_POLICY_ID: "pii", a.FLEX_POLICY_ACTION: "block"})
    assert shelf.attributes("flex.policy_triggered") == {
        "flex.event.type": "policy_triggered",
        **RUN,
        "flex.node.id": "draft-1",
        "flex.capability.id": "draft",
        "flex.facet.provenance": '{"input":[{"facet":"mail","direction":"input","pointer":"/mail"}],"output":[]}',
        "flex.policy.id": "pii",
        "flex.policy.action": "block",
    }
    assert "ada@example.org" not in repr(shelf.records)


def test_a_line_for_people_keeps_its_text_in_an_attribute() -> None:
    """A `log` event has the older name as body, like all others."""
    shelf = Shelf()
    with recorded(Logs(shelf.provider)):
        RECORDER.fact(e.LOG, {a.FLEX_MESSAGE: "half way"})
    assert (shelf.records[0]["body"], shelf.attributes("flex.log")["flex.message"]) == ("flex_log", "half way")


CANARY = "c4n4ry"


def _leak() -> None:
    error = ValueError(CANARY)
    with run(Identity("langgraph", session_id=CANARY), {a.FLEX_RUN_GOAL: CANARY}, error=error), step(error=error):
        RECORDER.fact(e.REACTION_MATCHED, {a.FLEX_REACTION_RULE: "r", a.FLEX_REACTION_SENDER: CANARY})


def test_content_stays_out() -> None:
    """Goal, sender, session and messages of exceptions are in no record, though spans may have them."""
    shelf = Shelf()
    with recorded(Logs(shelf.provider, Capture(spans=True)), capture=Capture(spans=True)):
        _leak()
    assert len(shelf.records) == 6
    assert CANARY not in repr(shelf.records)


def test_content_is_recorded_when_asked_for() -> None:
    """With content capture on for events, content fields stand beside the others; the session still does not."""
    shelf = Shelf()
    with recorded(Logs(shelf.provider, EVENTS_ON), capture=EVENTS_ON):
        _leak()
    shown = {
        (each["event_name"], name)
        for each in shelf.records
        for name, value in each["attributes"].items()  # type: ignore[attr-defined]
        if value == CANARY
    }
    assert shown == {
        ("flex.start", "flex.run.goal"),
        ("flex.reaction_matched", "flex.reaction.sender"),
        ("flex.node_error", "flex.error.message"),
        ("flex.complete", "flex.error.message"),
    }


def test_the_message_of_an_exception_is_redacted_and_cut() -> None:
    """With content capture on, a message is treated as all content: secrets are redacted, long text is cut."""
    shelf, capture = Shelf(), Capture(events=True, length=40)
    with (
        recorded(Logs(shelf.provider, capture), capture=capture),
        run(error=ValueError("password=hunter2 " + "x" * 99)),
    ):
        pass
    message = shelf.attributes("flex.complete")["flex.error.message"]
    assert message == "password=[redacted] xxxxxxxxxxxxxxxxxxxx… [cut, 116 in all]"


def test_a_run_that_is_not_sampled_is_logged_all_the_same() -> None:
    """Records do not depend on sampling, and still name the trace."""
    shelf = Shelf()
    with recorded(spans(ALWAYS_OFF), Logs(shelf.provider)), run():
        pass
    assert [(each["body"], each["trace"]) for each in shelf.records] == [
        ("flex_start", (1, 1)),
        ("flex_run_complete", (1, 1)),
    ]


def test_without_spans_records_stand_in_the_hosts_trace() -> None:
    """With the spans signal off, the context is whatever the host has made current."""
    shelf = Shelf()
    around = trace.NonRecordingSpan(trace.SpanContext(0xA, 0xB, is_remote=False))
    with recorded(Logs(shelf.provider)), trace.use_span(around), run():
        pass
    assert [each["trace"] for each in shelf.records] == [(0xA, 0xB), (0xA, 0xB)]


def test_a_plan_carries_the_version_in_force() -> None:
    """Once a plan is generated, all that follows in the run names its version."""
    shelf = Shelf()
    with recorded(Logs(shelf.provider)), run():
        with step(k.PLAN, "", {a.FLEX_PLAN_PHASE: "initial"}) as plan:
            RECORDER.set(plan, {a.FLEX_PLAN_VERSION: 4, a.FLEX_PLAN_NODES: [{"id": "a"}]})
        with step():
            pass
    versions = [each["attributes"].get("flex.plan.version") for each in shelf.records]  # type: ignore[attr-defined]
    assert versions == [None, None, 4, 4, 4, 4]
    assert shelf.attributes("flex.plan_generated")["flex.plan.nodes"] == '[{"id":"a"}]'


class OnlyErrors(LogRecordProcessor):
    """A processor that says beforehand what it wants."""

    def __init__(self) -> None:
        self.names: list[str | None] = []

    def enabled(self, *, severity_number: SeverityNumber | None = None, **_: object) -> bool:
        return severity_number == SeverityNumber.ERROR

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        self.names.append(log_record.log_record.event_name)

    def shutdown(self) -> None:
        pass

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return True


@pytest.mark.skipif(not hasattr(Logger, "enabled"), reason="needs opentelemetry-api>=1.45: Logger.enabled came with it")
def test_what_no_processor_wants_is_not_made() -> None:
    """The SDK is asked before each record; one that takes errors alone gets nothing else."""
    wanted = OnlyErrors()
    with recorded(Logs(Shelf(wanted).provider)), run(error=ValueError()):
        pass
    assert wanted.names == ["flex.complete"]


class Fickle(OnlyErrors):
    """A processor that takes everything but what comes in its first moments, and counts how often it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def enabled(self, **_: object) -> bool:
        self.asked += 1
        return self.asked > 2


@pytest.mark.skipif(not hasattr(Logger, "enabled"), reason="needs opentelemetry-api>=1.45: Logger.enabled came with it")
def test_a_refusal_is_questioned_each_time_and_a_consent_after_a_second() -> None:
    """A type of event that was refused is asked for again at once; one that was wanted is made for a second."""
    wanted = Fickle()
    with recorded(Logs(Shelf(wanted).provider)):
        for second in (0, 0, 0, 0, 0.999, 1.001, 1.002):
            RECORDER.wall_ns = partial(int, EPOCH_NS + round(second * 1000) * MS)
            RECORDER.fact(e.POLICY_UPDATE, {a.FLEX_POLICY_ID: "p"})
    assert (wanted.asked, wanted.names) == (4, ["flex.policy_update"] * 5)


LATER = """
from opentelemetry._logs import set_logger_provider
from otel_agents.operation import Identity
from otel_agents.recorder import RECORDER
from otel_agents.signals.logs import Logs, Record
from tests.signals.recording import EPOCH_NS, MS, Shelf, recorded, run
logs, shelf = Logs(), Shelf()
with recorded(logs):
    before = logs.listening()
    with run():
        pass
    set_logger_provider(shelf.provider)
    after = logs.listening()
    with run():
        pass
print(before, after, [each["event_name"] for each in shelf.records])
"""


@pytest.mark.parametrize(
    ("disabled", "said"),
    [("false", "False True ['flex.start', 'flex.complete']"), ("true", "False False []")],
)
def test_an_sdk_may_come_later(disabled: str, said: str) -> None:
    """Without an SDK nobody listens; from the moment it is set on, records are made, unless it is disabled."""
    assert program(LATER, OTEL_SDK_DISABLED=disabled).decode().strip() == said


def test_a_copied_record_is_as_if_copied_by_the_library() -> None:
    """The copy that each processor takes has the same fields, and changing one leaves the other alone."""
    record = Record(timestamp=5, body="flex_start", attributes={"flex.run.id": "r"}, event_name="flex.start")
    twin = copy.copy(record)
    assert type(twin) is Record
    assert vars(twin) == vars(record)
    twin.body = "another"
    assert record.body == "flex_start"
