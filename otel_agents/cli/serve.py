"""`otel-agents serve`: the flex runtime and the live endpoints in one server, which observes itself."""

from __future__ import annotations

import math
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from otel_agents import pipeline
from otel_agents.cli import environment, lines, sockets
from otel_agents.cli.run import fail, say
from otel_agents.config import Address, Config, parsers
from otel_agents.door import Door, is_loopback
from otel_agents.runtime.flex.settings import settings_table

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from otel_agents.door.visit import App
    from otel_agents.runtime.flex.capabilities import Registry
    from otel_agents.runtime.flex.settings import Settings
    from otel_agents.serve import Observation

HOST: Final = "127.0.0.1"
PORT: Final = 8080
NOT_STARTED: Final = 1
SERVICE: Final = "flex"
BACKLOG: Final = 2048
LAST_WORDS_S: Final = 5  # beyond the time that nodes get to end: leases are given back, streams are closed
START: Final = "opentelemetry.instrumentation.auto_instrumentation"
EPILOG: Final = "\n\n".join(
    (
        "Variables, with their defaults:",
        *(f"{name} = {default}: {accepted}" for name, default, accepted in settings_table()),
    )
)
EXTRA: Final = "this command needs more packages: pip install 'otel-agents[flex]'"


def serve(
    *,
    host: Annotated[str, typer.Option(help="The address to listen on; any but loopback needs a token.")] = HOST,
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 takes a free one.")] = PORT,
    database: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Where runs are kept; FLEX_DATABASE_URL, else sqlite:///flex.db."),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(metavar="SECRET", help="What clients have to know; better in OTEL_AGENTS_TOKEN, which ps hides."),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A name by which clients call this server; may be given more than once."),
    ] = None,
    capabilities: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Capabilities behind HTTP endpoints, as YAML or JSON; FLEX_CAPABILITIES."),
    ] = None,
    registry: Annotated[
        str | None,
        typer.Option(metavar="MODULE:NAME", help="A registry of your own, or a function that makes one."),
    ] = None,
    no_telemetry: Annotated[bool, typer.Option("--no-telemetry", help="Do not observe this server.")] = False,
) -> None:
    """Serve the flex runtime, its page and the live endpoints, on one port.

    Runs are started with POST /api/v1/flex/run.stream, or in a browser at /.

    The server observes itself, as opentelemetry-instrument would observe it:
    it exports to what OTEL_* variables name, and to nothing without them.
    Events are lines on stderr, unless OTEL_AGENTS_EVENT_LOG says otherwise;
    so is what goes wrong. JSON_LOGS=1 makes all of them JSON, LOG_LEVEL is
    a threshold. Open questions are remembered in the database of the runs,
    unless OTEL_AGENTS_PAUSE_STORE names another one.
    More can be set with FLEX_* variables; docs/reference/flex.md says what
    each decides.

    SIGTERM and SIGINT stop it: nodes get FLEX_GRACE_S seconds to end; what
    is not done then goes on where a server with the same database runs.

    Exit codes: 0 when it was told to stop; 1 when it could not start, such
    as when the port is in use; 2 when an option or a setting is wrong.
    """
    options = {"FLEX_DATABASE_URL": database, "FLEX_CAPABILITIES": capabilities, "OTEL_AGENTS_TOKEN": token}
    os.environ.update({name: value for name, value in options.items() if value is not None})
    if find_spec("uvicorn") is None or find_spec("alembic") is None:
        fail(EXTRA)
    settings, secret, form = _settings(), _token(host), lines.attach(Config.load(strict=False))
    ready: list[Callable[[], bool]] = []
    observation = None if no_telemetry else observe(settings, lambda: all(each() for each in ready))
    app = _app(settings, _registry(registry, settings), observation)
    ready.append(lambda: app.state.lifetime.is_ready)
    door = _door(app, secret, allow_host or (), settings)
    leave = [app.state.lifetime.leave, *([observation.close] if observation is not None else [])]
    _run(door, _listening(host, port), settings.grace_s, leave, lambda said: lines.announce(said, form))


def _door(app: App, secret: str | None, names: Sequence[str], settings: Settings) -> Door:
    try:
        return Door(app, token=secret, hosts=names, max_connections=settings.max_connections)
    except ValueError as error:
        fail(f"--allow-host: {error}")


def _settings() -> Settings:
    from otel_agents.runtime.flex.problem import FlexError
    from otel_agents.runtime.flex.settings import Settings, SettingsError
    from otel_agents.runtime.flex.store.database import parse

    try:
        settings = Settings.from_env()
        parse(settings.database_url)
    except (SettingsError, FlexError) as error:
        fail(str(error))
    return settings


