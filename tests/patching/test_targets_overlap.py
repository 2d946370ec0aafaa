"""A call that several rows declare as the same kind is one operation."""

from __future__ import annotations

import importlib
import pickle
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.patching import acme
from tests.patching.declaring import force, written
from tests.patching.test_targets_calls import node


@pytest.mark.parametrize("order", [("Base", "Team"), ("Team", "Base")])
@pytest.mark.parametrize("last", ["inherited", "inher*"])
def test_a_method_that_is_declared_in_class_and_base_is_one_operation(
    tmp_path: Path, order: tuple[str, ...], last: str
) -> None:
    """The row of the class is the one, whichever was there first; a class beside it has that of the base."""
    rows = "".join(node(f"{owner}.{last}", owner.lower()) for owner in order)
    with force(written(tmp_path, rows)) as (telemetry, applied):
        assert acme.Team().inherited("x") == acme.Base().inherited("x") == "x"
        assert telemetry.tree() == ["node team (step): ok", "node base (step): ok"]
        assert {state.state for state in applied.states()} == {"applied"}
    assert "inherited" not in vars(acme.Team)


def test_a_function_that_is_declared_where_it_is_imported_to_as_well_is_one_operation(
    tmp_path: Path, importable: Callable[..., str]
) -> None:
    """The row of the place where callers look it up is the one; it can be pickled as before."""
    tools = importable("acme_tools", "def search(name):\n    return name\n")
    engine = importable("acme_engine", f"from {tools} import search\ndef run():\n    return search('x')\n")
    rows = "".join(f"  - {{method: '{name}:search', kind: node, name: {name}}}\n" for name in (tools, engine))
    with force(written(tmp_path, rows)) as (telemetry, _):
        module = importlib.import_module(engine)
        assert (module.run(), sys.modules[tools].search("y")) == ("x", "y")
        assert telemetry.tree() == [f"node {engine} (step): ok", f"node {tools} (step): ok"]
        for each in (module.search, sys.modules[tools].search):
            assert pickle.loads(pickle.dumps(each)) is each


def test_patterns_that_overlap_are_one_operation(tmp_path: Path) -> None:
    """The first one has it; as two kinds it is two."""
    rows = "".join(f"  - {{method: 'HOST:Team.{last}', kind: node, name: {last[-2]}}}\n" for last in ("run_*", "*_a*"))
    rows += "  - {method: 'HOST:Team.ru*', kind: phase}\n"
    with force(written(tmp_path, rows)) as (telemetry, applied):
        acme.Team().run_a()
        assert telemetry.tree() == ["phase run_a: ok", "  node _ (step): ok"]
        assert [state.detail for state in applied.states()] == [
            "run_a, run_b",
            "what it matches is declared by another row already",
            "run_a, run_b",
        ]
