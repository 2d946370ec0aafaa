"""How a row names what it is about: methods, exceptions, attributes; must not know what is there."""

from __future__ import annotations

import re
from typing import Final

from otel_agents.config.problem import shown

SETTING: Final = "targets"
LONGEST: Final = 256
_NAME: Final = r"[^\W\d]\w*"
METHOD: Final = re.compile(rf"{_NAME}(?:\.{_NAME})*:(?:{_NAME}\.)*[\w*?\[\]!-]+")
CLASS: Final = re.compile(rf"{_NAME}(?:\.{_NAME})*:{_NAME}")
BUILTIN: Final = re.compile(_NAME)
RUNTIME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
ATTRIBUTE: Final = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)+")


def wrong_method(given: object) -> tuple[str, str]:
    """Say what is wrong with a method, and how it is written."""
    if given is None:
        return "the row has no method", "Write `method: module:Class.method`."
    text = given.strip() if isinstance(given, str) else ""
    if re.fullmatch(rf"{_NAME}(?:\.{_NAME})+", text) and len(text) <= LONGEST:
        *modules, owner, name = text.split(".")
        if modules and owner[:1].isupper():
            return f"{shown(given)} does not say where the module ends", f"Write {'.'.join(modules)}:{owner}.{name}."
        return f"{shown(given)} does not say where the module ends", f"Write {'.'.join([*modules, owner])}:{name}."
    return f"{shown(given)} is no method", "Write `module:function` or `module:Class.method`."
