"""The commands by name; must not know what any of them does."""

from __future__ import annotations

from typing import Annotated

import typer

from otel_agents.cli import audit, baseline, check, demo, optional, patches, run, semconv, serve, targets
from otel_agents.version import __version__

app = typer.Typer(
    name="otel-agents",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(is_asked: bool) -> None:  # noqa: FBT001  # typer calls it so
    if is_asked:
        typer.echo(f"otel-agents {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Zero-code OpenTelemetry for agent orchestrators."""


app.command(cls=optional.Command, context_settings={"allow_interspersed_args": False})(run.run)
app.command()(demo.demo)
app.command()(serve.serve)
app.command()(patches.patches)
app.command()(check.check)
app.command()(semconv.semconv)
app.add_typer(audit.app, name="audit")
app.add_typer(baseline.app, name="baseline")
app.add_typer(targets.app, name="targets")
