"""Zero code: opentelemetry-instrument, declarative configuration, instrument() by call."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import otel_agents
from otel_agents import pipeline
from otel_agents.config import Config
from otel_agents.instrumentor import OtelAgentsInstrumentor
from tests.receiver import receiving

PROGRAM = """
import logging, otel_agents
logging.basicConfig(format="%(message)s")
with otel_agents.run("brief", correlation_id="c-1"), otel_agents.node("research", kind="agent"):
    logging.getLogger("host").warning("working")
print("result")
"""
BIN = Path(sys.executable).parent


def instrumented(tmp_path: Path, program: str = PROGRAM, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a program under opentelemetry-instrument."""
    path = tmp_path / "app.py"
    path.write_text(program)
    known = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    quiet = {f"OTEL_{signal}_EXPORTER": "none" for signal in ("TRACES", "METRICS", "LOGS")}
    command = [str(BIN / "opentelemetry-instrument"), sys.executable, str(path)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env=known | quiet | environ, cwd=tmp_path, timeout=60
    )


def test_three_signals_over_otlp(tmp_path: Path) -> None:
    """Under opentelemetry-instrument all three signals arrive over OTLP; the program's output is its own."""
    with receiving() as receiver:
        done = instrumented(
            tmp_path,
            OTEL_TRACES_EXPORTER="otlp",
            OTEL_METRICS_EXPORTER="otlp",
            OTEL_LOGS_EXPORTER="otlp",
            OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
            OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint,
        )
    assert (done.returncode, done.stdout, done.stderr) == (0, "result\n", "working\n")
    assert sorted(span.name for span in receiver.spans) == ["flex.node research", "flex.run brief"]
    ours = [record.event_name for record in receiver.logs if record.event_name]
    assert ours == ["flex.start", "flex.node_start", "flex.node_complete", "flex.complete"]
    assert {"flex.node.duration", "flex.run.status", "flex.run.duration"} <= {
        metric.name for metric in receiver.metrics
    }
    assert all(record.trace_id for record in receiver.logs if record.event_name)


def test_a_run_that_is_open_at_exit_is_ended_and_sent(tmp_path: Path) -> None:
    """A run that is open when the interpreter ends is told as abandoned, before the exporters are flushed."""
    program = "import otel_agents\nscope = otel_agents.run('brief')\nscope.__enter__()\n"
    with receiving() as receiver:
        done = instrumented(
            tmp_path,
            program,
            OTEL_TRACES_EXPORTER="otlp",
            OTEL_LOGS_EXPORTER="otlp",
            OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
            OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint,
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert [span.name for span in receiver.spans] == ["flex.run brief"]
    assert [record.event_name for record in receiver.logs] == ["flex.start", "flex.complete"]


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        (
            {"OTEL_AGENTS_RING_SIZ": "5"},
            "OTEL_AGENTS_RING_SIZ: there is no such setting. Did you mean OTEL_AGENTS_RING_SIZE?",
        ),
        ({"OTEL_AGENTS_RING_SIZE": "many"}, "OTEL_AGENTS_RING_SIZE: 'many' is no whole number"),
        ({"OTEL_AGENTS_CONFIG": "nowhere.yaml"}, "nowhere.yaml"),
        ({"OTEL_AGENTS_AUDIT_FILE": "/proc/a/b.jsonl"}, "OTEL_AGENTS_AUDIT_FILE: cannot write to '/proc/a/b.jsonl'"),
        (
            {"OTEL_AGENTS_ADAPTERS": "langgrap"},
            "OTEL_AGENTS_ADAPTERS: there is no adapter 'langgrap'. Did you mean langgraph?",
        ),
        ({"OTEL_AGENTS_PAUSE_STORE": "sqlite:////nowhere/p.db"}, "OTEL_AGENTS_PAUSE_STORE=sqlite:... cannot be opened"),
    ],
)
def test_bad_settings_are_said_once_and_the_program_runs(tmp_path: Path, environ: dict[str, str], message: str) -> None:
    """A wrong setting is one clear message; the program runs and telemetry goes on with the default."""
    done = instrumented(tmp_path, **environ)
    assert (done.returncode, done.stdout) == (0, "result\n")
    assert done.stderr.count(message) == 1
    assert "Traceback" not in done.stderr


def test_kill_switch(tmp_path: Path) -> None:
    """With OTEL_AGENTS_ENABLED=false nothing is recorded, and nothing is said."""
    with receiving() as receiver:
        done = instrumented(
            tmp_path,
            OTEL_AGENTS_ENABLED="false",
            OTEL_TRACES_EXPORTER="otlp",
            OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
            OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint,
        )
    assert (done.returncode, done.stdout, done.stderr) == (0, "result\n", "working\n")
    assert receiver.spans == []


CONFIGURED = """
file_format: "1.0"
tracer_provider:
  processors:
    - simple:
        exporter:
          console: {}
instrumentation/development:
  python:
    otel_agents:
      event_log: stderr
      %s
"""


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("log_level: info", ""),
        ("colour: red", "colour: there is no such setting"),
        ("ring_size: many", "ring_size: 'many' is no whole number"),
    ],
)
def test_declarative_configuration(tmp_path: Path, option: str, said: str) -> None:
    """Options of OpenTelemetry's configuration file are our settings; an unknown one gets our message."""
    (tmp_path / "otel.yaml").write_text(CONFIGURED % option)
    done = instrumented(tmp_path, OTEL_CONFIG_FILE=str(tmp_path / "otel.yaml"))
    assert done.returncode == 0
    assert "flex_run_complete" in done.stderr
    assert said in done.stderr
    assert '"flex.run brief"' in done.stdout
    assert "Traceback" not in done.stderr


def test_by_call() -> None:
    """instrument() with providers records into them; uninstrument() ends it; both can be done again."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    instrumentor = OtelAgentsInstrumentor()
    for times in (1, 2):
        instrumentor.instrument(tracer_provider=provider, config=Config.load(environ={}))
        with otel_agents.run("brief"):
            pass
        instrumentor.uninstrument()
        assert pipeline.active() is None
        assert [span.name for span in exporter.get_finished_spans()] == ["flex.run brief"] * times


def test_by_call_with_wrong_options(caplog: pytest.LogCaptureFixture) -> None:
    """instrument() with an unknown option says so, and instruments all the same."""
    instrumentor = OtelAgentsInstrumentor()
    with caplog.at_level(logging.WARNING, "otel_agents"):
        instrumentor.instrument(rings=5)
    try:
        assert pipeline.active() is not None
        assert [record.getMessage() for record in caplog.records if "rings" in record.getMessage()]
    finally:
        instrumentor.uninstrument()


def test_no_framework_is_imported(tmp_path: Path) -> None:
    """Instrumenting imports no framework."""
    program = (
        "import sys\nprint([name for name in sys.modules if name.split('.')[0] in ('langgraph', 'langchain_core')])\n"
    )
    done = instrumented(tmp_path, program)
    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.proof
def test_without_a_collector_nothing_is_said_of_us(tmp_path: Path) -> None:
    """With a Collector that is not there the program's result and exit code stay; only OpenTelemetry complains."""
    done = instrumented(
        tmp_path,
        OTEL_TRACES_EXPORTER="otlp",
        OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9",
        OTEL_EXPORTER_OTLP_TIMEOUT="1",
    )
    assert (done.returncode, done.stdout) == (0, "result\n")
    assert "otel_agents" not in done.stderr
