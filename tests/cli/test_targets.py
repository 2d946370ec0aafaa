"""`otel-agents targets` and `otel-agents patches`, for a file of one's own."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from otel_agents.patching.targets.schema import json_schema
from tests.adapters.examples import EXAMPLES
from tests.cli.playing import call

FOLDER = EXAMPLES / "inhouse"
ROOT = EXAMPLES.parent
HOST = """\
class Waits(Exception):
    pass


class Team:
    count = 0

    def run(self, job, *, name="x"):
        return job

    @property
    def size(self):
        return 1

    class Board:
        def show(self):
            return 2


print("imported")
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to be in, with a module."""
    (tmp_path / "acme_cli.py").write_text(HOST)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def checked(folder: Path, rows: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Check a file with these rows, in this folder."""
    (folder / "t.yaml").write_text(f"version: 1\ntargets:\n{rows}")
    return call("targets", "check", "t.yaml", *options)


GOOD = "  - {method: acme_cli:Team.run, kind: run, name: arg.name, outcome: {paused: ['acme_cli:Waits']}}\n"


@pytest.mark.parametrize("name", ["check", "suggest", "schema"])
def test_each_command_says_its_exit_codes(name: str) -> None:
    """As all commands do."""
    assert "Exit codes:" in call("targets", name, "--help", COLUMNS="200").stdout


def test_a_good_file_is_checked_offline(here: Path) -> None:
    """Nothing is imported, and it exits with 0."""
    done = checked(here, GOOD)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "ok       run              acme_cli:Team.run\ntargets that can be used: 1, problems: 0\n"


def test_with_import_the_targets_are_looked_for(here: Path) -> None:
    """The module is executed, and what it prints is kept apart; what is there is found."""
    done = checked(here, GOOD, "--import")

    assert (done.returncode, done.stderr) == (0, "imported\n")
    assert done.stdout == "found    run              acme_cli:Team.run\ntargets that can be used: 1, problems: 0\n"
    assert json.loads(checked(here, GOOD, "--import", "--json").stdout)["ok"] is True


GONE = "No module named 'acme_cly'"
ELSE = "Correct the name, or install it, or call this from the folder where it can be imported."
# What is wrong with a row, the text at which that is said to stand, and what is said.
WRONG = [
    ("method: acme_cli:Team.rn, kind: run", "method", "acme_cli:Team.rn: there is no Team.rn in acme_cli",
     "Did you mean run?"),
    ("method: acme_cli:Taem.run, kind: run", "method", "acme_cli:Taem.run: there is no Taem.run in acme_cli",
     "Did you mean Team?"),
    ("method: acme_cli:Team.Boad.show, kind: run", "method",
     "acme_cli:Team.Boad.show: there is no Team.Boad.show in acme_cli", "Did you mean Board?"),
    ("method: acme_cli:Team.size, kind: run", "method",
     "acme_cli:Team.size: is a property; declare the method that it calls, since reading a value is no operation",
     "Correct the row."),
    ("method: acme_cli:Team.run, kind: run, run_id: arg.nme", "run_id", "acme_cli:Team.run has no parameter 'nme'",
     "Did you mean name?"),
    ("method: acme_cli:Team.run, kind: plan, run_id: arg.xyz", "run_id", "acme_cli:Team.run has no parameter 'xyz'",
     "It has job, name."),
    ("method: acme_cli:Team.run, kind: handoff, from: arg.nme, to: a", "from",
     "acme_cli:Team.run has no parameter 'nme'", "Did you mean name?"),
    ("method: acme_cli:Team.run, kind: node, attributes: {flex.capability.id: arg.nme}", "flex.cap",
     "acme_cli:Team.run has no parameter 'nme'", "Did you mean name?"),
    ("method: acme_cli:Team.run, kind: phase, result: {acme.x: arg.nme}", "acme.x",
     "acme_cli:Team.run has no parameter 'nme'", "Did you mean name?"),
    ("method: acme_cli:Team.run, kind: gate, outcome: {ok: [KeyError, 'acme_cli:Wait']}", "'acme_cli:Wait",
     "there is no exception 'acme_cli:Wait'", "Did you mean Waits?"),
    ("method: acme_cli:Team.run, kind: policy, outcome: {ok: ['acme_cly:Wait']}", "'acme_cly:Wait",
     f"acme_cly cannot be imported (ModuleNotFoundError: {GONE})", "Did you mean acme_cli?"),
    ("method: otel_agents.testin:capture, kind: run", "method",
     "otel_agents.testin cannot be imported (ModuleNotFoundError: No module named 'otel_agents.testin')",
     "Did you mean otel_agents.testing?"),
    ("method: acme_raises:run, kind: run", "method",
     "acme_raises cannot be imported (ZeroDivisionError: division by zero)", ELSE),
    ("method: acme_needs:run, kind: run", "method",
     f"acme_needs cannot be imported (ModuleNotFoundError: {GONE})", ELSE),
    ("method: acme_exits:run, kind: run", "method", "acme_exits exits when it is imported",
     "Keep what runs the program out of it, behind `if __name__ == '__main__':`."),
]  # fmt: skip


