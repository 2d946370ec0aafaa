from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from otel_agents import __version__, adapters
from otel_agents.cli.check import findings
from otel_agents.cli.checks.finding import Finding
from otel_agents.config import Selection
from otel_agents.semconv import export
from tests.cli.playing import call
from tests.need import require_module

COMMANDS = ("run", "demo", "patches", "check", "semconv")
OFF = {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}


def _problems(**env: str) -> dict[str, str]:
    """Return what is wrong with an environment, and the fix of each."""
    return {each.what: each.fix for each in findings({**OFF, **env}) if each.state == "problem"}


# Help and the missing extra


def test_help_lists_the_commands_and_each_has_its_exit_codes() -> None:
    """Every command says what it does, its options and its exit codes."""
    whole = call("--help", COLUMNS="200")
    assert [name for name in COMMANDS if f" {name} " not in whole.stdout] == []

    for name in COMMANDS:
        shown = call(name, "--help", COLUMNS="200")
        assert shown.returncode == 0
        assert "Exit codes:" in shown.stdout, name
        assert "--json" in shown.stdout, name


def test_a_command_loads_no_other() -> None:
    """What is called every few minutes by cron does not wait for OpenTelemetry and for what it does not use."""
    code = """
import sys
from typer.testing import CliRunner
from otel_agents.cli.app import app
assert CliRunner().invoke(app, ["baseline", "summarize", "--help"]).exit_code == 0
ours = {name for name in sys.modules if name.startswith("otel_agents.cli.")}
print(sorted(ours), "opentelemetry.sdk" in sys.modules, "otel_agents.pipeline" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)

    loaded = [f"otel_agents.cli.{name}" for name in ("app", "baseline", "optional", "printing")]
    assert (done.stdout, done.stderr) == (f"{loaded} False False\n", "")


def test_a_misspelt_command_is_named() -> None:
    """It exits with 2, although no command was loaded to tell."""
    done = call("basline")

    assert (done.returncode, done.stdout) == (2, "")
    assert "'basline'" in done.stderr


def test_the_version_is_the_packages() -> None:
    """`--version` prints it and nothing else."""
    assert call("--version").stdout == f"otel-agents {__version__}\n"


@pytest.mark.parametrize("name", ["typer", "rich"])
def test_without_the_cli_extra_one_line_says_what_to_install(name: str) -> None:
    """The base install has the command, too; it exits with 2."""
    code = f"import sys; sys.modules[{name!r}] = None; from otel_agents.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"otel-agents: the command line needs {name}: pip install 'otel-agents[cli]'\n"


# semconv


def test_semconv_prints_the_exports_byte_for_byte() -> None:
    """The page in the docs is what `--format markdown` prints; `--json` is the JSON form."""
    assert call("semconv", "--format", "markdown").stdout == export.to_markdown()
    assert call("semconv", "--json").stdout == export.to_json()


def test_semconv_shows_every_name_as_tables() -> None:
    """The table form has each name of the vocabulary."""
    shown = call("semconv").stdout

    data = export.to_dict()
    names = [row["name"] for table in ("kinds", "metrics", "events", "attributes") for row in data[table]]  # type: ignore[attr-defined]
    assert [name for name in names if name not in shown] == []


# patches


def test_patches_lists_every_row_of_every_adapter_without_importing_a_framework() -> None:
    """All rows wait, each with its target, kind and reason; versions tested stand beside what is installed."""
    shown = json.loads(call("patches", "--json").stdout)["adapters"]

    known = list(adapters.load(Selection()))
    assert [each["name"] for each in shown] == [adapter.name for adapter in known]
    for each, adapter in zip(shown, known, strict=True):
        assert [row["target"] for row in each["patches"]] == [patch.target for patch in adapter.patches]
        assert (each["tested"]["oldest"], each["tested"]["newest"]) == adapter.tested
        assert {row["state"] for row in each["patches"]} <= {"waiting", "unsupported"}
        assert all(row["why"] for row in each["patches"])


def test_patches_can_look_for_every_target() -> None:
    """With --import the installed frameworks are imported, and every target is found or known to be absent."""
    require_module("langgraph")
    done = call("patches", "--import", "--json")

    assert done.returncode == 0
    rows = [row for each in json.loads(done.stdout)["adapters"] for row in each["patches"]]
    assert {row["state"] for row in rows} <= {"applied", "unsupported"}
    table = call("patches", "--import").stdout
    assert [row["target"] for row in rows if row["target"] not in table] == []


# check


def test_an_environment_that_can_send_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """An endpoint that answers is all it takes; the exit code is 0."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        done = call("check", "--json", OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{address}")

    shown = json.loads(done.stdout)
    assert (done.returncode, shown["ok"]) == (0, True)
    assert f"traces, metrics, logs go to {address} by OTLP, which answers" in [
        each["what"] for each in shown["findings"]
    ]


