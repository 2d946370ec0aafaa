"""The house stays as it was planned: its floors, and the size of what stands on them."""

from __future__ import annotations

import ast
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "otel_agents"
TESTS = ROOT / "tests"
FILES = sorted(PACKAGE.rglob("*.py"))

MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 40
MEDIAN_FUNCTION_LINES = 10
MAX_POSITIONAL = 5
MAX_NESTING = 3
MAY_CATCH_BROADLY = {"guard.py", "patching/calls.py", "runtime/flex/engine/calls.py"}
BROAD = {"Exception", "BaseException"}
REFUSED_NAMES = {"utils", "util", "helpers", "helper", "base", "manager", "handler", "handlers", "common", "misc"}

Function = ast.FunctionDef | ast.AsyncFunctionDef
BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.TryStar, ast.Match)
SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


def _inside(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def _functions(tree: ast.AST) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def _lines(function: Function) -> int:
    """Count the lines of a function from `def` to its end, without its docstring and its decorators."""
    assert function.end_lineno is not None
    lines = function.end_lineno - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function, clean=False) is not None and first.end_lineno is not None:
        lines -= first.end_lineno - first.lineno + 1
    return lines


def _positional(function: Function) -> int:
    """Count the parameters that may be given by position, without self and cls."""
    names = [argument.arg for argument in (*function.args.posonlyargs, *function.args.args)]
    return len(names) - (names[:1] in (["self"], ["cls"]))


def _nesting(node: ast.AST, depth: int = 0) -> int:
    """Measure how deep blocks stand in each other; `elif` is no deeper than its `if`."""
    deepest = depth
    for field, value in ast.iter_fields(node):
        children = [child for child in (value if isinstance(value, list) else [value]) if isinstance(child, ast.AST)]
        is_elif = field == "orelse" and isinstance(node, ast.If) and [type(child) for child in children] == [ast.If]
        for child in children:
            if not isinstance(child, SCOPES):
                deeper = isinstance(child, BLOCKS) and not is_elif
                deepest = max(deepest, _nesting(child, depth + deeper))
    return deepest


def _broad(path: Path) -> Iterator[str]:
    """Name the places that catch or suppress everything."""
    for node in ast.walk(_tree(path)):
        caught: list[ast.expr | None] = []
        if isinstance(node, ast.ExceptHandler):
            caught = list(node.type.elts) if isinstance(node.type, ast.Tuple) else [node.type]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("suppress"):
            caught = list(node.args)
        if any(one is None or ast.unparse(one) in BROAD for one in caught):
            yield f"{_inside(path)}:{getattr(node, 'lineno', 0)}"


def test_modules_import_lower_floors_only() -> None:
    """Every import contract of pyproject.toml is kept."""
    # In a process of its own: it configures logging, which switches off every logger that the other tests look at.
    lint = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(cache_dir=sys.argv[1]))"
    command = [sys.executable, "-c", lint, ".cache/import-linter"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert run.returncode == 0, run.stdout + run.stderr


def test_files_are_short() -> None:
    """No module has more than 300 lines."""
    lines = {_inside(path): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}

    assert {name: count for name, count in lines.items() if count > MAX_FILE_LINES} == {}


def test_functions_are_short() -> None:
    """No function has more than 40 lines without its docstring, and half of them have less than 10."""
    sizes = {
        f"{_inside(path)}:{function.lineno} {function.name}": _lines(function)
        for path in FILES
        for function in _functions(_tree(path))
    }

    assert {name: size for name, size in sizes.items() if size > MAX_FUNCTION_LINES} == {}
    assert statistics.median(sizes.values()) < MEDIAN_FUNCTION_LINES


def test_functions_take_few_positional_parameters() -> None:
    """Beyond five, parameters are given by keyword."""
    many = {
        f"{_inside(path)}:{function.lineno} {function.name}": _positional(function)
        for path in FILES
        for function in _functions(_tree(path))
        if _positional(function) > MAX_POSITIONAL
    }

    assert many == {}


def test_functions_are_flat() -> None:
    """Blocks nest at most three deep."""
    deep = {
        f"{_inside(path)}:{function.lineno} {function.name}": _nesting(function)
        for path in FILES
        for function in _functions(_tree(path))
        if _nesting(function) > MAX_NESTING
    }

    assert deep == {}


def test_only_the_guard_and_the_call_path_catch_broadly() -> None:
    """`except Exception` stands in guard.py and patching/calls.py only."""
    places = [place for path in FILES if _inside(path) not in MAY_CATCH_BROADLY for place in _broad(path)]

    assert places == []


def test_no_module_or_class_has_a_name_that_says_nothing() -> None:
    """A module or a class is named after what it is for."""
    modules = [_inside(path) for path in FILES if {path.stem, path.parent.name} & REFUSED_NAMES]
    classes = [
        f"{_inside(path)}:{node.lineno} {node.name}"
        for path in FILES
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.ClassDef) and node.name.lower().endswith(tuple(REFUSED_NAMES - {"base", "handler"}))
    ]

    assert modules == []
    assert classes == []


def test_every_test_says_what_holds() -> None:
    """Every test has a docstring."""
    silent = [
        f"{path.relative_to(TESTS)}:{function.lineno} {function.name}"
        for path in sorted(TESTS.rglob("test_*.py"))
        for function in _functions(_tree(path))
        if function.name.startswith("test_") and not ast.get_docstring(function)
    ]

    assert silent == []
