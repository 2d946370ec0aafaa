"""The types of those settings that are more than a number, a flag or a text; must not know where they come from."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Selection:
    """Which adapters are wanted: only some, or all without some.

    Attributes:
        only: The wanted names; None for all.
        without: The unwanted names.
    """

    only: frozenset[str] | None = None
    without: frozenset[str] = frozenset()

    def allows(self, name: str) -> bool:
        """Say whether the adapter of this name is wanted."""
        return name not in self.without and (self.only is None or name in self.only)

    @property
    def named(self) -> frozenset[str]:
        """All names that were given, so that whoever knows the adapters can tell a name that is none."""
        return (self.only or frozenset()) | self.without

    def __str__(self) -> str:
        if self.only is not None:
            return ",".join(sorted(self.only)) or "none"
        return ",".join(f"-{name}" for name in sorted(self.without)) or "all"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens; port 0 lets the system choose."""

    host: str = "127.0.0.1"
    port: int = 9465

    @property
    def is_loopback(self) -> bool:
        """Whether only programs on this machine can connect."""
        if self.host.lower() == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:  # a name may resolve to anything
            return False

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Target:
    """One raw row under `targets`, not yet interpreted.

    Attributes:
        row: What was written, keys as text; scalars are text, numbers, flags or None.
        source: The file's path, or `argument targets`.
        line: Where the row begins, from 1; 0 when it stands in no file.
        column: The same for the column.
        positions: Line and column of each key, by its path: `("attributes", "flex.plan.phase")`.
    """

    row: Mapping[str, object]
    source: str
    line: int = 0
    column: int = 0
    positions: Mapping[tuple[str | int, ...], tuple[int, int]] = field(default_factory=dict, repr=False)

    def place(self, *path: str | int) -> str:
        """Return `file:line:column` of the key at this path, or of the nearest key around it that is known."""
        for end in range(len(path), 0, -1):
            if path[:end] in self.positions:
                line, column = self.positions[path[:end]]
                return f"{self.source}:{line}:{column}"
        return f"{self.source}:{self.line}:{self.column}" if self.line else self.source
