"""The commands by name, each loaded when it is asked for; must not know what any of them does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from otel_agents.cli import optional
from otel_agents.version import __version__

COMMANDS: Final = ("run", "demo", "serve", "patches", "check", "semconv")
GROUPS: Final = ("audit", "baseline", "targets")
# A command is the function, a group the app, in the module of its name.
PLACES: Final[Mapping[str, str]] = MappingProxyType(
    {**{name: name for name in COMMANDS}, **dict.fromkeys(GROUPS, "app")}
)
SETTINGS: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
    {"run": {"cls": optional.Command, "context_settings": {"allow_interspersed_args": False}}}
)


def load(name: str) -> typer.Typer:
    """Return an app that has one command or group."""
    module = import_module(f"otel_agents.cli.{name}")
    found = getattr(module, PLACES[name])
    alone = typer.Typer()
    if name in GROUPS:
        alone.add_typer(found, name=name)
    else:
        alone.command(name, **SETTINGS.get(name, {}), epilog=getattr(module, "EPILOG", None))(found)
    return alone


class _Commands(Mapping[str, Any]):
    """The commands, made when one is looked up: to load all of them takes longer than to carry out most of them."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name in PLACES and name not in self._made:
            self._made |= typer.main.get_group(load(name)).commands
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(PLACES)

    def __len__(self) -> int:
        return len(PLACES)


class _Group(TyperGroup):
    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = _Commands()  # type: ignore[assignment]  # nobody adds to it


app = typer.Typer(
    cls=_Group,
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
