"""What `check` and `patches` say of frameworks that are too old, too new, or there by half."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from otel_agents.cli.check import findings
from otel_agents.cli.checks.finding import Finding, note, ok, problem
from tests.cli.playing import call

OFF = {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}


def installed(folder: Path, name: str, version: str, *needs: str, files: tuple[str, ...] = ()) -> None:
    """Have a distribution be installed, as far as pip knows."""
    about = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    about.mkdir()
    head = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    (about / "METADATA").write_text(head + "".join(f"Requires-Dist: {each}\n" for each in needs))
    (about / "RECORD").write_text("".join(f"{each},,\n" for each in files))


def told(**env: str) -> list[Finding]:
    """Return what is said of LangGraph."""
    return [each for each in findings({**OFF, **env}) if each.what.startswith("langgraph ")]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is looked into first."""
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.mark.parametrize("version", ["1.0.2", "1.1.0", "1.2.99"])
def test_a_supported_version_is_fine(version: str, folder: Path) -> None:
    """From the oldest to any of the newest minor."""
    installed(folder, "langgraph", version)

    assert told() == [ok(f"langgraph {version} is supported")]


def test_an_old_version_is_a_problem_unless_its_adapter_is_off(folder: Path) -> None:
    """Whoever does not watch it need not care."""
    installed(folder, "langgraph", "1.0.1")
    what = "langgraph 1.0.1 is older than 1.0.2, the oldest that is supported: some of what it does may not be seen"
    fix = "pip install 'langgraph>=1.0.2', or set OTEL_AGENTS_ADAPTERS=-langgraph if you do not watch it."

    assert told() == [problem(what, fix)]
    assert told(OTEL_AGENTS_ADAPTERS="-langgraph") == []


def test_a_new_version_is_worth_a_word(folder: Path) -> None:
    """It may well work, and another command says whether it does."""
    installed(folder, "langgraph", "1.3.0")
    what = "langgraph 1.3.0 is newer than 1.2, the newest that was tested"

    assert told() == [note(what, "`otel-agents patches --import` says whether all is there.")]


def test_what_is_needed_and_not_installed_is_named(folder: Path) -> None:
    """Also what is needed further down, and for an extra that is asked for; not what is for another place."""
    needs = ("nowhere-a>=2", "nowhere-b; sys_platform == 'nowhere'", "nowhere-c; extra == 'more'", "crew-of-test[deep]")
    installed(folder, "langgraph", "1.2.0", *needs)
    installed(
        folder,
        "crew-of-test",
        "1",
        "nowhere-d; extra == 'deep'",
        "nowhere-e; extra == 'other'",
        "langgraph",
        "no (such",
    )

    what = "langgraph 1.2.0 is half installed: it needs nowhere-a, nowhere-d, which are not there"
    assert told() == [ok("langgraph 1.2.0 is supported"), problem(what, "pip install langgraph==1.2.0")]


def test_what_was_installed_and_is_gone_is_named(folder: Path) -> None:
    """Modules, but for tests and for what was compiled in its place; of many the first."""
    files = [f"langgraph/{each}.py" for each in "abcde"]
    for each in ("langgraph/a.py", "langgraph/b.pyc"):
        (folder / each).parent.mkdir(exist_ok=True)
        (folder / each).touch()
    installed(folder, "langgraph", "1.2.0", files=(*files, "langgraph/tests/test_x.py", "langgraph/f.txt"))

    what = "langgraph 1.2.0 is half installed: langgraph/c.py, langgraph/d.py, langgraph/e.py, which are not there"
    fix = "pip install --force-reinstall --no-deps langgraph==1.2.0"
    assert told() == [ok("langgraph 1.2.0 is supported"), problem(what, fix)]


def test_patches_say_what_keeps_a_framework_from_being_imported(tmp_path: Path) -> None:
    """A module that is there and fails is missing, with Python's words; what is not installed goes on waiting."""
    (tmp_path / "langgraph" / "pregel").mkdir(parents=True)
    for package in ("langgraph", "langgraph/pregel"):
        (tmp_path / package / "__init__.py").touch()
    (tmp_path / "langgraph" / "pregel" / "main.py").write_text("import no_such_dependency\n")
    installed(tmp_path, "langgraph", "1.2.0")
    done = call("patches", "--import", "--json", PYTHONPATH=str(tmp_path))

    adapters = {each["name"]: each for each in json.loads(done.stdout)["adapters"]}
    rows = {row["target"]: (row["state"], row["detail"]) for row in adapters["langgraph"]["patches"]}
    why = "cannot be imported (ModuleNotFoundError: No module named 'no_such_dependency')"
    assert done.returncode == 1
    assert rows["langgraph.pregel.main:Pregel.stream"] == ("missing", f"langgraph.pregel.main {why}")
    gone = ("missing", "there is no module langgraph.pregel._retry")
    assert rows["langgraph.pregel._retry:_should_retry_on"] == gone
    assert why in call("patches", "--import", PYTHONPATH=str(tmp_path)).stdout
