"""The settings of the flex runtime, from FLEX_* variables; must not know who acts on them."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final

_ON: Final = frozenset({"1", "true", "yes", "on"})
_OFF: Final = frozenset({"0", "false", "no", "off"})
_MAX_SHOWN: Final = 80


class SettingsError(ValueError):
    """Settings that cannot be used; names each with its value and the fix."""


def _flag(text: str) -> bool:
    if text.lower() not in _ON | _OFF:
        raise ValueError
    return text.lower() in _ON


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not low <= int(text) <= high:
            raise ValueError
        return int(text)

    return read


def _number(low: float, high: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        if not math.isfinite(float(text)) or not low <= float(text) <= high:
            raise ValueError
        return float(text)

    return read


def _web_url(text: str) -> str:
    if not text.startswith(("http://", "https://")) or any(char.isspace() for char in text):
        raise ValueError
    return text


def _database_url(text: str) -> str:
    if not text.startswith(("sqlite:", "postgresql:", "postgresql+psycopg:", "postgres:")):
        raise ValueError
    return text


def _text(text: str) -> str:
    return text


_DAY_S: Final = 86_400


def _setting(default: object, read: Callable[[str], object], accepts: str, *, secret: bool = False) -> Any:
    """Return a field with how its variable is read and what may be written there."""
    return field(default=default, metadata={"read": read, "accepts": accepts, "secret": secret})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Each field is read from `FLEX_` and its name in capitals.

    Attributes:
        runs_enabled: Whether new runs are taken.
        legacy_url: Where new runs are sent while they are not.
        database_url: SQLAlchemy URL; a SQLite file or PostgreSQL.
        max_runs: Segments that run at once in this process; beyond, new runs are refused.
        lease_s: Seconds without a heartbeat after which another process takes a run over.
        capabilities: File with capabilities that are served over HTTP.
        cancel_on_disconnect: Whether a run ends when the client that started it goes.
        hitl_expires_s: Seconds until an unanswered question expires.
        run_timeout_s: Seconds of one segment of a run, unless the envelope says otherwise.
        node_timeout_s: Seconds of one attempt at a node, unless capability or envelope say otherwise.
        max_attempts: Attempts at a node, where neither envelope nor capability say.
        concurrency: Nodes of one run that run at once, unless the envelope says otherwise.
        plan_attempts: Attempts at a plan.
        max_connections: Streams that are open at once in this process.
        keep_alive_s: Seconds between comments on a silent stream.
        grace_s: Seconds that nodes have to end when the server stops.
        retention_days: Days for which runs that ended are kept, with all that went in and came out; for ever when none.
    """

    runs_enabled: bool = _setting(True, _flag, "`true` or `false`")
    legacy_url: str | None = _setting(None, _web_url, "an http(s) URL")
    database_url: str = _setting(
        "sqlite:///flex.db", _database_url, "`sqlite:///path` or `postgresql://user@host/name`", secret=True
    )
    max_runs: int = _setting(100, _whole(1, 10_000), "a whole number from 1 to 10000")
    lease_s: float = _setting(15.0, _number(0.5, 3_600), "seconds from 0.5 to 3600")
    capabilities: str | None = _setting(None, _text, "the path of a YAML or JSON file")
    cancel_on_disconnect: bool = _setting(False, _flag, "`true` or `false`")
    hitl_expires_s: float = _setting(7.0 * _DAY_S, _number(1, 365 * _DAY_S), "seconds from 1 to 31536000")
    run_timeout_s: float = _setting(3_600.0, _number(0.1, 30 * _DAY_S), "seconds from 0.1 to 2592000")
    node_timeout_s: float = _setting(300.0, _number(0.1, 30 * _DAY_S), "seconds from 0.1 to 2592000")
    max_attempts: int = _setting(3, _whole(1, 10), "a whole number from 1 to 10")
    concurrency: int = _setting(8, _whole(1, 32), "a whole number from 1 to 32")
    plan_attempts: int = _setting(3, _whole(1, 10), "a whole number from 1 to 10")
    max_connections: int = _setting(1_000, _whole(1, 100_000), "a whole number from 1 to 100000")
    keep_alive_s: float = _setting(15.0, _number(1, 300), "seconds from 1 to 300")
    grace_s: float = _setting(10.0, _number(0, 600), "seconds from 0 to 600")
    retention_days: float | None = _setting(None, _number(0.01, 36_500), "days from 0.01 to 36500")

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Settings:
        """Return the settings of the environment; an empty variable is as if it were not set.

        Raises:
            SettingsError: One or more values cannot be used.
        """
        env = os.environ if env is None else env
        found: dict[str, Any] = {}
        problems = []
        for each in fields(cls):
            name = variable(each.name)
            text = env.get(name, "").strip()
            if text:
                try:
                    found[each.name] = each.metadata["read"](text)
                except ValueError:
                    shown = "***" if each.metadata["secret"] else repr(text[:_MAX_SHOWN])
                    problems.append(f"{name}: {shown} cannot be used. Write {each.metadata['accepts']}.")
        if problems:
            raise SettingsError("\n".join(problems))
        return cls(**found)


def variable(name: str) -> str:
    """Return the environment variable of a field."""
    return f"FLEX_{name.upper()}"


def settings_table() -> list[tuple[str, str, str]]:
    """Return variable, default and accepted values of each setting, for help and docs."""
    return [
        (variable(each.name), "none" if each.default is None else str(each.default).lower(), each.metadata["accepts"])
        for each in fields(Settings)
    ]
