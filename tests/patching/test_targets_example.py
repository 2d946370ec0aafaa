"""The in-house example, watched by its YAML alone: exact tree, events, metrics; and the ways to switch it on."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_agents.patching.targets.suggesting import NotFound, suggest
from otel_agents.testing import Telemetry
from tests.adapters.examples import EXAMPLES
from tests.need import require_module
from tests.patching.declaring import force, load, messages

FOLDER = EXAMPLES / "inhouse"
FILE = FOLDER / "targets.yaml"
BIN = Path(sys.executable).parent
PRINTED = """\
  researcher: attempt 1 failed, Flaky
  writer: attempt 1 failed, Invalid
waiting: publish job-7?
published: A brief from 2 sources.
"""
TREE = """\
run brief: paused
  plan: ok
  plan: ok
  handoff researcher: ok
  node researcher (agent): ok
    node search (tool): error
    node search (tool): ok
    validation: ok
  handoff writer: ok
  node writer (agent): ok
    validation: ok
    validation: ok
  hitl: paused
run brief: ok
  handoff publisher: ok
  node publisher (agent): ok
    validation: ok
"""
EVENTS = [
    "start", "plan_requested", "plan_rejected", "plan_requested", "plan_generated",
    "handoff", "node_start", "node_start", "node_error", "node_complete", "node_error", "node_retry",
    "node_start", "node_complete", "node_complete",
    "handoff", "node_start", "validation_error", "node_error", "node_retry", "node_complete",
    "hitl_request", "complete",
    "start", "hitl_resolved", "handoff", "node_start", "node_complete", "complete",
]  # fmt: skip
METRICS = {
    "flex.run.status{runtime=acme,status=awaiting_hitl}": 1,
    "flex.run.status{runtime=acme,status=completed}": 1,
    "flex.planner.requests{phase=initial,runtime=acme}": 2,
    "flex.planner.rejections{runtime=acme}": 1,
    "flex.planner.generated{runtime=acme}": 1,
    "flex.node.duration_count{capability=search,kind=tool,outcome=error,runtime=acme}": 1,
    "flex.node.duration_count{capability=search,kind=tool,outcome=ok,runtime=acme}": 1,
    "flex.node.duration_count{capability=writer,kind=agent,outcome=ok,runtime=acme}": 1,
    "flex.node.retries{capability=researcher,runtime=acme}": 1,
    "flex.node.retries{capability=writer,runtime=acme}": 1,
    "flex.validation.errors{runtime=acme,scope=output}": 1,
    "flex.hitl.requests{runtime=acme}": 1,
    "flex.hitl.resolved{decision=approved,runtime=acme}": 1,
    "flex.hitl.wait.duration_count{decision=approved,runtime=acme}": 1,
    "flex.model.tokens{direction=input,runtime=acme}": 440,
    "flex.model.tokens{direction=output,runtime=acme}": 135,
    "yolo_handoffs_total{from_agent=coordinator,to_agent=researcher}": 1,
    "yolo_handoffs_total{from_agent=researcher,to_agent=writer}": 1,
    "yolo_handoffs_total{from_agent=writer,to_agent=publisher}": 1,
}


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[Telemetry]:
    """What is recorded of the example, whose modules are imported after the rows are in force."""
    monkeypatch.syspath_prepend(FOLDER)
    with force(FILE) as (telemetry, applied):
        program = importlib.import_module("acme.engine"), importlib.import_module("acme.approvals")
        engine = program[0].Engine()
        job = program[0].Job("job-7", "a brief on agents", "customer-3")
        with pytest.raises(program[1].NeedsApproval) as caught:
            engine.run(job)
        engine.desk.answer(str(caught.value), program[1].Verdict.APPROVED)
        assert engine.run(job) == "published: A brief from 2 sources."
        assert {state.state for state in applied.states()} == {"applied"}
        yield telemetry
    for name in [name for name in sys.modules if name.partition(".")[0] == "acme"]:
        del sys.modules[name]


def test_the_tree_of_the_example(watched: Telemetry) -> None:
    """One run, paused and resumed; rejected plan, handoffs, attempts, a tool, validation, the question."""
    assert "\n".join(watched.tree()) + "\n" == TREE


def test_the_page_shows_both_trees_as_they_are() -> None:
    """That of the example, and beside it that of the LangGraph example, which its own tests hold it to."""
    page = (EXAMPLES.parent / "docs/howto/targets.md").read_text(encoding="utf-8")
    shown = page.partition("<!-- trees -->\n\n```text\n")[2].partition("```")[0].splitlines()[2:]
    width = shown[0].index("run release-notes")
    source = (EXAMPLES.parent / "tests/adapters/test_langgraph_example.py").read_text(encoding="utf-8")

    assert [line[:width].rstrip() for line in shown if line[:width].strip()] == TREE.splitlines()
    assert "\n".join(line[width:] for line in shown) in source


def test_the_events_of_the_example(watched: Telemetry) -> None:
    """In order, with the payloads that the rows read."""
    events = watched.events
    assert [event.type for event in events] == EVENTS
    payloads = {(event.type, event.node_id): dict(event.payload) for event in events}
    assert payloads["plan_rejected", None] == {"attempt": 1, "diagnosticCount": 1, "codes": ["no_writer"]}
    assert payloads["plan_generated", None] == {
        "version": 1,
        "nodeCount": 3,
        "nodes": [
            {"id": f"{number}-{agent}", "capabilityId": agent}
            for number, agent in enumerate(("researcher", "writer", "publisher"), 1)
        ],
    }
    assert payloads["node_retry", "1-researcher"] == {"attempt": 1, "errorType": "acme.team.Flaky"}
    assert payloads["hitl_request", None] == {"requestId": "publish job-7"}
    assert {(event.run_id, event.correlation_id, event.runtime) for event in events} == {("job-7", "job-7", "acme")}


def test_the_metrics_of_the_example(watched: Telemetry) -> None:
    """Each counter and histogram that the rows feed, exactly."""
    found = watched.metrics()
    assert {name: found.get(name) for name in METRICS} == METRICS
    assert "flex.hitl.pending{runtime=acme}" not in found


def test_the_spans_of_the_example(watched: Telemetry) -> None:
    """The resumed run links to the paused one; an attribute of one's own is on both; tokens are summed on the run."""
    paused, resumed = (span for span in watched.spans if span.name == "flex.run brief")
    assert [link.context.span_id for link in resumed.links] == [paused.context.span_id]
    assert [(span.attributes or {})["acme.customer"] for span in (paused, resumed)] == ["customer-3"] * 2
    assert (paused.attributes or {})["gen_ai.usage.input_tokens"] == 420


