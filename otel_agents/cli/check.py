"""`otel-agents check`: is this environment able to send, and what to do where it is not."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.text import Text

from otel_agents.cli.checks import frameworks, packages, sending, settings
from otel_agents.cli.checks.finding import Finding, State

SIGNS: Final[Mapping[State, tuple[str, str]]] = {
    "ok": ("ok", "green"),
    "note": ("note", "cyan"),
    "problem": ("problem", "bold red"),
}
PLAIN_WIDTH: Final = 200
FOUND_PROBLEM: Final = 1


def check(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Look whether telemetry of a program started here would be sent, and say what to do where not.

    It reads settings and metadata and connects to the configured OTLP endpoints; it sends nothing.

    Exit codes: 0 when all is well, 1 when there is a problem.
    """
    found = findings(os.environ)
    problems = [each for each in found if each.state == "problem"]
    if as_json:
        typer.echo(json.dumps({"ok": not problems, "findings": [each._asdict() for each in found]}, indent=2))
    else:
        _print(found)
    if problems:
        raise typer.Exit(FOUND_PROBLEM)


def findings(env: Mapping[str, str]) -> list[Finding]:
    """Return all findings, in the order in which telemetry passes what they are about."""
    return [
        *packages.loader(env),
        *settings.settings(env),
        *packages.versions(),
        *frameworks.frameworks(env),
        *packages.neighbours(),
        *sending.switches(env),
        *sending.exporters(env),
    ]


def _print(found: list[Finding]) -> None:
    console = Console(highlight=False)
    console = console if console.is_terminal else Console(highlight=False, width=PLAIN_WIDTH)
    for each in found:
        sign, style = SIGNS[each.state]
        console.print(Text(f"{sign:<8}", style=style) + Text(each.what), soft_wrap=True)
        if each.fix:
            console.print(Text(f"{'':<8}{each.fix}", style="dim"), soft_wrap=True)
