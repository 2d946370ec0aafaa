"""Two shortcuts of `otel-agents run`, live endpoints and a profile, each checked first; must not start anything."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from otel_agents.cli import sockets
from otel_agents.cli.exporters import Shortcut
from otel_agents.config import Address, parsers

SERVE: Final = "OTEL_AGENTS_SERVE"
TOKEN: Final = "OTEL_AGENTS_TOKEN"  # noqa: S105  # a name
PROFILE: Final = "OTEL_AGENTS_PROFILE"


def with_server(env: Mapping[str, str], text: str) -> Shortcut:
    """Have the program serve what it does, unless the port is taken; port 0 takes a free one.

    Raises:
        ValueError: It is no address, or one that others reach, without a token.
    """
    try:
        asked = parsers.address(text)
    except ValueError as error:
        raise ValueError(f"--serve {text!r} {error}; give HOST:PORT or a port") from None
    if asked is None:
        return Shortcut({})
    if not asked.is_loopback and not env.get(TOKEN):
        raise ValueError(f"--serve {asked}: other machines can reach it, so it needs a token: set {TOKEN}")
    if in_the_way := sockets.in_the_way(asked):
        return Shortcut({}, f"--serve {asked}: {in_the_way}; nothing is served. Give another port.")
    at = asked if asked.port else replace(asked, port=_free_port(asked))
    note = f"live at http://{at}: /progress /events /ws /metrics /health /profile"
    return Shortcut({SERVE: str(at)}, note=note if find_spec("starlette") else "")  # else the program says why not


def with_profile(env: Mapping[str, str], text: str) -> Shortcut:
    """Have the program write a profile when it ends; a report of an earlier run goes.

    Raises:
        ValueError: The file cannot be written.
    """
    file = Path(text).absolute()
    try:
        file.unlink(missing_ok=True)
        file.open("xb").close()
        file.unlink()
    except OSError as error:
        raise ValueError(f"--profile {text}: {error.strerror or error}") from None
    return Shortcut({PROFILE: str(file)})


def report(env: Mapping[str, str]) -> str:
    """Return what there is to say of the profile after the program ended, "" when none was asked for."""
    file = Path(env.get(PROFILE, os.devnull))
    if PROFILE not in env:
        return ""
    if file.is_file() and file.stat().st_size:
        return f"the profile is in {file}"
    return f"there is no profile in {file}: the program did not load otel-agents[serve], or was killed"


def _free_port(at: Address) -> int:
    with sockets.listen(at) as server:
        port: int = server.getsockname()[1]
        return port
