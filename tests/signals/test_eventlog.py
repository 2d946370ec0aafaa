"""Events as lines of the standard logging library: exact lines, never twice, and nothing left behind."""

from __future__ import annotations

import io
import json
import logging
import logging.handlers
import pickle
import queue
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from otel_agents import guard
from otel_agents.content import Capture
from otel_agents.operation import Identity
from otel_agents.recorder import RECORDER
from otel_agents.semconv import agents as a
from otel_agents.semconv import events as e
from otel_agents.signals.eventlog import LOGGER, EventLog, Mode
from otel_agents.signals.feed import Envelope
from otel_agents.signals.logcontext import LogContext
from otel_agents.signals.logs import Logs
from tests.signals.exporting import EXPORTERS, Exporter
from tests.signals.recording import Kept, Shelf, program, recorded, run, spans, step

FIELDS = (
    "eventType", "runId", "correlationId", "workOrderId", "planVersion", "nodeId", "capabilityId", "facetProvenance",
    "status", "durationMs", "traceId", "spanId", "payload",
)  # fmt: skip
GOAL = {a.FLEX_RUN_GOAL: "c4n4ry"}
UNKNOWN: dict[str, object] = dict.fromkeys(FIELDS)


@contextmanager
def log(mode: Mode, **settings: Any) -> Iterator[EventLog]:
    """An event log at work."""
    lines = EventLog(mode, Envelope(), **settings)
    lines.open()
    try:
        yield lines
    finally:
        lines.close()


@contextmanager
def on_root(handler: logging.Handler) -> Iterator[None]:
    """A handler of the host."""
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)


def test_json_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """One JSON object a line with all fields in their order, unknown ones null."""
    with log("stderr", as_json=True) as lines, recorded(spans(), lines), run(Identity("gateway", "r", "c", "wo")):
        facets = {"input": [{"facet": "mail", "pointer": "/mail"}]}
        with step(attributes={a.FLEX_FACET_PROVENANCE: facets}):
            RECORDER.fact(e.PLAN_REJECTED, {a.FLEX_PLAN_CODES: ["cycle"]})
    out, err = capsys.readouterr()
    said = [json.loads(line) for line in err.splitlines()]
    run_of = {**UNKNOWN, "runId": "r", "correlationId": "c", "workOrderId": "wo", "traceId": f"{1:032x}"}
    node_of = {**run_of, "nodeId": "draft-1", "capabilityId": "draft", "spanId": f"{2:016x}"}
    node_of["facetProvenance"] = {"input": [{"facet": "mail", "pointer": "/mail"}], "output": []}
    assert out == ""
    assert said[2:] == [
        {
            "level": "WARNING", "timestamp": "2026-01-01T00:00:00.003Z", "message": "flex_plan_rejected",
            "module": "gateway", **node_of, "eventType": "plan_rejected", "payload": {"codes": ["cycle"]},
        },
        {
            "level": "INFO", "timestamp": "2026-01-01T00:00:00.005Z", "message": "flex_node_complete",
            "module": "gateway", **node_of, "eventType": "node_complete", "status": "ok", "durationMs": 3.0,
            "payload": {"kind": "agent"},
        },
        {
            "level": "INFO", "timestamp": "2026-01-01T00:00:00.008Z", "message": "flex_run_complete",
            "module": "gateway", **run_of, "spanId": f"{1:016x}", "eventType": "complete", "status": "completed",
            "durationMs": 7.0, "payload": {"status": "completed"},
        },
    ]  # fmt: skip
    assert [tuple(each) for each in said] == [("level", "timestamp", "message", "module", *FIELDS)] * 5


