from __future__ import annotations

import json
import subprocess

import pytest

from otel_agents.adapters.langgraph import ADAPTER as LANGGRAPH_ADAPTER
from otel_agents.adapters.openai_agents import ADAPTER as OPENAI_AGENTS_ADAPTER
from otel_agents.patching.installed import release
from tests.frameworks import page
from tests.frameworks.comparing import AGAIN, Compared, compare, judge
from tests.frameworks.homes import folder_of, home
from tests.frameworks.playing import Played
from tests.frameworks.suites import LANGGRAPH, OPENAI_AGENTS, OPENAI_AGENTS_BESIDE, SUITES, Suite
from tests.need import missing

ADAPTERS = {adapter.distribution: adapter for adapter in (LANGGRAPH_ADAPTER, OPENAI_AGENTS_ADAPTER)}
QUICK = [suite for suite in SUITES.values() if not suite.is_long]
TIMEOUT_S = 1200  # an environment that is not there yet, and a busy machine


def played(**outcomes: str) -> Played:
    return Played({f"tests/a.py::{name}": how for name, how in outcomes.items()}, {}, 1.0)


class Plays:
    """Runs that end as they are told, without us and with us in turn."""

    def __init__(self, *runs: Played) -> None:
        self.left = list(runs)
        self.asked: list[tuple[tuple[str, ...], bool]] = []

    def __call__(self, *paths: str, watched: bool) -> Played:
        self.asked.append((paths, watched))
        return self.left.pop(0)


def judged(without: Played, watched: Played, *again: Played, quick: bool = False) -> tuple[Compared, Plays]:
    plays = Plays(*again)
    return judge(LANGGRAPH, without, watched, plays, quick=quick), plays


@pytest.mark.proof
@pytest.mark.timeout(TIMEOUT_S)
@pytest.mark.parametrize("suite", QUICK, ids=lambda suite: suite.name)
def test_the_tests_of_a_framework_end_with_us_as_they_do_without(suite: Suite) -> None:
    """Every test ends alike, but for those that are explained; we made spans of them, and nothing went wrong in us."""
    try:
        home(suite)
    except subprocess.CalledProcessError as error:
        missing(f"the tests of {suite.says}", f"a package registry that pip can reach ({error})")
    compared = compare(suite, quick=True)

    assert compared.different.keys() - suite.explained.keys() == set(), compared.different
    assert compared.with_us["passed"] > 1000
    assert compared.counts["spans"] > 1000
    assert [name for name in compared.counts if "swallowed" in name or "detached" in name] == []
    assert f"{suite.name}: missing" not in compared.counts


def test_tests_that_end_alike_are_not_run_again():
    """Passed or failed: what ends alike is no difference, and what fails either way is named."""
    compared, plays = judged(played(a="passed", b="failed: KeyError"), played(a="passed", b="failed: KeyError"))

    assert (compared.unsteady, compared.different, plays.asked) == ({}, {}, [])
    assert compared.failing == {"tests/a.py::b": "failed: KeyError"}
    assert compared.with_us == {"passed": 1, "failed": 1}


def test_a_test_that_fails_only_with_us_is_different():
    """Its file is run again, without and with us, and what happened each time is told."""
    bare, ours = played(a="passed"), played(a="failed: KeyError")
    compared, plays = judged(bare, ours, *(bare, ours) * AGAIN)

    assert compared.different == {"tests/a.py::a": "without 4 x passed; with 4 x failed: KeyError"}
    assert plays.asked == [(("tests/a.py",), False), (("tests/a.py",), True)] * AGAIN


def test_a_test_that_fails_for_another_reason_with_us_is_different():
    """Which exception a test fails of is a part of how it ends."""
    bare, ours = played(a="failed: ValueError"), played(a="failed: KeyError")
    compared, _ = judged(bare, ours, *(bare, ours) * AGAIN)

    assert list(compared.different) == ["tests/a.py::a"]


def test_a_test_that_is_there_only_without_us_is_different():
    """A test that vanishes did not end alike."""
    bare, ours = played(a="passed"), played()
    compared, _ = judged(bare, ours, *(bare, ours) * AGAIN)

    assert compared.different == {"tests/a.py::a": "without 4 x passed; with 4 x not there"}


def test_a_test_that_then_ends_as_without_us_is_unsteady():
    """One that failed once, and not again, with us or without, is told apart; a quick run does not go on."""
    bare, ours = played(a="passed"), played(a="failed: AssertionError")
    compared, plays = judged(bare, ours, bare, bare, quick=True)

    assert (compared.different, len(plays.asked)) == ({}, 2)
    assert compared.unsteady == {"tests/a.py::a": "without 2 x passed; with 1 x failed: AssertionError, 1 x passed"}


def test_the_versions_are_the_newest_that_the_adapters_are_tested_with():
    """What a page says of a version holds of the one that the adapter names."""
    newest = {name: release(ADAPTERS[suite.distribution].tested[1]) for name, suite in SUITES.items()}

    assert {name: release(suite.version)[: len(newest[name])] for name, suite in SUITES.items()} == newest


def test_a_suite_is_run_whole_in_its_parts():
    """What one part of the SDK's tests leaves to another is just what that runs, in the same environment."""
    assert OPENAI_AGENTS_BESIDE.parts == OPENAI_AGENTS.elsewhere
    assert folder_of(OPENAI_AGENTS_BESIDE) == folder_of(OPENAI_AGENTS)


def test_a_run_of_one_suite_keeps_what_is_known_of_the_others(tmp_path, monkeypatch):
    """The page is written again with what was found now, and the rest stands with the day of its own run."""
    results, written = tmp_path / "frameworks.json", tmp_path / "frameworks.md"
    results.write_text(page.RESULTS.read_text(encoding="utf-8"), encoding="utf-8")
    before = json.loads(results.read_text(encoding="utf-8"))["suites"]
    monkeypatch.setattr(page, "RESULTS", results)
    monkeypatch.setattr(page, "PAGE", written)
    compared, _ = judged(played(a="passed"), played(a="passed"))
    page.write([compared])

    after = json.loads(results.read_text(encoding="utf-8"))["suites"]
    assert [each["name"] for each in after] == [each["name"] for each in before]
    assert after[1:] == before[1:]
    assert (after[0]["without"], after[0]["machine"][:2]) == ({"passed": 1}, "20")
    assert written.read_text(encoding="utf-8") == page.page()


def test_the_page_is_made_from_the_results():
    """Nobody wrote into the page by hand, and it tells of every suite."""
    results = json.loads(page.RESULTS.read_text(encoding="utf-8"))

    assert page.PAGE.read_text(encoding="utf-8") == page.page()
    assert [each["name"] for each in results["suites"]] == list(SUITES)