def test_with_import_what_is_not_there_is_said(here: Path) -> None:
    """Module, class, method, parameter, exception: each with its place and the nearest name; it exits with 1."""
    for name, source in {"raises": "1 / 0", "needs": "import acme_cly", "exits": "raise SystemExit(0)"}.items():
        (here / f"acme_{name}.py").write_text(f"{source}\n")
    done = checked(here, "".join(f"  - {{{row}}}\n" for row, *_ in WRONG), "--import")

    assert done.returncode == 1
    said = done.stdout.splitlines()[: 2 * len(WRONG)]
    assert list(zip(said[::2], said[1::2], strict=True)) == [
        (f"t.yaml:{line}:{len('  - {') + row.index(at) + 1}: {what}", f"    {fix}")
        for line, (row, at, what, fix) in enumerate(WRONG, 3)
    ]


def test_a_wrong_file_is_said_for_people_and_for_machines(here: Path) -> None:
    """The same mistake, with line and column; the row beside it is used."""
    rows = "  - {method: acme_cli:Team.run, kind: rn}\n" + GOOD
    done = checked(here, rows)
    assert done.returncode == 1
    assert done.stdout.splitlines()[:2] == [
        "t.yaml:3:33: kind: 'rn' is no kind",
        "    Did you mean run? The row is not used.",
    ]

    data = json.loads(checked(here, rows, "--json").stdout)
    assert data["ok"] is False
    assert data["problems"] == [
        {"place": "t.yaml:3:33: kind", "what": "'rn' is no kind", "fix": "Did you mean run? The row is not used."}
    ]
    assert [target["source"] for target in data["targets"]] == ["t.yaml:4:5"]


def test_a_file_that_is_not_there_is_a_problem(here: Path) -> None:
    """It exits with 1, and says which."""
    done = call("targets", "check", "nowhere.yaml")

    assert done.returncode == 1
    assert "nowhere.yaml" in done.stdout


def test_suggest_prints_a_file_that_check_takes(here: Path) -> None:
    """Read from the source: nothing is imported."""
    found = call("targets", "suggest", str(FOLDER / "acme"))
    assert (found.returncode, found.stderr) == (0, "")
    Path("t.yaml").write_text(found.stdout)
    assert call("targets", "check", "t.yaml").returncode == 0

    assert call("targets", "suggest", "acme_cli").returncode == 1
    missing = call("targets", "suggest", "nowhere")
    assert (missing.returncode, missing.stdout) == (2, "")
    assert missing.stderr == (
        "otel-agents: there is no package 'nowhere' here or on sys.path; name it, or its folder\n"
    )


def test_the_schema_is_printed_and_shipped() -> None:
    """The file in the docs is what the command prints."""
    assert json.loads(call("targets", "schema").stdout) == json_schema()
    assert json.loads((ROOT / "docs/reference/targets.schema.json").read_text()) == json_schema()


def test_patches_lists_what_is_declared(here: Path) -> None:
    """Beside the adapters, with the place in the file as the reason."""
    (here / "t.yaml").write_text(f"version: 1\ntargets:\n{GOOD}")
    data = json.loads(call("patches", "--json", OTEL_AGENTS_CONFIG="t.yaml").stdout)

    assert data["adapters"][-1] == {
        "name": "targets",
        "runtime": "",
        "distribution": None,
        "installed": None,
        "tested": None,
        "patches": [
            {
                "target": "acme_cli:Team.run",
                "kind": "run",
                "state": "waiting",
                "detail": "not imported yet",
                "why": "Declared in t.yaml:3:5.",
            }
        ],
    }
    assert "targets: declared in t.yaml" in call("patches", OTEL_AGENTS_CONFIG="t.yaml").stdout
