"""`otel-agents semconv`: the vocabulary for people, machines and the docs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Annotated, Final, NamedTuple

import typer
from rich.console import Console
from rich.table import Table

from otel_agents.semconv import export
from otel_agents.semconv.agents import OURS
from otel_agents.semconv.events import EVENTS
from otel_agents.semconv.gen_ai import UPSTREAM
from otel_agents.semconv.kinds import KINDS
from otel_agents.semconv.metrics import METRICS

PLAIN_WIDTH: Final = 200


class Format(StrEnum):
    """How the vocabulary is printed."""

    TABLE = "table"
    JSON = "json"
    MARKDOWN = "markdown"


class Sheet(NamedTuple):
    """One table for the terminal."""

    title: str
    columns: tuple[str, ...]
    rows: Iterable[tuple[str, ...]]


def semconv(
    *,
    format_: Annotated[Format, typer.Option("--format", "-f", help="How to print it.")] = Format.TABLE,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Print every name: kinds of operation, metrics, events, attributes.

    Exit codes: 0.
    """
    if as_json or format_ is Format.JSON:
        typer.echo(export.to_json(), nl=False)
    elif format_ is Format.MARKDOWN:
        typer.echo(export.to_markdown(), nl=False)
    else:
        _print_tables()


def _print_tables() -> None:
    console = Console(highlight=False)
    console = console if console.is_terminal else Console(highlight=False, width=PLAIN_WIDTH)
    for sheet in _sheets():
        table = Table(title=sheet.title, title_justify="left", title_style="bold", box=None, padding=(0, 2, 0, 0))
        for column in sheet.columns:
            table.add_column(column, overflow="fold", header_style="dim")
        for row in sheet.rows:
            table.add_row(*row)
        console.print(table)
        console.print()


def _sheets() -> Iterator[Sheet]:
    yield Sheet("Kinds of operation", ("kind", "span", "meaning"), ((k.name, k.span, k.brief) for k in KINDS))
    yield Sheet(
        "Metrics",
        ("metric", "Prometheus", "unit", "labels", "meaning"),
        (
            (m.name, export.prometheus_name(m), m.unit, " ".join(export.known(n).label for n in m.labels), m.brief)
            for m in METRICS
        ),
    )
    yield Sheet(
        "Events",
        ("type", "severity", "payload", "meaning"),
        ((e.name, e.severity, " ".join(export.payload(e)), e.brief) for e in EVENTS),
    )
    yield Sheet(
        "Attributes",
        ("attribute", "type", "values", "meaning"),
        ((a.name, a.type, " ".join(a.values), a.brief) for table in (OURS, UPSTREAM) for a in table),
    )