def test_readable_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """Time, level, the older name, then what is known; a correlation id that is the run's own is not repeated."""
    error = ValueError("x")
    with log("stderr") as lines, recorded(spans(), lines), run(Identity("gateway", "r")), step(error=error):
        RECORDER.fact(e.PLAN_REJECTED, {a.FLEX_PLAN_CODES: ["cycle", "b"]})
        with run():
            pass
    node = "nodeId=draft-1 capabilityId=draft"
    outer = f"runtime=gateway runId=r {node}"
    inner = f"runtime=langgraph runId=run-1 correlationId=r {node}"
    assert capsys.readouterr().err.splitlines() == [
        "2026-01-01T00:00:00.001Z INFO    flex_start runtime=gateway runId=r name=brief",
        f"2026-01-01T00:00:00.002Z INFO    flex_node_start {outer} kind=agent",
        f'2026-01-01T00:00:00.003Z WARNING flex_plan_rejected {outer} codes=["cycle","b"]',
        f"2026-01-01T00:00:00.004Z INFO    flex_start {inner} name=brief",
        f"2026-01-01T00:00:00.006Z INFO    flex_run_complete {inner} status=completed durationMs=2.0",
        f"2026-01-01T00:00:00.009Z ERROR   flex_node_error {outer} status=error durationMs=7.0 errorType=ValueError",
        f"2026-01-01T00:00:00.009Z INFO    flex_node_complete {outer} status=error durationMs=7.0 kind=agent",
        "2026-01-01T00:00:00.013Z INFO    flex_run_complete runtime=gateway runId=r status=completed durationMs=12.0",
    ]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("plain", "plain"),
        ("two words", '"two words"'),
        ("", '""'),
        ("a=b", '"a=b"'),
        ('"', '"\\""'),
        ("x\nERROR flex_node_error", '"x\\nERROR flex_node_error"'),
        ("\x1b[2J", '"\\u001b[2J"'),
        ("\u2028", '"\\u2028"'),
        ("Prüfung", "Prüfung"),
        (True, "true"),
        (1.5, "1.5"),
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_no_value_makes_a_line_of_its_own(
    capsys: pytest.CaptureFixture[str], value: object, shown: str, *, as_json: bool
) -> None:
    """Whatever the host's names contain, an event stays one line, and a field one field."""
    with log("stderr", as_json=as_json) as lines, recorded(lines):
        RECORDER.fact(e.POLICY_UPDATE, {a.FLEX_POLICY_ID: value})
    (line,) = capsys.readouterr().err.splitlines()
    if as_json:
        assert json.loads(line)["payload"] == {"policyId": value}
    else:
        assert line.endswith(f" runId=run-1 policyId={shown}")


def test_content_stays_out(capsys: pytest.CaptureFixture[str]) -> None:
    """Lines have what events have: no goal, session or message of an exception, unless events may carry content."""
    identity, error = Identity("langgraph", session_id="c4n4ry"), ValueError("c4n4ry")
    spans_only = Capture(spans=True)
    with log("stderr") as lines, recorded(lines, capture=spans_only), run(identity, GOAL, error=error):
        pass
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 2
    assert "c4n4ry" not in err


@pytest.mark.parametrize(
    ("level", "messages"),
    [
        (logging.DEBUG, ["flex_policy_update", "flex_plan_rejected", "flex_node_error"]),
        (logging.INFO, ["flex_policy_update", "flex_plan_rejected", "flex_node_error"]),
        (logging.WARNING, ["flex_plan_rejected", "flex_node_error"]),
        (logging.ERROR, ["flex_node_error"]),
        (logging.CRITICAL, []),
    ],
)
@pytest.mark.parametrize("mode", ["stderr", "propagate"])
def test_the_level_is_a_threshold(
    capsys: pytest.CaptureFixture[str], mode: Mode, level: int, messages: list[str]
) -> None:
    """Lines below the level are not written, in either mode, whatever level the root logger has."""
    kept = Kept()
    with on_root(kept), log(mode, level=level) as lines, recorded(lines):
        for event in (e.POLICY_UPDATE, e.PLAN_REJECTED, e.NODE_ERROR):
            RECORDER.fact(event)
    written = [line.split()[2] for line in capsys.readouterr().err.splitlines()]
    propagated = [record.getMessage().split()[0] for record in kept.records]
    assert (written, propagated) == ((messages, []) if mode == "stderr" else ([], messages))


