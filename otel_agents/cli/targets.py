"""`otel-agents targets`: check a targets file, suggest one for a package, print the JSON Schema of such files."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import typer
from rich.console import Console
from rich.text import Text

from otel_agents.cli.importing import not_there, said, tried
from otel_agents.config import Config, Problem
from otel_agents.patching import apply
from otel_agents.patching.table import APPLIED, MISSING, WAITING, PatchState
from otel_agents.patching.targets.adapting import of_rows
from otel_agents.patching.targets.checking import check as check_rows
from otel_agents.patching.targets.naming import SETTING
from otel_agents.patching.targets.resolving import named, nearest, nearest_module, unresolved
from otel_agents.patching.targets.row import Row
from otel_agents.patching.targets.schema import json_schema
from otel_agents.patching.targets.suggesting import NotFound, suggest

FOUND_PROBLEM: Final = 1
USAGE: Final = 2
NOTHING_FOUND: Final = 1
WHERE: Final = "Correct the name, or install it, or call this from the folder where it can be imported."

app = typer.Typer(no_args_is_help=True, help="Declare methods of an orchestrator of your own.")


class Checked(NamedTuple):
    """What a file declares, as far as it can be used, and what is wrong with the rest."""

    states: list[PatchState]
    problems: list[Problem]


@app.command(name="check")
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The YAML file.")],
    *,
    resolve: Annotated[
        bool, typer.Option("--import", help="Import the modules that it names, and look for every target.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Check a file with targets: each mistake with line, column and fix. Offline; it imports nothing unless told to.

    With --import the modules are executed, and parameters and exceptions are looked for, too.

    Exit codes: 0; 1 when something is wrong; 2 when an option is wrong.
    """
    config = Config.load({"config": str(file)}, environ={}, strict=False)
    rows, problems = check_rows(config.targets)
    states, more = _resolve(rows) if resolve else (apply.patch_states(of_rows(rows)), [])
    checked = Checked(states, [*config.problems, *problems, *more])
    if as_json:
        typer.echo(json.dumps(_data(checked), indent=2))
    else:
        _print(checked, is_resolved=resolve)
    if checked.problems:
        raise typer.Exit(FOUND_PROBLEM)


@app.command(name="suggest")
def suggest_(
    package: Annotated[str, typer.Argument(metavar="PACKAGE", help="A package or module by name, or its folder.")],
) -> None:
    """Read a package without running it, and propose a file with targets: methods that look like what is watched.

    Each row has its reason as a comment; a row that needs something from you is commented out.

    Exit codes: 0; 1 when nothing is found that looks like it; 2 when there is no such package.
    """
    try:
        found = suggest(package, [str(Path.cwd()), *sys.path])
    except NotFound as error:
        typer.echo(f"otel-agents: {error}", err=True)
        raise typer.Exit(USAGE) from None
    typer.echo(found.text, nl=False)
    if not found.rows:
        raise typer.Exit(NOTHING_FOUND)


@app.command(name="schema")
def schema() -> None:
    """Print the JSON Schema of the file, for editors.

    Exit codes: 0.
    """
    typer.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))


def _resolve(rows: list[Row]) -> tuple[list[PatchState], list[Problem]]:
    """Import what the rows name, and return how each is doing and what is not there."""
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    modules = dict.fromkeys(name.partition(":")[0] for row in rows for _, name in named(row))
    failed = {module: why for module in modules if (why := _import(module)) is not None}
    applied = apply.apply(of_rows(rows))
    try:
        states = applied.states()
    finally:
        applied.undo()
    pairs = zip(rows, states, strict=True)
    return states, [problem for row, state in pairs for problem in _problems(row, state, failed)]


def _import(module: str) -> tuple[str, str] | None:
    """Import a module, whose output is none of ours; return why that failed and what to do, if it did."""
    error = tried(module)
    if error is None:
        return None
    if isinstance(error, SystemExit):
        return "exits when it is imported", "Keep what runs the program out of it, behind `if __name__ == '__main__':`."
    fix = nearest_module(missing) if (missing := not_there(module, error)) else ""
    return said(error), fix or WHERE


def _problems(row: Row, state: PatchState, failed: dict[str, tuple[str, str]]) -> Iterator[Problem]:
    for path, name in named(row):
        if (module := name.partition(":")[0]) in failed:
            why, fix = failed[module]
            yield Problem(SETTING, row.place(*path), f"{module} {why}", fix)
    if row.target.partition(":")[0] in failed:
        return
    if state.state in (MISSING, WAITING):
        what, fix = f"{row.target}: {state.detail}", nearest(row.target) or "Correct the row."
        yield Problem(SETTING, row.place("method"), what, fix)
    else:
        yield from unresolved(row)


def _data(checked: Checked) -> dict[str, Any]:
    names = ("target", "kind", "state", "detail", "source")
    return {
        "ok": not checked.problems,
        "targets": [{name: getattr(state, name) for name in names} for state in checked.states],
        "problems": [{"place": each.place, "what": each.what, "fix": each.fix} for each in checked.problems],
    }


def _print(checked: Checked, *, is_resolved: bool) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for problem in checked.problems:
        console.print(Text(f"{problem.place}: {problem.what}", style="bold red"))
        console.print(Text(f"    {problem.fix}", style="dim"))
    for state in checked.states:
        is_fine = state.state == APPLIED or not is_resolved
        word = ("found" if is_resolved else "ok") if is_fine else state.state
        more = f" ({state.detail})" if state.detail and is_resolved else ""
        console.print(
            Text(f"{word:<9}", style="green" if is_fine else "bold red")
            + Text(f"{state.kind:<16} {state.target}{more}")
        )
    usable = sum(1 for state in checked.states if state.state == APPLIED or not is_resolved)
    console.print(f"targets that can be used: {usable}, problems: {len(checked.problems)}")
