"""Whatever is wrong around us, the program runs, the rest works, and a person is told; under the real instrumentor."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.proof.programs import Done, instrumented, sending
from tests.receiver import Receiver, receiving

TEAM = """
class Answer:
    text = "done"

    @property
    def broken(self):
        raise RuntimeError("of the host")

    @property
    def huge(self):
        return "x" * 50_000_000

    @property
    def leaves(self):
        raise SystemExit(3)


class Team:
    def run(self, job):
        return self.work(job).text + " " + job

    def work(self, job):
        return Answer()
"""
PROGRAM = """
import otel_agents
from acme.team import Team

with otel_agents.run("rest"):
    print(Team().run("job"))
"""
GOOD = "  - {method: 'acme.team:Team.run', kind: run, name: job}\n"
HEAD = f"version: 1\ntargets:\n{GOOD}"
BOMB = "".join(
    f"{name}: &{name} [{','.join([of] * 10)}]\n" for name, of in zip("abcd", ("x", "*a", "*b", "*c"), strict=True)
)
BOTH = {"flex.run job", "flex.run rest"}
REST = {"flex.run rest"}


@dataclass(frozen=True, slots=True)
class Bad:
    """A file of targets, what is said of it, and the spans that are there all the same."""

    text: str
    said: tuple[str, ...]
    spans: frozenset[str] | set[str]


BAD = {
    "a list": Bad("- a\n- b\n", ("targets.yaml", "is no mapping"), REST),
    "a bomb of anchors": Bad(f"version: 1\n{BOMB}targets: [*d,*d]\n", ("holds more than 10000 values",), REST),
    "a cycle": Bad("version: 1\ntargets: &t\n  - *t\n", ("holds more than",), REST),
    "a duplicate key": Bad(
        f"{HEAD}  - {{method: a:b, method: a:c, kind: run}}\n", ("method", "is given twice, first in line 4"), BOTH
    ),
    "a tag of Python": Bad(
        "version: 1\ntargets:\n  - !!python/object/apply:os.system ['echo no']\n", ("is not supported",), REST
    ),
    "no YAML": Bad(f"{HEAD}  - {{method\n", ("is no valid YAML",), REST),
    "a method that is not there": Bad(
        f"{HEAD}  - {{method: 'acme.team:Team.nowhere', kind: node}}\n",
        ("targets.yaml:4:5: method: there is no Team.nowhere in acme.team. The other rows are not affected.",),
        BOTH,
    ),
    "a class that is not there": Bad(
        f"{HEAD}  - {{method: 'acme.team:Nobody.work', kind: node}}\n",
        ("targets.yaml:4:5: method: there is no Nobody.work in acme.team.",),
        BOTH,
    ),
    "no method but data": Bad(
        f"{HEAD}  - {{method: 'acme.team:Answer.text', kind: node}}\n",
        ("targets.yaml:4:5: method: ",),
        BOTH,
    ),
    "a module that nobody imports": Bad(f"{HEAD}  - {{method: 'acme.nowhere:work', kind: node}}\n", (), BOTH),
    "a path that raises": Bad(
        f"{HEAD}  - {{method: 'acme.team:Team.work', kind: node, result: {{acme.a: result.broken}}}}\n",
        ("swallowed", "targets.yaml:4:5 (the program is not affected"),
        BOTH | {"flex.node work"},
    ),
    "a path that leaves": Bad(
        f"{HEAD}  - {{method: 'acme.team:Team.work', kind: node, result: {{acme.a: result.leaves}}}}\n",
        ("swallowed", "targets.yaml:4:5 (the program is not affected"),
        BOTH | {"flex.node work"},
    ),
    "a path to something huge": Bad(
        f"{HEAD}  - {{method: 'acme.team:Team.work', kind: node, result: {{acme.a: result.huge}}}}\n",
        (),
        BOTH | {"flex.node work"},
    ),
}


def package(folder: Path, **files: str) -> None:
    """Write modules; double underscores stand for folders."""
    for name, text in files.items():
        path = folder.joinpath(*name.split("__")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        (path.parent / "__init__.py").touch()


def played(folder: Path, program: str = PROGRAM, **environ: str) -> tuple[Done, Receiver]:
    """Run a program under opentelemetry-instrument, with what is in the folder first on its path."""
    app = folder / "app.py"
    app.write_text(program)
    with receiving() as receiver:
        done = instrumented(str(app), env=sending(receiver.endpoint, **environ), cwd=folder)
    return done, receiver


def spans(receiver: Receiver) -> set[str]:
    return {span.name for span in receiver.spans}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_costs_what_is_bad_in_it(name: str, tmp_path: Path) -> None:
    """The program's output and exit code are its own; one message says what and where; everything else is watched."""
    bad = BAD[name]
    package(tmp_path, acme__team=TEAM)
    (tmp_path / "targets.yaml").write_text(bad.text)

    done, receiver = played(tmp_path, OTEL_AGENTS_CONFIG="targets.yaml")

    assert (done.returncode, done.stdout) == (0, "done job\n")
    assert [part for part in bad.said if part not in done.stderr] == []
    assert bool(done.stderr) == bool(bad.said)
    assert len([line for line in done.stderr.splitlines() if not line.startswith("  ")]) <= 2
    assert "Traceback" not in done.stderr
    assert spans(receiver) == bad.spans
    assert max(len(each.value.string_value) for span in receiver.spans for each in span.attributes) < 10_000


# Frameworks

