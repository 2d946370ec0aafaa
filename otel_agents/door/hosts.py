"""Whether a request was meant for us and comes from our own pages; must not know tokens.

A page of another site can have a browser send us requests, by its own name that suddenly points to us or to our name
from afar. The first is seen by the Host header, the second by Origin.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, NamedTuple

from otel_agents.door.visit import Visit

AUTHORITY: Final = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(?::([0-9]{1,5}))?")
NAME: Final = re.compile(r"[a-z0-9_.-]*[a-z0-9_-]")
PORTS: Final = {"http": 80, "https": 443}


class Authority(NamedTuple):
    """A host, in lower case and without brackets, and the port, 0 when it is not said."""

    host: str
    port: int


def authority(text: str) -> Authority | None:
    """Read `host`, `host:port`, `[v6]` or `[v6]:port`; None when it is none of these."""
    found = AUTHORITY.fullmatch(text.lower())
    return None if found is None else Authority(found[1].strip("[]"), int(found[2] or 0))


def names(hosts: Collection[str]) -> frozenset[str]:
    """Read the names of a server, in any case, as the Host header says them.

    Raises:
        TypeError: They are one string.
        ValueError: One is no name that a Host header could have, so that nobody would ever be let in by it.
    """
    if isinstance(hosts, str):
        raise TypeError(f"hosts is {hosts!r}, one string; give a list of names, such as [{hosts!r}]")
    return frozenset(map(_name, hosts))


def _name(host: str) -> str:
    name = host.lower().strip("[]")
    if _ip(name) is None and not NAME.fullmatch(name):
        raise ValueError(f"{host!r} is no host name; give it without scheme, port and path, as DNS has it (xn--...)")
    return name


def is_loopback(host: str) -> bool:
    """Say whether a name or an address is this machine's own loopback, whatever name service says."""
    found = _ip(host)
    return host.lower() == "localhost" if found is None else found.is_loopback


def is_for_us(visit: Visit, names: Collection[str]) -> bool:
    """Say whether the Host header names us: loopback, one of our names, or the very address that was called.

    An address cannot be pointed elsewhere as a name can, so that one needs no configuration.
    """
    said = authority(visit.one(b"host") or "")
    if said is None:
        return False
    return is_loopback(said.host) or said.host in names or _is_same_ip(said.host, visit.local_host)


def is_from_us(visit: Visit) -> bool:
    """Say whether there is no Origin header, or it is that of our own pages: same host, same port."""
    origins = visit.all(b"origin")
    if not origins:
        return True
    scheme, _, rest = origins[0].lower().partition("://")
    origin, host = authority(rest), authority(visit.one(b"host") or "")
    if len(origins) > 1 or origin is None or host is None or scheme not in PORTS:
        return False
    standard = PORTS[scheme]
    return origin.host == host.host and (origin.port or standard) == (host.port or standard)


def _ip(host: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(host)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def _is_same_ip(host: str, local: str) -> bool:
    found = _ip(host)
    return found is not None and found == _ip(local)
