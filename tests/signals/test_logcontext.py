"""The run's ids on the application's own log lines, and the host's logging undisturbed by them."""

from __future__ import annotations

import io
import logging
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, cast

import pytest

from otel_agents import guard
from otel_agents.operation import Identity, log_fields, set_log_fields
from otel_agents.semconv import agents as a
from otel_agents.semconv import kinds as k
from otel_agents.signals.logcontext import LogContext
from tests.signals.exporting import EXPORTERS
from tests.signals.recording import Kept, Shelf, program, recorded, run, spans, step


@pytest.fixture
def kept() -> Kept:
    """Where the application's lines arrive."""
    return Kept()


@pytest.fixture
def app(kept: Kept) -> Iterator[logging.Logger]:
    """The application's logger."""
    logger = logging.getLogger("app.module")
    logger.setLevel(logging.INFO)
    logger.addHandler(kept)
    yield logger
    logger.removeHandler(kept)


@pytest.fixture
def context() -> Iterator[LogContext]:
    """The log context at work."""
    context = LogContext()
    context.open()
    yield context
    context.close()


@pytest.mark.usefixtures("context")
def test_a_line_inside_a_run_carries_its_ids(app: logging.Logger, kept: Kept) -> None:
    """Run, correlation and work order, and the ids of the span that is current; nothing outside a run."""
    app.info("before")
    with recorded(spans()), run(Identity("gateway", "r", "c", "wo", "sess")):
        app.info("in the run")
        with step():
            app.info("in the node")
    app.info("after")
    ids = {"runId": "r", "correlationId": "c", "workOrderId": "wo", "traceId": f"{1:032x}"}
    assert kept.added() == [{}, {**ids, "spanId": f"{1:016x}"}, {**ids, "spanId": f"{2:016x}"}, {}]


@pytest.mark.usefixtures("context")
def test_what_is_not_known_is_not_there(app: logging.Logger, kept: Kept) -> None:
    """Without a work order, iteration, phase or trace, these attributes are missing."""
    with recorded(), run():
        app.info("x")
    assert kept.added() == [{"runId": "run-1", "correlationId": "run-1"}]


@pytest.mark.usefixtures("context")
def test_iteration_and_phase_are_the_nearest_around(app: logging.Logger, kept: Kept) -> None:
    """A line knows iteration and phase from whatever depth, also inside a run of another runtime."""
    with recorded(), run(Identity("convergence", "r")):
        with step(k.ITERATION, "", {a.FLEX_ITERATION_NUMBER: 2}):
            app.info("iteration")
            with step(k.PHASE, "build", {a.FLEX_ITERATION_NUMBER: 2}), step(), run():
                app.info("deep")
        app.info("over")
    outer = {"runId": "r", "correlationId": "r"}
    assert kept.added() == [
        {**outer, "iteration": 2},
        {"runId": "run-1", "correlationId": "r", "iteration": 2, "phase": "build"},
        outer,
    ]


@pytest.mark.usefixtures("context")
def test_chosen_fields_are_added_everywhere(app: logging.Logger, kept: Kept) -> None:
    """The fields of `log_context` stand on lines inside and outside of runs, before what we know."""
    before = log_fields()
    set_log_fields({"tenant": "acme", "runId": "mine"})
    try:
        app.info("outside")
        with recorded(), run():
            app.info("inside")
    finally:
        set_log_fields(before)
    assert kept.added() == [
        {"tenant": "acme", "runId": "mine"},
        {"tenant": "acme", "runId": "mine", "correlationId": "run-1"},
    ]


@pytest.mark.usefixtures("context")
def test_the_hosts_extra_is_not_disturbed(app: logging.Logger, kept: Kept) -> None:
    """A host that uses our names for fields of its own keeps them, and no KeyError is raised."""
    extra = {"correlationId": "host's", "runId": None, "phase": 0}
    with recorded(), run(), step(k.PHASE, "build"):
        app.info("x", extra=extra)
    assert kept.added() == [extra]


class Checking(logging.Logger):
    """A logger that makes records as the standard library does, and refuses to overwrite, by itself."""

    def makeRecord(self, *args: Any, **kwargs: Any) -> logging.LogRecord:  # noqa: N802
        extra: Mapping[str, object] = args[8] or {}
        record = super().makeRecord(*args[:8], None, *args[9:], **kwargs)  # type: ignore[call-arg]
        for name in extra:
            if name in vars(record):
                raise KeyError(name)
        vars(record).update(extra, made_by="host")
        return record


class Whole(logging.Logger):
    """A logger that makes records without asking the standard library."""

    def makeRecord(self, *args: Any, **_: Any) -> logging.LogRecord:  # noqa: N802
        return logging.LogRecord(*args[:7])


