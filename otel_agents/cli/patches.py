"""`otel-agents patches`: every patch point of every adapter, its state, and the versions tested."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from importlib import metadata
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from otel_agents import adapters
from otel_agents.cli.importing import not_there, said, tried
from otel_agents.config import Config, Selection
from otel_agents.patching import apply
from otel_agents.patching.table import APPLIED, MISSING, UNSUPPORTED, WAITING, Adapter, PatchState
from otel_agents.patching.targets import adapting

STYLES: Final = {APPLIED: "green", WAITING: "dim", UNSUPPORTED: "yellow", MISSING: "bold red"}
PLAIN_WIDTH: Final = 320  # a target is one word, which whoever searches the output wants whole
FOUND_MISSING: Final = 1


def patches(
    *,
    resolve: Annotated[
        bool, typer.Option("--import", help="Import the frameworks and look for every target; without it all wait.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """List every patch point of every adapter with its state and the versions tested, and the targets you declared.

    States: applied; waiting (its module is not imported); unsupported (not in the installed version, which is
    known); missing (it should be there, and is not: correct the row, install the framework anew, or please report it).

    Exit codes: 0; 1 when a patch point is missing.
    """
    known = (*adapters.load(Selection()), *_declared())
    found = [(adapter, _states(adapter, resolve=resolve)) for adapter in known]
    if as_json:
        typer.echo(json.dumps({"adapters": [_data(*each) for each in found]}, indent=2))
    else:
        _print(found)
    if any(state.state == MISSING for _, states in found for state in states):
        raise typer.Exit(FOUND_MISSING)


def _declared() -> list[Adapter]:
    """Return the targets of the configuration file; what is wrong with them is said by `otel-agents targets check`."""
    targets = Config.load(strict=False).targets
    made = adapting.adapter(targets)[0] if targets else None
    return [made] if made is not None and made.patches else []


def _states(adapter: Adapter, *, resolve: bool) -> list[PatchState]:
    if not resolve:
        return apply.patch_states(adapter)
    tries = {module: tried(module) for module in dict.fromkeys(patch.module for patch in adapter.patches)}
    failed = {module: error for module, error in tries.items() if error is not None and not not_there(module, error)}
    applied = apply.apply(adapter)
    try:
        return [_judged(state, failed) for state in applied.states()]
    finally:
        applied.undo()


def _judged(state: PatchState, failed: Mapping[str, BaseException]) -> PatchState:
    """Say of a row whose module is there, and could not be imported, what kept it from that."""
    module = state.target.partition(":")[0]
    if state.state != WAITING or module not in failed:
        return state
    return replace(state, state=MISSING, detail=f"{module} {said(failed[module])}")


def _version(adapter: Adapter) -> str:
    if not adapter.distribution:
        return ".".join(map(str, sys.version_info[:3]))
    try:
        return metadata.version(adapter.distribution)
    except metadata.PackageNotFoundError:
        return ""


def _data(adapter: Adapter, states: Iterable[PatchState]) -> dict[str, Any]:
    return {
        "name": adapter.name,
        "runtime": adapter.runtime,
        "distribution": adapter.distribution or None,
        "installed": (adapter.tested[0] and _version(adapter)) or None,
        "tested": {"oldest": adapter.tested[0], "newest": adapter.tested[1]} if adapter.tested[0] else None,
        "patches": [
            {
                "target": state.target,
                "kind": state.kind,
                "state": state.state,
                "detail": state.detail,
                "why": patch.why,
            }
            for state, patch in zip(states, adapter.patches, strict=True)
        ],
    }


def _title(adapter: Adapter) -> str:
    oldest, newest = adapter.tested
    if not oldest:
        return f"{adapter.name}: declared in {os.environ.get('OTEL_AGENTS_CONFIG', 'the settings')}"
    installed = _version(adapter)
    has = f"installed {installed}" if installed else "not installed"
    return f"{adapter.name}: {adapter.distribution or 'Python'} {has}, tested {oldest} to {newest}"


def _print(found: list[tuple[Adapter, list[PatchState]]]) -> None:
    console = Console(highlight=False)
    console = console if console.is_terminal else Console(highlight=False, width=PLAIN_WIDTH)
    for adapter, states in found:
        title = _title(adapter)
        table = Table(title=title, title_justify="left", title_style="bold", box=None, padding=(0, 2, 0, 0))
        for column in ("state", "kind", "target", "why"):
            table.add_column(column, overflow="fold", header_style="dim", no_wrap=column in ("state", "kind"))
        for state, patch in zip(states, adapter.patches, strict=True):
            why = f"{patch.why} ({state.detail})" if state.detail and state.state != WAITING else patch.why
            table.add_row(Text(state.state, STYLES[state.state]), state.kind, Text(state.target), Text(why))
        console.print(table)
        console.print()