def _token(host: str) -> str | None:
    """Return the token; an address that others reach is not served without one."""
    text = os.environ.get("OTEL_AGENTS_TOKEN", "").strip()
    if not text and not is_loopback(host):
        fail(f"{host} is not loopback, so clients need a token: set OTEL_AGENTS_TOKEN, or listen on {HOST}")
    try:
        return parsers.token(text) if text else None
    except ValueError as error:
        fail(f"OTEL_AGENTS_TOKEN cannot be used: {error}")


def observe(settings: Settings, is_ready: Callable[[], bool]) -> Observation | None:
    """Switch OpenTelemetry and us on in this process, as `opentelemetry-instrument` does, unless that did.

    What the user did not set: events are lines on stderr, and open questions are remembered beside the runs.

    Returns what the live endpoints show, None where OTEL_AGENTS_ENABLED or OpenTelemetry itself is switched off.
    """
    from otel_agents.serve import Observation

    if pipeline.active() is None:
        os.environ.update(environment.with_defaults(os.environ, SERVICE))
        ours = {"event_log": "stderr", "pause_store": _beside_the_runs(settings)}
        chosen = Config.load(strict=False).sources
        os.environ.update({f"OTEL_AGENTS_{name.upper()}": ours[name] for name in ours if name not in chosen})
        import_module(START).initialize()
    pipe = pipeline.active()
    if pipe is None or not pipe.config.enabled:
        return None
    return Observation(pipe.hub, telemetry=pipe.health, page=pipe.page().text, mark=pipe.mark, is_ready=is_ready)


def _beside_the_runs(settings: Settings) -> str:
    """Return the database of the runs as the observation opens it, before they do; it must not wait there for long."""
    from otel_agents.runtime.flex.store.database import CONNECT_S, make_private, parse

    url = parse(settings.database_url)
    make_private(url)
    if url.get_backend_name() == "postgresql" and "connect_timeout" not in url.query:
        url = url.update_query_dict({"connect_timeout": str(CONNECT_S)})
    return url.render_as_string(hide_password=False)


def _registry(place: str | None, settings: Settings) -> Registry:
    """Return what plans are made of: what comes along or what an option names, and what the file adds."""
    from otel_agents.runtime.flex.capabilities import Registry
    from otel_agents.runtime.flex.server import capabilities
    from otel_agents.runtime.flex.settings import SettingsError

    own = _named(place) if place else None
    if own is not None and not isinstance(own, Registry):
        fail(f"--registry {place} is no Registry and makes none")
    try:
        return capabilities(settings, own)
    except SettingsError as error:
        fail(str(error))


def _named(place: str) -> object:
    """Return what `module:name` names, or what that makes when it is a function."""
    module, _, name = place.partition(":")
    sys.path.insert(0, str(Path.cwd()))
    try:
        found = getattr(import_module(module), name)
    except (ModuleNotFoundError, AttributeError, ValueError) as error:
        fail(f"--registry {place} cannot be loaded, write MODULE:NAME: {error}")
    return found() if callable(found) else found


def _app(settings: Settings, registry: Registry, observation: Observation | None) -> Starlette:
    from otel_agents.runtime.flex.server import create_app
    from otel_agents.serve import routes

    beside = routes(observation) if observation is not None else []
    return create_app(settings, registry=registry, has_door=False, beside=beside)


def _listening(host: str, port: int) -> socket.socket:
    try:
        return sockets.listen(Address(host, port), BACKLOG)
    except (OSError, UnicodeError) as error:
        say(f"cannot listen on {host}:{port}: {sockets.why(error)}. Give another --port or --host.")
        raise typer.Exit(NOT_STARTED) from None


def _run(
    app: App,
    listening: socket.socket,
    grace_s: float,
    leave: Iterable[Callable[[], object]],
    announce: Callable[[str], object],
) -> None:
    import uvicorn

    class Server(uvicorn.Server):
        """Says when it serves, and tells those who need time, or whose streams never end, that it stops."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                announce(f"Flex listens on {_url(listening)}")

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            for each in leave:
                each()
            await super().shutdown(sockets)

    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, _told)
    patience_s = math.ceil(grace_s) + LAST_WORDS_S
    config = uvicorn.Config(
        app, log_config=None, access_log=False, server_header=False, lifespan="on", timeout_graceful_shutdown=patience_s
    )  # fmt: skip
    server = Server(config)
    server.run(sockets=[listening])
    if not server.started:
        raise typer.Exit(NOT_STARTED)


def _url(listening: socket.socket) -> str:
    return f"http://{Address(*listening.getsockname()[:2])}/"


def _told(number: int, frame: object) -> None:
    """Let uvicorn, which raises the signal again when it has stopped, return: what is queued is sent at exit."""