# Switched on


def run(*command: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the folder of the example."""
    known = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    known["PATH"] = f"{BIN}{os.pathsep}{known['PATH']}"
    return subprocess.run(
        command, cwd=FOLDER, env={**known, **env}, capture_output=True, text=True, timeout=60, check=False
    )


def test_the_program_alone_is_plain_python() -> None:
    """It knows nothing of us."""
    done = run(sys.executable, "-S", "-I", "-c", "import sys; sys.path.insert(0, '.'); import app; app.main()")

    assert (done.returncode, done.stdout, done.stderr) == (0, PRINTED, "")


def test_zero_code_with_a_config_file() -> None:
    """Under `otel-agents run` the program prints the same, and its story has everything."""
    require_module("rich")
    done = run("otel-agents", "run", "--json", "--", sys.executable, "app.py", OTEL_AGENTS_CONFIG="targets.yaml")

    assert (done.returncode, done.stdout) == (0, PRINTED)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["type"] for line in lines[:-1]] == EVENTS
    assert lines[-1]["summary"]["runs"] == {"awaiting_hitl": 1, "completed": 1}


def test_a_wrong_row_is_said_once_and_the_others_work(tmp_path: Path) -> None:
    """With line and column, when the program starts; the rest of the story is there."""
    path = tmp_path / "targets.yaml"
    path.write_text(FILE.read_text().replace("kind: validation", "kind: validaton"))
    done = run("opentelemetry-instrument", sys.executable, "app.py", OTEL_AGENTS_CONFIG=str(path),
               OTEL_AGENTS_EVENT_LOG="stderr", OTEL_TRACES_EXPORTER="none", OTEL_METRICS_EXPORTER="none",
               OTEL_LOGS_EXPORTER="none")  # fmt: skip

    line = 1 + path.read_text().splitlines().index("    kind: validaton")
    said = f"{path}:{line}:5: kind: 'validaton' is no kind. Did you mean validation? The row is not used."
    assert (done.returncode, done.stdout, done.stderr.count(said)) == (0, PRINTED, 1)
    assert done.stderr.count("flex_node_start") == 5


def test_opentelemetrys_declarative_configuration(tmp_path: Path) -> None:
    """The rows may stand under `instrumentation/development.python.otel_agents`, as any setting may."""
    require_module("opentelemetry.configuration")
    (tmp_path / "otel.yaml").write_text(
        "file_format: '1.0'\ninstrumentation/development:\n  python:\n    otel_agents:\n      event_log: stderr\n"
        "      targets:\n        - method: acme.engine:Engine.run_step\n          kind: node\n"
        "          name: arg.step.agent\n        - {method: acme.engine:Engine.run, kind: rum}\n"
    )
    done = run("opentelemetry-instrument", sys.executable, "app.py", OTEL_CONFIG_FILE=str(tmp_path / "otel.yaml"),
               OTEL_EXPERIMENTAL_CONFIG_FILE=str(tmp_path / "otel.yaml"))  # fmt: skip

    assert (done.returncode, done.stdout) == (0, PRINTED)
    assert done.stderr.count("flex_node_start") == 3, done.stderr
    assert done.stderr.count("argument targets: kind: 'rum' is no kind. Did you mean run?") == 1


@pytest.mark.parametrize("arguments", [["acme_main.py"], ["-m", "acme_main"]])
def test_a_row_for_the_program_itself_is_missing(tmp_path: Path, arguments: list[str]) -> None:
    """Its module goes by another name when it runs, so that waiting for it would be in vain."""
    (tmp_path / "acme_main.py").write_text(
        "from otel_agents.patching.apply import apply\n"
        "from otel_agents.patching.targets.adapting import adapter\n"
        "from otel_agents.config.values import Target\n"
        "rows = tuple(Target({'method': f'acme_{name}:run', 'kind': 'run'}, 'here') for name in ('main', 'other'))\n"
        "for state in apply(adapter(rows)[0]).states():\n    print(state.state, state.detail)\n"
    )
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.splitlines() == [
        "missing runs as __main__; move it into a module that the program imports, and name that",
        "waiting not imported yet",
    ]


# Suggested


def test_what_is_suggested_for_the_example_is_what_its_author_wrote(tmp_path: Path) -> None:
    """The rows are valid as they are, and hold most of those that stand in the example's own file."""
    found = suggest("acme", [str(FOLDER)])
    path = tmp_path / "targets.yaml"
    path.write_text(found.text)

    assert messages(path) == []
    proposed = {(row.target, row.declared.name) for row in load(path)[0]}
    written = {(row.target, row.declared.name) for row in load(FILE)[0]}
    assert written - proposed == {
        ("acme.team:Library.search", "node"),
        ("acme.validation:Validator.problems", "validation"),
    }
    assert "# It is a planner (planner.py:" in found.text


def test_suggesting_runs_nothing_and_reads_what_it_can(tmp_path: Path) -> None:
    """A module that would exit, one with a syntax error, private and empty methods: read, skipped, left out."""
    package = tmp_path / "acme_read"
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemExit(1)\n")
    (package / "broken.py").write_text("def (:\n")
    (package / "team.py").write_text(
        "class Pause(Exception): pass\n"
        "class Team:\n    def transfer(self, a, b):\n        return a\n    def _run_step(self):\n        return 1\n"
        "    def plan(self):\n        ...\n    def approve(self, request_id):\n        raise Pause(request_id)\n"
    )
    text = suggest("acme_read", [str(tmp_path)]).text

    assert text == suggest(str(package), []).text.replace(str(package), "acme_read")
    assert text.partition("targets:\n")[2] == (
        "  # It hands work to somebody else (team.py:3, takes a, b).\n"
        "  # It needs from, to: add where that is found.\n"
        "  # - method: acme_read.team:Team.transfer\n"
        "  #   kind: handoff\n\n"
        "  # It asks a human (team.py:9, takes request_id).\n"
        "  - method: acme_read.team:Team.approve\n"
        "    kind: hitl\n"
        "    attributes: {flex.hitl.request.id: arg.request_id}\n"
        "    outcome: {paused: ['acme_read.team:Pause']}\n\n"
    )
    assert "acme_read" not in sys.modules


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ("src", {"acme.engine:run_step", "acme.sub.engine:run_step", "script:run_step"}),
        ("src/acme", {"acme.engine:run_step", "acme.sub.engine:run_step"}),
        ("src/acme/engine.py", {"acme.engine:run_step"}),
        ("src/acme/sub", {"acme.sub.engine:run_step"}),
        ("src/script.py", {"script:run_step"}),
        ("space", {"space.engine:run_step"}),
        ("./space", {"engine:run_step"}),
        ("acme.sub", {"acme.sub.engine:run_step"}),
    ],
)
def test_rows_name_modules_as_they_are_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, names: set[str]
) -> None:
    """Whether a package, a folder of packages, a part or a single file was named."""
    for name in ("src/acme/__init__", "src/acme/engine", "src/acme/sub/engine", "src/script", "space/engine"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / f"{name}.py").write_text("" if "__init__" in name else "def run_step():\n    return 1\n")
    monkeypatch.chdir(tmp_path)
    found = suggest(given, [str(tmp_path), str(tmp_path / "src")]).text

    assert set(re.findall(r"method: (\S+)", found)) == names


def test_what_stands_in_a_block_is_read_and_what_is_too_much_is_said(tmp_path: Path) -> None:
    """A definition may be one of two; of many methods the first hundred are proposed."""
    path = tmp_path / "acme_many.py"
    path.write_text("try:\n    import acme\nexcept ImportError:\n    def run_step(): return 1\n")
    assert "method: acme_many:run_step" in suggest(str(path), []).text

    path.write_text("".join(f"class C{at}:\n    def run_step(self): return 1\n" for at in range(103)))
    found = suggest(str(path), [])
    assert found.rows == 100
    assert found.text.endswith("  # 3 more are left out: name a part of the package.\n")


def test_a_package_that_is_not_there_is_said() -> None:
    """With what to do."""
    with pytest.raises(NotFound, match="there is no package 'nowhere' here"):
        suggest("nowhere", [])
