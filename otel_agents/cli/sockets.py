"""Whether somebody answers at an address, and whether one can listen there; must not know what for."""

from __future__ import annotations

import os
import socket
from typing import Final

from otel_agents.config import Address

CONNECT_S: Final = 1.0


def answers(at: Address) -> bool:
    """Whether somebody accepts connections there; waits a second at most."""
    try:
        socket.create_connection((at.host, at.port), timeout=CONNECT_S).close()
    except (OSError, UnicodeError):
        return False
    return True


def in_the_way(at: Address) -> str:
    """Return what keeps a server from listening there, "" when nothing does."""
    try:
        listen(at).close()
    except (OSError, UnicodeError) as error:
        return why(error)
    return ""


def listen(at: Address, backlog: int | None = None) -> socket.socket:
    """Return a socket that listens there.

    Raises:
        OSError, UnicodeError: It cannot.
    """
    family = socket.AF_INET6 if ":" in at.host else socket.AF_INET
    return socket.create_server((at.host, at.port), family=family, backlog=backlog)


def why(error: OSError | UnicodeError) -> str:
    """Return in the system's words what is wrong with an address."""
    number = error.errno if isinstance(error, OSError) else None
    return os.strerror(number) if number is not None and number > 0 else str(error)
