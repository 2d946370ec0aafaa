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
    """The module is executed; what is there is found."""
    done = checked(here, GOOD, "--import")

    assert done.returncode == 0
    assert (
        done.stdout
        == "imported\nfound    run              acme_cli:Team.run\ntargets that can be used: 1, problems: 0\n"
    )


@pytest.mark.parametrize(
    ("row", "said", "fix"),
    [
        ("method: acme_cli:Team.rn, kind: run", "there is no Team.rn in acme_cli", "Did you mean run?"),
        ("method: acme_cli:Team.size, kind: run", "is a property", "Correct the row."),
        ("method: acme_cli:Team.run, kind: run, name: arg.nme", "has no parameter 'nme'", "Did you mean name?"),
        ("method: acme_cli:Team.run, kind: run, outcome: {ok: ['acme_cli:Wait']}", "no exception 'acme_cli:Wait'",
         "Did you mean Waits?"),
        ("method: acme_cly:Team.run, kind: run", "acme_cly cannot be imported", "Correct the name, or install it"),
    ],
)  # fmt: skip
def test_with_import_what_is_not_there_is_said(here: Path, row: str, said: str, fix: str) -> None:
    """Target, parameter, exception, module: each with its place and fix; it exits with 1."""
    done = checked(here, f"  - {{{row}}}\n", "--import")

    assert done.returncode == 1
    assert f"t.yaml:3:5: " in done.stdout  # noqa: F541
    assert said in done.stdout
    assert fix in done.stdout


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
