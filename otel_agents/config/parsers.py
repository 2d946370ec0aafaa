"""Turn the text of one setting into its value, or say what it is not; must not know settings nor sources."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping

from otel_agents.config.values import Address, Selection

ON = frozenset({"1", "true", "yes", "on"})
OFF = frozenset({"0", "false", "no", "off"})
NOTHING = OFF | {"none"}
MAX_LEVEL = 100
MAX_PORT = 65_535

LEVELS: Mapping[str, int] = {
    "trace": logging.DEBUG,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
    "fatal": logging.CRITICAL,
}

_DIGITS = re.compile(r"[0-9]{1,12}")
_ADAPTER = re.compile(r"[a-z0-9][a-z0-9_]*")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]")
_TOKEN = re.compile(r"[\x21-\x7e]{1,1024}")
_KEY = re.compile(r"[\x21-\x7e]{16,1024}")
_STORE = re.compile(r"[a-z][a-z0-9_]*(?:\+[a-z0-9_]+)?://\S*", re.IGNORECASE)


def boolean(text: str) -> bool:
    """Read a flag, in any case."""
    word = text.lower()
    if word in ON:
        return True
    if word in OFF:
        return False
    raise ValueError("is neither true nor false")


def whole(low: int, high: int) -> Callable[[str], int]:
    """Return the reader of a whole number within bounds, both included."""

    def read(text: str) -> int:
        if not _DIGITS.fullmatch(text) or not low <= int(text) <= high:
            raise ValueError(f"is no whole number from {low} to {high}")
        return int(text)

    return read


def one_of(*words: str) -> Callable[[str], str]:
    """Return the reader of a closed set of words; the other words for false mean `off` where that is one of them."""
    by_word = {word.lower(): word for word in words} | (dict.fromkeys(OFF, "off") if "off" in words else {})

    def read(text: str) -> str:
        if text.lower() not in by_word:
            raise ValueError(f"is none of {', '.join(words)}")
        return by_word[text.lower()]

    return read


def some_of(*words: str) -> Callable[[str], tuple[str, ...]]:
    """Return the reader of a list of words, which come back once each, in the order of the set."""

    def read(text: str) -> tuple[str, ...]:
        if text.lower() in NOTHING:
            return ()
        given = _parts(text)
        for word in given:
            if word not in words:
                raise ValueError(f"has {word!r}, which is none of {', '.join(words)}")
        return tuple(word for word in words if word in given)

    return read


def selection(text: str) -> Selection:
    """Read `all`, `none`, a list of wanted names, or a list of names with a minus in front."""
    if text.lower() in NOTHING:
        return Selection(only=frozenset())
    parts = _parts(text)
    without = {_adapter(part[1:]) for part in parts if part.startswith("-")}
    only = {_adapter(part) for part in parts if not part.startswith("-")}
    if "all" in only and len(only) == 1:
        return Selection(without=frozenset(without))
    if "all" in only or (only and without):
        raise ValueError("mixes wanted and unwanted adapters")
    return Selection(without=frozenset(without)) if without else Selection(only=frozenset(only))


def _adapter(name: str) -> str:
    name = name.strip().replace("-", "_")
    if not _ADAPTER.fullmatch(name):
        raise ValueError(f"has {name!r}, which is no adapter's name")
    return name


def _parts(text: str) -> list[str]:
    parts = [part.strip().lower() for part in text.split(",")]
    kept = [part for part in parts if part]
    if not kept:
        raise ValueError("is an empty list")
    return kept


def address(text: str) -> Address | None:
    """Read `host:port`, a port alone (on loopback), a host alone, a word for true (the default) or for false."""
    if text == "1" or text.lower() in ON:
        return Address()
    if text.lower() in NOTHING:
        return None
    if _DIGITS.fullmatch(text):
        return Address(port=_port(text))
    host, colon, port = (text, "", "") if text.endswith("]") else text.rpartition(":")
    host = host if colon else text
    if not _HOST.fullmatch(host):
        raise ValueError("is no address")
    return Address(host.strip("[]"), _port(port) if colon else Address().port)


def _port(text: str) -> int:
    if not _DIGITS.fullmatch(text) or int(text) > MAX_PORT:
        raise ValueError(f"has no port from 0 to {MAX_PORT}")
    return int(text)


def level(text: str) -> int:
    """Read the name or number of a log level of the standard library."""
    number = int(text) if _DIGITS.fullmatch(text) else LEVELS.get(text.lower(), -1)
    if not 0 <= number <= MAX_LEVEL:
        raise ValueError("is no log level")
    return number


def path(text: str) -> str | None:
    """Read the path of a file; a word for false means none."""
    if "\0" in text:
        raise ValueError("has a NUL character, which no path has")
    return None if text.lower() in NOTHING else text


def token(text: str) -> str | None:
    """Read a secret that fits an HTTP header."""
    if not _TOKEN.fullmatch(text):
        raise ValueError("is not 1 to 1024 visible ASCII characters without spaces")
    return text


def key(text: str) -> str | None:
    """Read a key that is long enough not to be guessed."""
    if not _KEY.fullmatch(text):
        raise ValueError("is not 16 to 1024 visible ASCII characters without spaces")
    return text


def store(text: str) -> str:
    """Read `memory` or a database URL."""
    if text.lower() == "memory":
        return "memory"
    if not _STORE.fullmatch(text):
        raise ValueError("is neither memory nor a database URL")
    return text