def test_a_level_of_the_host_is_heeded(capsys: pytest.CaptureFixture[str]) -> None:
    """A host that sets a level on the logger, or disables logging up to one, is obeyed."""
    logger = logging.getLogger(LOGGER)
    with log("stderr") as lines, recorded(lines):
        logger.setLevel(logging.ERROR)
        RECORDER.fact(e.PLAN_REJECTED)
        logger.setLevel(logging.NOTSET)
        logging.disable(logging.WARNING)
        RECORDER.fact(e.PLAN_REJECTED)
        RECORDER.fact(e.NODE_ERROR)
        logging.disable(logging.NOTSET)
    assert [line.split()[2] for line in capsys.readouterr().err.splitlines()] == ["flex_node_error"]


def test_propagated_records_have_the_fields_as_attributes() -> None:
    """The host's handlers get a readable message, the fact's own time, and every field, unknown ones as None."""
    kept = Kept()
    with on_root(kept), log("propagate") as lines, recorded(lines), run(Identity("gateway", "r")):
        RECORDER.fact(e.AGENT_STATUS, {a.YOLO_AGENT: "coder", a.YOLO_AGENT_STATUS: "idle"})
    record = kept.records[1]
    plain = {*vars(logging.makeLogRecord({})), "message", "asctime"}  # those two by the handlers that ran before
    assert (record.name, record.levelname, record.created) == (LOGGER, "INFO", 1_767_225_600.002)
    assert record.getMessage() == "yolo_agent_status runtime=gateway runId=r status=idle agent=coder"
    assert {name: value for name, value in vars(record).items() if name not in plain} == {
        **UNKNOWN, "eventType": "agent_status", "runId": "r", "correlationId": "r", "runtime": "gateway",
        "timestamp": "2026-01-01T00:00:00.002Z", "payload": {"agent": "coder", "status": "idle"},
    }  # fmt: skip


def test_propagated_records_travel_to_other_processes() -> None:
    """A record can be pickled, whatever its payload."""
    kept = Kept()
    with on_root(kept), log("propagate") as lines, recorded(lines), run():
        RECORDER.fact(e.STATE_LOADED)
    assert [pickle.loads(pickle.dumps(record)).__dict__ for record in kept.records] == [
        record.__dict__ for record in kept.records
    ]


def test_propagated_json_is_the_message() -> None:
    """JSON lines are what the host's formatter gets as message, too."""
    kept = Kept()
    with on_root(kept), log("propagate", as_json=True) as lines, recorded(lines):
        RECORDER.fact(e.STATE_LOADED)
    assert json.loads(kept.records[0].getMessage())["message"] == "yolo_state_loaded"