def test_an_endpoint_where_nobody_answers_is_a_problem_with_its_fix() -> None:
    """The exit code is 1; the human form has the fix below the problem."""
    done = call("check", OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1")

    assert done.returncode == 1
    rows = done.stdout.splitlines()
    place = rows.index("problem traces, metrics, logs go to 127.0.0.1:1 by OTLP, where nobody answers")
    assert rows[place + 1].strip().startswith("Start a Collector there, or name its address in OTEL_EXPORTER_OTLP_")


def test_switched_off_exporters_are_told_and_no_problem() -> None:
    """`none` is what somebody wanted; that nothing is sent is good to know."""
    found = findings(OFF)

    assert [each for each in found if each.state == "problem"] == []
    assert Finding("note", "traces are not sent: OTEL_TRACES_EXPORTER=none") in found


@pytest.mark.parametrize(
    ("env", "what", "fix"),
    [
        (
            {"OTEL_TRACES_EXPORTER": "otpl"},
            "OTEL_TRACES_EXPORTER=otpl: there is no exporter otpl",
            "Correct OTEL_TRACES_EXPORTER.",
        ),
        (
            {"OTEL_TRACES_EXPORTER": "zipkin"},
            "OTEL_TRACES_EXPORTER=zipkin: there is no exporter zipkin",
            "pip install opentelemetry-exporter-zipkin",
        ),
        (
            {"OTEL_SDK_DISABLED": "true"},
            "OTEL_SDK_DISABLED=true: OpenTelemetry sends nothing",
            "Unset OTEL_SDK_DISABLED.",
        ),
        (
            {"OTEL_AGENTS_ENABLED": "no"},
            "otel-agents is switched off by environment variable OTEL_AGENTS_ENABLED",
            "Set OTEL_AGENTS_ENABLED=true.",
        ),
        (
            {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "flask, otel_agents"},
            "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=flask,otel_agents switches otel-agents off",
            "Take otel_agents out of OTEL_PYTHON_DISABLED_INSTRUMENTATIONS.",
        ),
        (
            {"OTEL_CONFIG_FILE": "/no/such.yaml"},
            "OpenTelemetry's configuration file /no/such.yaml is not there",
            "Correct or unset OTEL_CONFIG_FILE.",
        ),
        (
            {"OTEL_METRICS_EXPORTER": "prometheus", "OTEL_EXPORTER_PROMETHEUS_PORT": "x"},
            "OTEL_EXPORTER_PROMETHEUS_PORT=x is no port",
            "Give a port such as 9464.",
        ),
        (
            {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://"},
            "OTEL_EXPORTER_OTLP_ENDPOINT: 'http://' is no URL such as http://localhost:4317",
            "Correct OTEL_EXPORTER_OTLP_ENDPOINT.",
        ),
    ],
)
def test_each_problem_has_its_fix(env: dict[str, str], what: str, fix: str) -> None:
    """The one problem of an environment is found, and told with the value and what to do."""
    assert _problems(**env) == {what: fix}


def test_a_setting_that_cannot_be_used_is_a_problem_with_the_settings_own_words() -> None:
    """Place, value and fix come from the settings themselves."""
    [(what, fix)] = _problems(OTEL_AGENTS_RING_SIZE="many").items()

    assert what.startswith("environment variable OTEL_AGENTS_RING_SIZE: 'many'")
    assert fix == "Use a whole number from 1 to 1000000; the default is 1000."


def test_an_audit_that_cannot_be_written_is_a_problem(tmp_path: Path) -> None:
    """Where a directory is a file, a variable is not set, or no directory can be made; nothing is left behind."""
    (tmp_path / "file").touch()
    fix = "Name a file in a directory that this user may write to."
    for path, why in ((f"{tmp_path}/file/a.jsonl", "Not a directory"), ("$NO_SUCH/a.jsonl", "$NO_SUCH is not set")):
        found = _problems(OTEL_AGENTS_AUDIT_FILE=path)
        assert found == {f"environment variable OTEL_AGENTS_AUDIT_FILE: cannot write to {path}: {why}": fix}

    good = findings({**OFF, "OTEL_AGENTS_AUDIT_FILE": f"{tmp_path}/new/folder/a.jsonl"})
    assert Finding("ok", f"the audit can be written in {tmp_path}/new/folder") in good
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_a_protocol_on_the_other_protocols_port_is_a_problem() -> None:
    """GRPC to 4318 is the classic mistake; nothing would ever arrive."""
    found = _problems(OTEL_LOGS_EXPORTER="otlp", OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:4318")

    assert "logs go to port 4318 by grpc, which is the other protocol's port" in found


def test_a_prometheus_port_in_use_is_a_problem() -> None:
    """The page could not be served, and OpenTelemetry as a whole would not start."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        found = _problems(
            OTEL_METRICS_EXPORTER="prometheus",
            OTEL_EXPORTER_PROMETHEUS_HOST="127.0.0.1",
            OTEL_EXPORTER_PROMETHEUS_PORT=port,
        )
    assert [*found] == [f"the Prometheus page cannot be served at 127.0.0.1:{port}: Address already in use"]


def _install(site: Path, name: str, version: str) -> None:
    """Put the metadata of a distribution into a folder of packages."""
    info = site / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


def test_distributions_of_different_releases_are_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exporter of an older release is named, with the command that mends it."""
    _install(tmp_path, "opentelemetry-exporter-prometheus", "0.40b0")
    monkeypatch.syspath_prepend(tmp_path)

    assert _problems() == {
        "OpenTelemetry distributions of different releases: opentelemetry-exporter-prometheus 0.40b0 "
        "are older than the others": "pip install --upgrade opentelemetry-exporter-prometheus"
    }


def test_other_instrumentations_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One is good to know of; two of them make the same spans twice, which is said with its fix."""
    for name in ("openinference-instrumentation-langchain", "opentelemetry-instrumentation-langchain"):
        _install(tmp_path, name, "1.0.0")
    monkeypatch.syspath_prepend(tmp_path)

    found = [each for each in findings(OFF) if "nstrument" in each.what and each.state == "note"]

    assert {"OpenLLMetry", "OpenInference"} <= {each.what.split(" ")[0] for each in found[:-1]}
    assert found[-1].fix == "Uninstall all but one, or name the others in OTEL_PYTHON_DISABLED_INSTRUMENTATIONS."
