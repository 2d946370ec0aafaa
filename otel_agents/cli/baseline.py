"""`otel-agents baseline`: audit files summed up, and two windows compared."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from otel_agents.audit import drift as comparing
from otel_agents.audit import moments, sides
from otel_agents.audit.baseline import TOP, Window, cancel_window
from otel_agents.audit.baseline import summarize as summed_up
from otel_agents.audit.pages import baseline_page, drift_page
from otel_agents.audit.reading import Unusable
from otel_agents.cli import printing

DRIFT: Final = 1
UNUSABLE: Final = 2
RULES: Final = comparing.Rules()
LEAST_WINDOW_MS: Final = 60_000

app = typer.Typer(no_args_is_help=True, help="Rates and latencies of audit files, and whether they changed.")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _moment(text: str) -> int:
    """Read a moment, or a span before now."""
    span_ms = moments.span(text)
    ms = _now_ms() - span_ms if span_ms is not None else moments.moment(text)
    if ms is None:
        raise typer.BadParameter(f"{text!r} is no moment such as 2026-01-31 or 2026-01-31T12:00:00Z, nor a span as 7d")
    return ms


def _span(text: str) -> int:
    ms = moments.span(text)
    if not ms:
        raise typer.BadParameter(f"{text!r} is no span such as 90m, 24h or 7d")
    return ms


@app.command()
def summarize(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Audit files, compressed or not, or directories of them.")
    ],
    *,
    since: Annotated[
        int | None, typer.Option(parser=_moment, metavar="WHEN", help="Only from then on: a moment, or 7d before now.")
    ] = None,
    until: Annotated[int | None, typer.Option(parser=_moment, metavar="WHEN", help="Only before then.")] = None,
    channel: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this channel, - for none; may be given again.")
    ] = None,
    runtime: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this runtime; may be given again.")
    ] = None,
    around_cancels: Annotated[
        int | None, typer.Option(parser=_span, metavar="SPAN", help="Only the 24h, say, with the most cancels.")
    ] = None,
    top: Annotated[int, typer.Option(min=0, metavar="N", help="How many rules, reasons and sessions.")] = TOP,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="PATH", help="Write PATH.md and PATH.json instead.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of Markdown.")] = False,
) -> None:
    """Sum up audit files: completion, error and cancel rates, cancel latency, reactions.

    The same files give the same bytes in whatever order they and their records come.

    Exit codes: 0; 2 when the input is unusable or an option is wrong.
    """
    window = Window(since, until, tuple(channel or ()), tuple(runtime or ()))
    try:
        if around_cancels is not None:
            window = cancel_window(_readable_twice(files), window, max(around_cancels, LEAST_WINDOW_MS))
        baseline = summed_up(files, window)
        if output is None:
            _print(baseline.to_json(top) if as_json else baseline_page(baseline, top))
        else:
            _write(output.parent, output.name, baseline_page(baseline, top), baseline.to_json(top))
    except Unusable as error:
        raise _unusable(error) from None


@app.command()
def drift(
    old: Annotated[
        Path, typer.Argument(metavar="OLD", help="A summary as JSON, an audit file or a directory of them.")
    ],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The same, of what is to be judged.")],
    *,
    rate: Annotated[
        float, typer.Option(min=0, max=1, metavar="SHARE", help="The least change of a rate: 0.05 is five points.")
    ] = RULES.rate,
    latency: Annotated[
        float,
        typer.Option(min=0, max=1000, metavar="SHARE", help="The least change of a latency, as a share of the old."),
    ] = RULES.latency,
    confidence: Annotated[
        float, typer.Option(min=0.5, max=0.9999, metavar="SHARE", help="How sure to be, of all comparisons at once.")
    ] = RULES.confidence,
    samples: Annotated[int, typer.Option(min=1, metavar="N", help="Below so many nothing is said.")] = RULES.samples,
    max_age: Annotated[
        int | None, typer.Option(parser=_span, metavar="SPAN", help="How long ago NEW may have ended; 7d, say.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIRECTORY", help="Write drift-DATE.md and .json there, too."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of Markdown.")] = False,
) -> None:
    """Compare two windows, and say whether rates or latencies changed by more than chance explains.

    Exit codes: 0 no drift; 1 drift; 2 when the input is unusable or too old, or an option is wrong.
    """
    rules = replace(RULES, rate=rate, latency=latency, confidence=confidence, samples=samples, max_age_ms=max_age)
    try:
        found = comparing.compare(sides.load(old), sides.load(new), rules, _now_ms())
        page, told = drift_page(found), found.to_json()
        if output is not None:
            day = datetime.fromtimestamp(found.now_ms / moments.MS, UTC)
            _write(output, f"drift-{day:%Y-%m-%d}", page, told)
        _print(told if as_json else page)
    except Unusable as error:
        raise _unusable(error) from None
    if found.found:
        raise typer.Exit(DRIFT)


def _readable_twice(files: list[Path]) -> list[Path]:
    for path in files:
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise Unusable(f"{path}: to find the cancels it has to be read twice; give a file")
    return files


def _write(folder: Path, name: str, page: str, told: str) -> None:
    """Write both forms, each whole or not at all."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for suffix, text in ((".md", page), (".json", told)):
            half = folder / f".{name}{suffix}.{os.getpid()}"
            half.write_text(text, encoding="utf-8")
            half.replace(folder / f"{name}{suffix}")
    except OSError as error:
        raise Unusable(f"{error.filename or folder}: {error.strerror}") from None


def _print(text: str) -> None:
    """Print a report. That it cannot be, on a full disk, say, is no drift."""
    try:
        typer.echo(text, printing.out(), nl=False)
    except OSError as error:
        raise Unusable(f"the report cannot be printed: {error.strerror}") from None


def _unusable(error: Unusable) -> typer.Exit:
    typer.echo(f"otel-agents: {error}", err=True)
    return typer.Exit(UNUSABLE)