@pytest.mark.usefixtures("context")
@pytest.mark.parametrize(
    ("cls", "own"), [(Checking, {"runId": "host's", "made_by": "host"}), (Whole, {"runId": "run-1"})]
)
def test_loggers_that_make_their_own_records(kept: Kept, cls: type[logging.Logger], own: dict[str, object]) -> None:
    """Whatever `makeRecord` of a subclass does, it works as before, and the line carries what it has left free."""
    logger = cls("app.own", logging.INFO)
    logger.addHandler(kept)
    with recorded(), run():
        logger.info("x", extra={"runId": "host's"})
    assert kept.added() == [{**own, "correlationId": "run-1"}]


@pytest.mark.usefixtures("context")
def test_a_record_factory_of_the_host_wins(app: logging.Logger, kept: Kept) -> None:
    """Fields that a factory puts on every record stay."""
    before = logging.getLogRecordFactory()

    def factory(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = before(*args, **kwargs)
        record.runId = "factory's"
        return record

    logging.setLogRecordFactory(factory)
    try:
        with recorded(), run():
            app.info("x")
    finally:
        logging.setLogRecordFactory(before)
    assert kept.added() == [{"runId": "factory's", "correlationId": "run-1"}]


@pytest.mark.usefixtures("context")
def test_fields_are_there_before_the_hosts_filters(app: logging.Logger, kept: Kept) -> None:
    """A filter of the host may decide by them, and its decision holds."""

    def refuse(record: logging.LogRecord) -> bool:
        return record.runId != "run-1"  # type: ignore[attr-defined]

    app.addFilter(refuse)
    try:
        with recorded(), run():
            app.info("refused")
            with run(Identity("crewai")):
                app.info("taken")
    finally:
        app.removeFilter(refuse)
    assert [record.msg for record in kept.records] == ["taken"]


def where(logger: logging.Logger, kept: Kept) -> list[tuple[str, str, int]]:
    """Log from known places, and return where the records say they come from."""

    def wrapper() -> None:
        logger.info("x", stacklevel=2)
        logger.info("x", stack_info=True)

    first = len(kept.records)
    wrapper()
    logger.log(logging.INFO, "x")
    said = [(record.filename, record.funcName, record.lineno) for record in kept.records[first:]]
    assert [bool(record.stack_info) for record in kept.records[first:]] == [False, True, False]
    return said


def test_the_caller_is_found_as_before(app: logging.Logger, kept: Kept) -> None:
    """File, function and line of a record, also with `stacklevel`, are the same with and without us."""
    without, context = where(app, kept), LogContext()
    context.open()
    try:
        with recorded(), run():
            assert where(app, kept) == without
    finally:
        context.close()
    assert {name for name, _, _ in without} == {"test_logcontext.py"}


@pytest.mark.usefixtures("context")
def test_handlers_see_no_frame_of_ours(app: logging.Logger) -> None:
    """A handler that walks up the stack to find the caller meets the standard library alone."""
    files: list[str] = []

    class Walking(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            frame: Any = sys._getframe(1)
            while frame.f_code.co_filename != __file__:
                files.append(frame.f_code.co_filename)
                frame = frame.f_back

    walking = Walking()
    app.addHandler(walking)
    try:
        with recorded(), run():
            app.info("x")
    finally:
        app.removeHandler(walking)
    assert set(files) == {logging.__file__}


@pytest.mark.usefixtures("context")
def test_each_thread_carries_its_own_run(app: logging.Logger, kept: Kept) -> None:
    """Runs in threads do not mix; a thread without a run has nothing; a copied context takes its run along."""
    barrier = threading.Barrier(4)

    def work(number: int) -> None:
        with run(Identity("langgraph", f"r{number}")):
            barrier.wait(5)
            for _ in range(50):
                app.info("r%d", number)

    with recorded(), ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
        with run(Identity("langgraph", "outer")):
            pool.submit(app.info, "none").result()
            pool.submit(copy_context().run, app.info, "outer").result()
    said = {(record.getMessage(), getattr(record, "runId", "none")) for record in kept.records}
    assert len(kept.records) == 202
    assert said == {(name, name) for name in ("r0", "r1", "r2", "r3", "none", "outer")}


@pytest.mark.usefixtures("context")
def test_a_formatted_line_stays_as_it_was(app: logging.Logger) -> None:
    """Handlers and formatters are not touched: what names no field of ours prints the same."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s %(funcName)s %(message)s"))
    app.addHandler(handler)
    try:
        with recorded(spans()), run():
            app.warning("50%% of %s", "it")
    finally:
        app.removeHandler(handler)
    assert stream.getvalue() == "WARNING app.module test_a_formatted_line_stays_as_it_was 50% of it\n"


def test_closing_leaves_everything_as_it_was(app: logging.Logger, kept: Kept) -> None:
    """No attribute of the logging module is left behind, however often it was opened and closed."""
    before, context = dict(vars(logging.Logger)), LogContext()
    for _ in range(2):
        context.open()
        context.open()
        assert "filter" in vars(logging.Logger)
        context.close()
        context.close()
        assert dict(vars(logging.Logger)) == before
    assert "filter" not in before
    with recorded(), run():
        app.info("x")
    assert kept.added() == [{}]


def test_what_was_there_before_is_there_again(app: logging.Logger, kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else's patch in the same place works under ours, and is restored to the very object."""
    seen: list[str] = []

    def theirs(self: logging.Logger, record: logging.LogRecord) -> bool:
        seen.append(record.getMessage())
        return True

    monkeypatch.setattr(logging.Logger, "filter", theirs)
    context = LogContext()
    context.open()
    with recorded(), run():
        app.info("x")
    context.close()
    assert vars(logging.Logger)["filter"] is theirs
    assert (seen, kept.added()) == (["x"], [{"runId": "run-1", "correlationId": "run-1"}])


def test_a_patch_put_around_ours_stays(app: logging.Logger, kept: Kept) -> None:
    """When somebody wrapped us meanwhile, closing does not tear that out; what is ours inside it does nothing."""
    context, loggers = LogContext(), cast("Any", logging.Logger)
    context.open()
    ours = vars(logging.Logger)["filter"]

    def around(self: logging.Logger, record: logging.LogRecord) -> bool:
        return bool(ours(self, record))

    loggers.filter = around
    context.close()
    try:
        assert vars(logging.Logger)["filter"] is around
        with recorded(), run():
            app.info("x")
    finally:
        del loggers.filter
    assert kept.added() == [{}]


@pytest.mark.usefixtures("context")
def test_a_failure_of_ours_costs_the_fields_and_nothing_else(app: logging.Logger, kept: Kept) -> None:
    """The line is written even if what is known cannot be read, and the failure is counted."""
    with recorded(strict=False), run() as operation:
        operation.run.__delattr__("id")
        app.info("x")
        assert set(guard.errors()) == {"logcontext.add"}
        operation.run.id = "run-1"
    assert [record.msg for record in kept.records] == ["x"]


@pytest.mark.usefixtures("context")
def test_opentelemetrys_handler_exports_a_line_once_with_the_fields(app: logging.Logger) -> None:
    """The application's line arrives once over OpenTelemetry, in the span's trace, with the run's ids."""
    shelf = Shelf()
    handler = EXPORTERS[-1](shelf)
    logging.getLogger().addHandler(handler)
    try:
        with recorded(spans()), run():
            app.info("x")
    finally:
        logging.getLogger().removeHandler(handler)
    ids = {"runId": "run-1", "correlationId": "run-1", "traceId": f"{1:032x}", "spanId": f"{1:016x}"}
    assert [(each["body"], each["trace"]) for each in shelf.records] == [("x", (1, 1))]
    attributes = shelf.records[0]["attributes"]
    assert isinstance(attributes, dict)
    assert {name: value for name, value in attributes.items() if not name.startswith("code.")} == ids


OFF = """
import io, logging, sys
stream = io.StringIO()
handler = logging.StreamHandler(stream)
handler.setFormatter(logging.Formatter("%(levelname)s %(name)s %(filename)s %(lineno)d %(funcName)s %(message)s"))
logging.getLogger().addHandler(handler)

class Dump(logging.Handler):
    def emit(self, record):
        changing = {"created", "msecs", "relativeCreated", "process", "thread", "exc_info"}
        stream.write(repr({name: value for name, value in vars(record).items() if name not in changing}) + "\\n")

logging.getLogger().addHandler(Dump())
def host():
    log = logging.getLogger("app")
    log.warning("plain %s", 1)
    log.error("with extra", extra={"correlationId": "host's", "runId": 1})
    try:
        1 / 0
    except ZeroDivisionError:
        log.exception("failed")
    logging.getLogger("otel_agents.events").warning("host's own use of the name")
    stream.write(repr(sorted(vars(logging.Logger))) + repr(logging.getLogger("otel_agents.events").handlers))
"""
BARE = OFF + "host(); sys.stdout.write(stream.getvalue())"
USED_AND_OFF = (
    OFF
    + """
from otel_agents.signals.eventlog import EventLog
from otel_agents.signals.feed import Envelope, Feed
from otel_agents.signals.logcontext import LogContext
from otel_agents.signals.logs import Logs
from tests.signals.exporting import EXPORTERS
from tests.signals.recording import Shelf, recorded, run, spans
context, lines, propagated = LogContext(), EventLog("stderr", Envelope()), EventLog("propagate", Envelope())
for each in (context, lines, propagated):
    each.open()
for each in (propagated, lines, context):
    each.close()
shelf = Shelf()
with recorded(spans(), Logs(shelf.provider)), run():
    host()
assert len(shelf.records) == 2
sys.stdout.write(stream.getvalue())
"""
)


def test_off_the_hosts_logging_is_the_same_byte_for_byte() -> None:
    """A host that logs inside a run with event log and log context off writes what it writes without us."""
    bare = program(BARE)
    assert program(USED_AND_OFF) == bare
    assert b"with extra" in bare