def test_a_record_factory_with_our_names_does_not_cost_the_line() -> None:
    """A host whose records all have a `runId` gets the event's, on the event's line."""
    kept, before = Kept(), logging.getLogRecordFactory()

    def factory(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = before(*args, **kwargs)
        record.runId = "factory's"
        return record

    logging.setLogRecordFactory(factory)
    try:
        with on_root(kept), log("propagate") as lines, recorded(lines):
            RECORDER.fact(e.STATE_LOADED)
    finally:
        logging.setLogRecordFactory(before)
    assert [record.__dict__["runId"] for record in kept.records] == ["run-1"]


EACH = pytest.mark.parametrize("exporter", EXPORTERS)


@EACH
@pytest.mark.parametrize("mode", ["stderr", "propagate"])
def test_opentelemetrys_handlers_export_no_event_twice(exporter: Exporter, mode: Mode) -> None:
    """With the logs signal on, each event leaves once; the host's other handlers and other lines are as ever."""
    shelf, kept = Shelf(), Kept()
    with on_root(exporter(shelf)), on_root(kept), log(mode) as lines, recorded(Logs(shelf.provider), lines), run():
        logging.getLogger("app").error("the app's own")
    assert [each["body"] for each in shelf.records] == ["flex_start", "the app's own", "flex_run_complete"]
    assert len(kept.records) == (3 if mode == "propagate" else 1)


@EACH
def test_nor_from_behind_a_queue(exporter: Exporter) -> None:
    """A handler that a queue listener serves is no way around."""
    shelf = Shelf()
    line: queue.SimpleQueue[Any] = queue.SimpleQueue()
    listener = logging.handlers.QueueListener(line, exporter(shelf))
    listener.start()
    with on_root(logging.handlers.QueueHandler(line)), log("propagate") as lines, recorded(lines), run():
        logging.getLogger("app").error("the app's own")
        listener.stop()
    assert [each["body"] for each in shelf.records] == ["the app's own"]


@EACH
def test_a_subclass_of_the_exporter_is_covered(exporter: Exporter) -> None:
    """Vendors build their handlers on OpenTelemetry's."""
    shelf = Shelf()
    handler = exporter(shelf)
    handler.__class__ = type("Vendors", (type(handler),), {})
    with on_root(handler), log("propagate") as lines, recorded(lines), run():
        logging.getLogger("app").error("the app's own")
    assert [each["body"] for each in shelf.records] == ["the app's own"]


def test_closing_leaves_everything_as_it_was() -> None:
    """Logger, handlers and OpenTelemetry's classes are as before, however often the log was opened and closed."""
    logger = logging.getLogger(LOGGER)
    classes = [logging.Logger, logging.Handler, *(type(exporter(Shelf())) for exporter in EXPORTERS)]

    def state() -> tuple[object, ...]:
        return (logger.propagate, logger.level, logger.disabled, logger.handlers, [dict(vars(cls)) for cls in classes])

    before = state()
    for mode in ("stderr", "propagate"):
        lines = EventLog(mode, Envelope())
        for _ in range(2):
            lines.open()
            lines.open()
            with recorded(lines):
                RECORDER.fact(e.STATE_LOADED)
            lines.close()
            lines.close()
            assert state() == before
    assert ["handle" in vars(cls) for cls in classes[2:]] == [False] * len(EXPORTERS)


@EACH
def test_a_patch_around_ours_on_the_exporter_stays(exporter: Exporter) -> None:
    """When somebody wrapped the exporter's class meanwhile, closing leaves that, and what is ours does nothing."""
    shelf, kept = Shelf(), Kept()
    handler = exporter(shelf)
    cls: Any = type(handler)
    with on_root(kept), log("propagate") as lines, recorded(lines):
        RECORDER.fact(e.STATE_LOADED)
        ours = vars(cls)["handle"]

        def around(self: logging.Handler, record: logging.LogRecord) -> bool:
            return bool(ours(self, record))

        cls.handle = around
    try:
        assert vars(cls)["handle"] is around
        with on_root(handler):
            logging.getLogger(LOGGER).error("the host's own")
    finally:
        del cls.handle
    assert [each["body"] for each in shelf.records] == ["the host's own"]


def test_a_configuration_of_the_host_does_not_silence_it(capsys: pytest.CaptureFixture[str]) -> None:
    """`dictConfig` disables the loggers that it does not name; who asked for event lines still gets them."""
    logger = logging.getLogger(LOGGER)
    with log("stderr") as lines, recorded(lines):
        logger.disabled = True  # what dictConfig does, without its effect on the test runner's own handlers
        RECORDER.fact(e.STATE_LOADED)
        assert logger.disabled
        logger.disabled = False
    assert [line.split()[2] for line in capsys.readouterr().err.splitlines()] == ["yolo_state_loaded"]


def test_a_filter_of_the_host_is_heeded(capsys: pytest.CaptureFixture[str]) -> None:
    """A filter on the logger decides as on any other."""
    logger = logging.getLogger(LOGGER)

    def refuse(record: logging.LogRecord) -> bool:
        return record.__dict__["eventType"] != "state_loaded"

    logger.addFilter(refuse)
    try:
        with log("stderr") as lines, recorded(lines):
            RECORDER.fact(e.STATE_LOADED)
            RECORDER.fact(e.STATE_SAVED)
    finally:
        logger.removeFilter(refuse)
    assert [line.split()[2] for line in capsys.readouterr().err.splitlines()] == ["yolo_state_saved"]


def test_stderr_may_be_replaced_gone_or_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines follow `sys.stderr`; where there is none they are dropped, and a broken one is counted, not raised."""
    first, closed = io.StringIO(), io.StringIO()
    closed.close()
    with log("stderr") as lines, recorded(lines, strict=False):
        for stream in (first, None, closed):
            monkeypatch.setattr(sys, "stderr", stream)
            RECORDER.fact(e.STATE_LOADED)
        monkeypatch.undo()
        assert guard.errors() == {"signals.happened": 1}
    assert len(first.getvalue().splitlines()) == 1


def test_the_log_context_leaves_event_lines_to_themselves() -> None:
    """With both at work, an event's line keeps its own ids and gains what only the context knows."""
    kept, context = Kept(), LogContext()
    context.open()
    try:
        with on_root(kept), log("propagate") as lines, recorded(lines), run(Identity("gateway", "r")):
            RECORDER.fact(e.STATE_LOADED)
    finally:
        context.close()
    assert {record.__dict__["runId"] for record in kept.records} == {"r"}
    assert [record.__dict__["workOrderId"] for record in kept.records] == [None] * 3


def test_it_listens() -> None:
    """Whoever asked for the lines wants operations recorded, also without an SDK."""
    assert EventLog("stderr", Envelope()).listening()


WITH_INSTRUMENTATION = """
import logging, sys
from opentelemetry._logs import set_logger_provider
from opentelemetry.instrumentation.logging import LoggingInstrumentor
from otel_agents.signals.eventlog import EventLog
from otel_agents.signals.feed import Envelope
from otel_agents.signals.logcontext import LogContext
from otel_agents.signals.logs import Logs
from tests.signals.recording import Shelf, recorded, run, spans
shelf, context = Shelf(), LogContext()
lines = EventLog("propagate", Envelope())
set_logger_provider(shelf.provider)
def instrument():
    LoggingInstrumentor().instrument(set_logging_format=True)
if FIRST: instrument()
context.open(), lines.open()
if not FIRST: instrument()
with recorded(spans(), Logs(), lines), run():
    logging.getLogger("app").error("own", extra={"correlationId": "host's"})
lines.close(), context.close()
LoggingInstrumentor().uninstrument()
for each in shelf.records:
    own = {k: v for k, v in each["attributes"].items() if not k.startswith(("flex.", "gen_ai.", "otel"))}
    print(each["body"], each["trace"], own)
"""


@pytest.mark.skipif(len(EXPORTERS) == 1, reason="needs a handler in opentelemetry-instrumentation-logging: >=0.61b0")
@pytest.mark.parametrize("first", [True, False])
def test_with_the_logging_instrumentation_nothing_arrives_twice(*, first: bool) -> None:
    """Beside opentelemetry-instrumentation-logging, in either order, events and lines arrive once each."""
    said = program(WITH_INSTRUMENTATION.replace("FIRST", str(first))).decode().splitlines()
    ids = {"correlationId": "host's", "runId": "run-1", "traceId": f"{1:032x}", "spanId": f"{1:016x}"}
    assert said == ["flex_start (1, 1) {}", f"own (1, 1) {ids}", "flex_run_complete (1, 1) {}"]
