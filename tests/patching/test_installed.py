"""What is looked up of modules and distributions, while other threads import."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_agents import guard
from otel_agents.patching.installed import installed_version, nowhere, release

IMPORTS = """
import threading
from otel_agents.patching.apply import apply, patch_counts
from otel_agents.patching.table import Adapter, Patch

rows = (Patch("team.first:Gone.run"), Patch("team.second:Gone.run"))
apply(Adapter("team", "team", "", ("1", "1"), rows, known_by="team.own"))
half, go = threading.Event(), threading.Event()


def imports():
    import team


def looks():
    patch_counts()
    go.set()


threads = [threading.Thread(target=imports, daemon=True), threading.Thread(target=looks, daemon=True)]
threads[0].start()
half.wait(5)
threads[1].start()
for thread in threads:
    thread.join(5)
print([thread.is_alive() for thread in threads], patch_counts())
"""
TEAM = """
import sys
main = sys.modules["__main__"]
import team.first
main.half.set()
main.go.wait(5)
import team.second
import team.own
"""


@pytest.fixture
def crew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package whose name no other has, not imported."""
    (tmp_path / "crew_of_test" / "inner").mkdir(parents=True)
    (tmp_path / "crew_of_test" / "__init__.py").touch()
    (tmp_path / "crew_of_test" / "plain.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    yield
    for name in [name for name in sys.modules if name.startswith("crew_of_test")]:
        del sys.modules[name]


def test_nobody_waits_for_a_package_that_another_thread_imports(tmp_path: Path) -> None:
    """States are read while a package is half imported, whose import then needs what that reading held."""
    (tmp_path / "team").mkdir()
    (tmp_path / "team" / "__init__.py").write_text(TEAM)
    for name in ("first", "second", "own"):
        (tmp_path / "team" / f"{name}.py").touch()
    command = [sys.executable, "-c", IMPORTS]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path, timeout=60)

    assert done.stdout == "[False, False] {('team', 'missing'): 2}\n"


@pytest.mark.usefixtures("crew")
def test_a_module_is_nowhere_once_the_package_around_it_is_there_without_it() -> None:
    """Nothing is known before; what is there and not imported is not nowhere; nothing is imported to know it."""
    gone, plain = "crew_of_test.gone", "crew_of_test.plain.gone"
    names = (gone, f"{gone}.deeper", "crew_of_test.inner.gone", plain)
    assert {nowhere(name) for name in names} == {""}

    importlib.import_module("crew_of_test.plain")
    before = set(sys.modules)
    assert [nowhere(name) for name in names] == [
        "crew_of_test.gone",
        "crew_of_test.gone",
        "",
        "crew_of_test.plain.gone",
    ]
    assert [nowhere(name) for name in ("crew_of_test", "crew_of_test.plain", "crew_of_test.inner")] == ["", "", ""]
    assert set(sys.modules) == before


class Failing:
    """A finder of the host's that fails."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name.startswith("crew_of_test."):
            raise RuntimeError(name)


@pytest.mark.usefixtures("crew")
def test_a_finder_that_fails_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether a module is there is not known then; the failure is counted."""
    importlib.import_module("crew_of_test")
    monkeypatch.setattr(sys, "meta_path", [Failing(), *sys.meta_path])
    assert nowhere("crew_of_test.gone") == ""
    assert guard.errors() == {"patch.find": 1}
    guard.reset()


@pytest.mark.parametrize(
    ("version", "expected"),
    [("1.2.0", (1, 2, 0)), ("1.2.0rc1", (1, 2, 0)), ("2024.10", (2024, 10)), ("1.dev0", (1,)), ("", ()), ("x", ())],
)
def test_versions_are_compared_by_their_release_numbers(version: str, expected: tuple[int, ...]) -> None:
    """Suffixes of a version do not matter."""
    assert release(version) == expected


def test_a_distribution_that_is_not_installed_has_no_version() -> None:
    """An unknown distribution is no error."""
    assert installed_version("no-such-distribution") == installed_version("") == ()
