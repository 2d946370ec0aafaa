"""Proposes rows for a package that is read, never run: a commented YAML file; must not import what it reads."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Final, NamedTuple

from otel_agents.patching.targets.guessing import CLUES, WAITS, Clue
from otel_agents.patching.targets.vocabulary import DECLARED, SHORT

MANY_FILES: Final = 2000
LARGEST: Final = 1_000_000
PROPOSED: Final = 100
SKIPPED: Final = {"tests", "test", "testing", "docs", "examples", "node_modules", "build", "dist", "__pycache__"}
HOLDING: Final = {"src", "lib"}  # folders that are no packages themselves
INIT: Final = "__init__"
BLOCKS: Final = (ast.If, ast.Try, ast.TryStar, ast.With, ast.ExceptHandler)  # what is defined inside is defined around
NO_METHODS: Final = {"property", "cached_property", "abstractmethod", "overload", "setter"}
FIELDS: Final = ("name", "run_id", "correlation_id", *SHORT)

Function = ast.FunctionDef | ast.AsyncFunctionDef


class NotFound(LookupError):  # noqa: N818
    """There is no such package."""


class Suggestion(NamedTuple):
    """A YAML file as text, and how many rows it proposes."""

    text: str
    rows: int


class Method(NamedTuple):
    """A function that was read: where it stands, and what it takes, reads of itself and raises."""

    module: str
    path: str
    place: str
    parameters: tuple[str, ...]
    own: frozenset[str]
    raised: frozenset[str]

    @property
    def names(self) -> tuple[str, str]:
        """The class and the name."""
        front, _, name = self.path.rpartition(".")
        return front.rpartition(".")[2], name


def suggest(package: str, search: Sequence[str]) -> Suggestion:
    """Return what could be declared of a package or module, given by name or by its folder or file.

    Raises:
        NotFound: It is not there.
    """
    files = list(_files(package, search))
    trees = {module: (path, tree) for module, path in files if (tree := _tree(path)) is not None}
    classes = {node.name: module for module, (_, tree) in trees.items() for node in ast.walk(tree)
               if isinstance(node, ast.ClassDef)}  # fmt: skip
    methods = (each for module, (path, tree) in trees.items() for each in _methods(module, path, tree))
    like = [(clue, method) for method in methods if (clue := _clue(method)) is not None]
    found = like[:PROPOSED]
    head = f"# Proposed by `otel-agents targets suggest {package}` from names alone. Look through it, keep what fits.\n"
    rows = "".join(_row(clue, method, classes) for clue, method in found)
    rows += f"  # {len(like) - PROPOSED} more are left out: name a part of the package.\n" if like[PROPOSED:] else ""
    nothing = f"# Nothing in {len(trees)} files looks like a planner, an engine or a handoff.\ntargets: []\n"
    return Suggestion(f"{head}version: 1\n" + (f"targets:\n{rows}" if found else nothing), len(found))


# Files


def _files(package: str, search: Sequence[str]) -> Iterator[tuple[str, Path]]:
    root = _root(package, search)
    front = _name(package, root, search)
    if root.is_file():
        yield ".".join(front), root
        return
    for count, path in enumerate(sorted(root.rglob("*.py"))):
        inside = path.relative_to(root)
        if SKIPPED.intersection(inside.parts) or path.stem.startswith("test_") or path.name == "__main__.py":
            continue
        if count >= MANY_FILES:
            return
        parts = inside.with_suffix("").parts
        yield ".".join((*front, *(parts[:-1] if parts[-1] == INIT else parts))), path


def _name(package: str, root: Path, search: Sequence[str]) -> tuple[str, ...]:
    """Return how the folder or file is imported; nothing for a folder that only holds packages and modules."""
    if not Path(package).exists():
        return tuple(package.split("."))
    if root.is_dir() and not _is_package(root) and not _is_package(root.parent):
        is_namespace = package.isidentifier() and package not in HOLDING and root not in map(Path, search)
        return (package,) if is_namespace else ()
    inside: tuple[str, ...] = (root.stem if root.is_file() else root.name,)
    for folder in root.parents:
        if not _is_package(folder):
            break
        inside = (folder.name, *inside)
    return inside


def _is_package(folder: Path) -> bool:
    return (folder / f"{INIT}.py").is_file()


def _root(package: str, search: Sequence[str]) -> Path:
    """Return the folder of a package, or the file of a module; finds it without importing a package around it."""
    given = Path(package)
    if given.is_dir() or given.is_file():
        return given.resolve()
    first, *rest = package.split(".")
    spec = PathFinder.find_spec(first, list(search)) if first.isidentifier() else None
    places = [*(spec.submodule_search_locations or ()), *([spec.origin] if spec.origin else [])] if spec else []
    for place in places:
        path = Path(place).joinpath(*rest)
        if path.is_dir() or (path.is_file() and path.suffix == ".py"):
            return path
        if path.with_suffix(".py").is_file():
            return path.with_suffix(".py")
    raise NotFound(f"there is no package {package!r} here or on sys.path; name it, or its folder")


def _tree(path: Path) -> ast.Module | None:
    """Return the syntax tree of a file, None for what Python of this version cannot read."""
    try:
        if path.stat().st_size > LARGEST:
            return None
        return ast.parse(path.read_bytes(), filename=str(path))
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None


# Methods


def _methods(module: str, path: Path, tree: ast.AST, front: str = "") -> Iterator[Method]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef):
            yield from _methods(module, path, node, f"{front}{node.name}.")
        elif isinstance(node, BLOCKS):
            yield from _methods(module, path, node, front)
        elif isinstance(node, Function) and not _is_left_out(node):
            yield _method(module, path, front, node)


def _is_left_out(node: Function) -> bool:
    """Whether it is private, abstract, or no method at all."""
    marks = {ast.unparse(each).rpartition(".")[2] for each in node.decorator_list}
    is_private = node.name.startswith("_") and node.name != "__call__"
    body = [each for each in node.body if not (isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant))]
    is_empty = all(isinstance(each, ast.Pass) for each in body)
    return is_private or is_empty or not NO_METHODS.isdisjoint(marks)


def _method(module: str, path: Path, front: str, node: Function) -> Method:
    names = [each.arg for each in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
    names = names[1:] if front and names[:1] in (["self"], ["cls"]) else names
    inside = list(ast.walk(node))
    own = {
        each.attr
        for each in inside
        if isinstance(each, ast.Attribute) and isinstance(each.value, ast.Name) and each.value.id == "self"
    }
    raised = {ast.unparse(each.exc).partition("(")[0].rpartition(".")[2] for each in inside
              if isinstance(each, ast.Raise) and each.exc is not None}  # fmt: skip
    place = f"{path.name}:{node.lineno}"
    return Method(module, front + node.name, place, tuple(names), frozenset(own), frozenset(raised))


def _clue(method: Method) -> Clue | None:
    return next((clue for clue in CLUES if clue.fits(*method.names)), None)


# Rows


def _row(clue: Clue, method: Method, classes: dict[str, str]) -> str:
    """Return a row with its reason; commented out when it needs what cannot be guessed."""
    declared, values = DECLARED[clue.kind], dict(_values(clue, method))
    short = {name: field for field, name in SHORT.items()}
    missing = [name for name in declared.needs if short.get(name, name) not in values and name not in values]
    fields = [f"{name}: {value}" for name, value in values.items() if name in FIELDS]
    inner = ", ".join(f"{name}: {value}" for name, value in values.items() if name not in FIELDS)
    waits = [f"{classes[name]}:{name}" for name in sorted(method.raised) if WAITS.fullmatch(name) and name in classes]
    lines = [f"- method: {method.module}:{method.path}", f"  kind: {clue.kind}", *(f"  {each}" for each in fields)]
    lines += [f"  attributes: {{{inner}}}"] if inner else []
    lines += [f"  outcome: {{paused: ['{waits[0]}']}}"] if waits and declared.kind is not None else []
    why = [f"# {clue.reason[:-1]} ({method.place}, takes {', '.join(method.parameters) or 'nothing'})."]
    if missing:
        why.append(f"# It needs {', '.join(short.get(name, name) for name in missing)}: add where that is found.")
        lines = [f"# {line}" for line in lines]
    return "".join(f"  {line}\n" for line in (*why, *lines)) + "\n"


def _values(clue: Clue, method: Method) -> Iterator[tuple[str, str]]:
    for name, parameters in clue.values.items():
        found = next((each for each in parameters if each in method.parameters), "")
        if found:
            yield name, f"arg.{found}"
        elif name in ("from", "agent") and "name" in method.own:
            yield name, "self.name"
        elif name == "from" and "current" in method.own:
            yield name, "self.current"
    yield from clue.constants.items()
