"""The examples of the docs run, and what the docs show of them is what happens."""

from __future__ import annotations

import re
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml

from otel_agents.config import Config
from otel_agents.runtime.flex.capabilities import Registry
from otel_agents.runtime.flex.capabilities.configured import from_config
from otel_agents.runtime.flex.envelope import read_envelope
from tests.docs.pages import DOCS, ROOT, blocks, name, read
from tests.docs.play import play
from tests.need import require_module

BIN = Path(sys.executable).parent
WITH_EXAMPLES = [page for page in DOCS if any(block.language == "python" for block in blocks(page))]
TIMEOUT_S = 60

# What differs from run to run: durations, the thread's id, and how wide the columns are.
VARYING = (
    (re.compile(r"(?<=thread )[0-9a-f]{8}\b"), "ID"),
    (re.compile(r"(?<= )(<1 ms|\d+ ms|\d+\.\d s)\b"), "TIME"),
    (re.compile(r" +"), " "),
    (re.compile(r" $", re.MULTILINE), ""),
)


def _run(*command: str | Path, given: str = "", cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, input=given, cwd=cwd, capture_output=True, text=True, check=False, timeout=TIMEOUT_S)


def _still(text: str) -> list[str]:
    """Return the lines of a drawn tree without what differs; parallel nodes may stand in any order."""
    for pattern, word in VARYING:
        text = pattern.sub(word, text)
    return sorted(re.sub(r"[├└]─ ", "", line) for line in text.strip().splitlines())


def _shown(page: Path, what: str) -> str:
    found = re.search(rf"<!-- {what} -->\n```text\n(.*?)```\n<!-- end -->", read(page), re.DOTALL)
    assert found is not None
    return found[1]


def _drawn(stderr: str) -> str:
    """Return the tree and the sums at the end of what `otel-agents` tells."""
    return stderr[stderr.index("\n\n") :]


@pytest.mark.parametrize("page", WITH_EXAMPLES, ids=name)
def test_examples_run(page: Path) -> None:
    """Every Python example of a page runs, without a warning, and its tree and its output are as the page says."""
    require_module("langgraph", "demo")
    done = _run(sys.executable, "-W", "error", "-m", "tests.docs.play", name(page))

    assert done.returncode == 0, done.stdout + done.stderr


def test_a_wrong_example_would_be_seen(tmp_path: Path) -> None:
    """Another tree than the page says, and another output, are reported with the line of the page."""
    page = tmp_path / "page.md"
    code = 'import otel_agents\nwith otel_agents.run("report"):\n    print("done")\n'
    page.write_text(
        f"```python\n{code}```\n```text tree\nrun brief: ok\n```\n```python\n{code}```\n```text output\n```\n"
    )

    assert play(page) == [
        f"{page}:7: the page says\nrun brief: ok\nand it is\nrun report: ok\n",
        f"{page}:15: the page says\nand it is\ndone\n",
    ]


def test_the_picture_in_the_readme_is_what_the_demo_draws() -> None:
    """But for times and ids, the README shows what `otel-agents demo` tells."""
    require_module("langgraph_swarm", "demo")
    done = _run(BIN / "otel-agents", "demo", "--pace", "0.02")

    assert done.returncode == 0, done.stderr
    tree = _drawn(done.stderr).partition("\n\notel-agents: ")[0]
    assert _still(_shown(ROOT / "README.md", "demo")) == _still(tree)


def test_the_picture_in_the_tutorial_is_what_its_program_draws(tmp_path: Path) -> None:
    """But for times, the tutorial shows what `otel-agents run` tells of the program that stands there."""
    require_module("langgraph", "demo")
    tutorial = ROOT / "docs" / "tutorial.md"
    [program] = [block.text for block in blocks(tutorial) if block.language == "python"]
    (tmp_path / "report.py").write_text(program)
    done = _run(BIN / "otel-agents", "run", "--", sys.executable, "report.py", given="tides\n", cwd=tmp_path)

    assert (done.returncode, done.stdout) == (0, "Report: All about tides.\n")
    assert _still(_shown(tutorial, "report")) == _still(_drawn(done.stderr))


def _documents(said: str = "") -> list[tuple[str, Any]]:
    every = [(page, block) for page in DOCS for block in blocks(page) if block.language == "yaml"]
    found = [(page, block) for page, block in every if block.said == said]
    return [(f"{name(page)}:{block.line}", block.text) for page, block in found]


def _envelopes() -> list[tuple[str, str]]:
    """Return the envelopes of the docs: JSON with an objective, in a block of its own or in a command."""
    found = [(page, block) for page in DOCS for block in blocks(page)]
    whole = [(name(page), block.text) for page, block in found if block.text.startswith('{\n  "objective"')]
    sent = [
        (name(page), text) for page, block in found for text in re.findall(r"-d '(\{\"objective.*?\})'", block.text)
    ]
    return whole + sent


@pytest.mark.parametrize(("place", "text"), _documents())
def test_configuration_files_can_be_used(place: str, text: str, tmp_path: Path) -> None:
    """Every YAML file of the docs is read without a problem: ours by us, OpenTelemetry's by OpenTelemetry."""
    path = tmp_path / "file.yaml"
    path.write_text(text)
    options = yaml.safe_load(text)
    if "file_format" in options:
        require_module("opentelemetry.configuration").load_config_file(str(path))
        ours = options["instrumentation/development"]["python"]["otel_agents"]
        assert Config.load(ours, {}).sources.keys() == ours.keys()
    else:
        assert Config.load({"config": str(path)}, {}).sources.keys() == options.keys() - {"version"} | {"config"}


@pytest.mark.parametrize(("place", "text"), _documents("capabilities"))
def test_files_of_capabilities_can_be_used(place: str, text: str, tmp_path: Path) -> None:
    """Every file of capabilities that the docs show is read without a problem."""
    path = tmp_path / "capabilities.yaml"
    path.write_text(text)

    assert [each.id for each in from_config(path, Registry())] != []


@pytest.mark.parametrize("text", [text for _, text in _envelopes()])
def test_envelopes_are_valid(text: str) -> None:
    """Every envelope that the docs show, or have curl send, is valid."""
    read_envelope(text.encode())


def test_the_stand_in_for_a_collector_prints_what_arrives() -> None:
    """The receiver that the tutorial starts names the spans, metrics and log records that it is sent."""
    with subprocess.Popen(
        [sys.executable, ROOT / "examples" / "print_otlp.py", "--port", "0"], stdout=subprocess.PIPE, text=True
    ) as receiver:
        assert receiver.stdout is not None
        endpoint = receiver.stdout.readline().split()[-1]
        program = (
            "from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter\n"
            "from opentelemetry.sdk.trace import TracerProvider\n"
            "from opentelemetry.sdk.trace.export import SimpleSpanProcessor\n"
            "from otel_agents.instrumentor import OtelAgentsInstrumentor\n"
            "import otel_agents\n"
            "provider = TracerProvider()\n"
            f"provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter('{endpoint}/v1/traces')))\n"
            "OtelAgentsInstrumentor().instrument(tracer_provider=provider)\n"
            "with otel_agents.run('report'):\n    pass\n"
        )
        assert _run(sys.executable, "-c", program).stderr == ""
        line = receiver.stdout.readline()
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"{endpoint}/nowhere", data=b"", timeout=TIMEOUT_S)
        receiver.terminate()
    assert re.fullmatch(r"span    flex\.run report  \d+\.\d ms  trace [0-9a-f]{32}\n", line)