OLD = """
import otel_agents
from langgraph.pregel.main import Pregel

print(list(Pregel().stream({})))
with otel_agents.run("rest"):
    pass
"""
MAIN = "langgraph.pregel.main"
ADVICE = (
    "Of what it does some may not be seen. The program runs as it is. "
    "Fix: pip install --force-reinstall 'langgraph==1.2.*'"
)
PREGEL = "class Pregel:\n    def stream(self, input):\n        yield 1\n"


def distribution(folder: Path, version: str) -> None:
    """Have a version of LangGraph be installed, as far as pip knows."""
    about = folder / f"langgraph-{version}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: langgraph\nVersion: {version}\n")


def test_an_old_framework_is_named_with_the_version_that_it_takes(tmp_path: Path) -> None:
    """A version below the oldest that is supported: said once, with the fix; the program runs as it is."""
    package(tmp_path, langgraph__pregel__main=PREGEL)
    (tmp_path / "langgraph" / "__init__.py").touch()
    distribution(tmp_path, "0.2.0")

    done, receiver = played(tmp_path, OLD, PYTHONPATH=str(tmp_path))

    assert (done.returncode, done.stdout) == (0, "[1]\n")
    assert done.stderr.count("langgraph 0.2.0 is older than 1.0.2, the oldest that is supported") == 1
    assert "Fix: pip install 'langgraph>=1.0.2'" in done.stderr
    assert "Traceback" not in done.stderr
    assert "flex.run rest" in spans(receiver)


def test_a_new_framework_is_named_with_what_is_not_there_any_more(tmp_path: Path) -> None:
    """A version above the newest that was tested is told of once, and only since it lacks something."""
    package(tmp_path, langgraph__pregel__main=PREGEL)
    distribution(tmp_path, "9.9")

    done, receiver = played(tmp_path, OLD, PYTHONPATH=str(tmp_path))

    assert (done.returncode, done.stdout) == (0, "[1]\n")
    wrong = f"is newer than 1.2, the newest that was tested, and there is no Pregel.astream in {MAIN}"
    said = [line for line in done.stderr.splitlines() if line.startswith("langgraph")]
    assert said == [f"langgraph 9.9 {wrong}. {ADVICE}"]
    assert "flex.run rest" in spans(receiver)


LESS = """
import otel_agents
import langgraph.pregel._retry
try:
    import langgraph.pregel.main
except ModuleNotFoundError as error:
    print(error)
with otel_agents.run("rest"):
    pass
health = otel_agents.health()
print(health["status"], sorted(health["patch_points"]["langgraph"].items()))
"""


def test_a_framework_of_which_a_module_is_gone_is_told_of(tmp_path: Path) -> None:
    """The import fails with Python's words; ours say once what lacks, and health counts the rows that see nothing."""
    package(tmp_path, langgraph__pregel___retry="def _should_retry_on():\n    pass\n")
    distribution(tmp_path, "1.2.3")

    done, receiver = played(tmp_path, LESS, PYTHONPATH=str(tmp_path))

    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        "No module named 'langgraph.pregel.main'",
        "degraded [('applied', 1), ('missing', 5), ('waiting', 5)]",
    ]
    assert done.stderr == f"langgraph 1.2.3 is not whole: there is no module {MAIN}. {ADVICE}\n"
    assert spans(receiver) == REST


HALF = """
import otel_agents
import langgraph
try:
    import langgraph.pregel.main
except ModuleNotFoundError as error:
    print(error)
with otel_agents.run("rest"):
    pass
"""


def test_of_a_framework_that_is_half_there_the_program_hears_what_python_says(tmp_path: Path) -> None:
    """The import fails as it would without us, where it would; we add nothing, and the rest is watched."""
    package(tmp_path, langgraph__other="")

    done, receiver = played(tmp_path, HALF, PYTHONPATH=str(tmp_path))

    assert (done.returncode, done.stdout, done.stderr) == (0, "No module named 'langgraph.pregel'\n", "")
    assert spans(receiver) == REST


BROKEN = """
import otel_agents
try:
    import langgraph.pregel.main
except ImportError as error:
    print(error, [frame.f_code.co_name for frame, _ in __import__("traceback").walk_tb(error.__traceback__)][-1])
with otel_agents.run("rest"):
    pass
"""


def test_a_framework_whose_parts_do_not_fit_raises_what_it_raises(tmp_path: Path) -> None:
    """A module that fails while it is imported, since a part of another version is missing, fails the same."""
    package(
        tmp_path, langgraph__pregel__main="from langgraph.pregel import _runner\nfrom langgraph.types import Gone\n"
    )
    package(tmp_path, langgraph__pregel___runner="", langgraph__types="")

    done, receiver = played(tmp_path, BROKEN, PYTHONPATH=str(tmp_path))

    assert done.returncode == 0
    assert done.stdout.startswith("cannot import name 'Gone' from 'langgraph.types'")
    assert done.stdout.endswith("<module>\n")
    assert "Traceback" not in done.stderr
    assert spans(receiver) == REST


OWN = """
import otel_agents
from agents.run import AgentRunner

with otel_agents.run("rest"):
    print(AgentRunner().run("job"))
"""


def test_a_package_of_ones_own_by_a_frameworks_name_is_left_alone(tmp_path: Path) -> None:
    """`agents` is what many call theirs: nothing is watched, nothing is said."""
    package(tmp_path, agents__run="class AgentRunner:\n    def run(self, job):\n        return 'done ' + job\n")

    done, receiver = played(tmp_path, OWN, PYTHONPATH=str(tmp_path))

    assert (done.returncode, done.stdout, done.stderr) == (0, "done job\n", "")
    assert spans(receiver) == REST
