"""What is imported, could be imported, and is installed, found without importing anything; must not know rows."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from otel_agents import guard

IMPORTING: Final = "wrapt"  # its finder imports the packages around what it is asked for


def spec_of(module: str) -> Any:
    """Return how a module was found; None for one that is not imported."""
    return getattr(sys.modules.get(module), "__spec__", None)


def is_half(module: str) -> bool:
    """Whether a module is still being executed."""
    return bool(getattr(spec_of(module), "_initializing", False))


def nowhere(module: str) -> str:
    """Return the part of a module's name that is not there, such as ``a.b`` of ``a.b.c``.

    "" when it is there, or when nobody imported the package yet in which it would have to be.
    """
    front = ""
    for part in module.split("."):
        name = f"{front}.{part}" if front else part
        if name not in sys.modules:
            is_there = not front or guard.run("patch.find", _is_findable, name, front)
            return name if is_there is False else ""
        front = name
    return ""


def _is_findable(name: str, package: str) -> bool:
    """Ask the finders: ``importlib`` would wait for a package that another thread imports, which may wait for us."""
    path = getattr(sys.modules[package], "__path__", None)
    finders = (each for each in list(sys.meta_path) if type(each).__module__.partition(".")[0] != IMPORTING)
    finds = (getattr(each, "find_spec", None) for each in finders if path is not None)  # without: a plain module
    return any(find is not None and find(name, path) is not None for find in finds)


def main_module() -> str:
    """Return how the program's own module would be imported; "" when it has no name."""
    main = sys.modules.get("__main__")
    file = getattr(main, "__file__", None)
    spec = getattr(main, "__spec__", None)
    return str(spec.name) if spec is not None else Path(file).stem if isinstance(file, str) else ""


def release(version: str) -> tuple[int, ...]:
    """Return the release numbers of a version: ``1.2.0rc1`` is (1, 2, 0)."""
    numbers: list[int] = []
    for part in version.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        numbers.append(int(digits))
    return tuple(numbers)


def installed_version(distribution: str) -> tuple[int, ...]:
    """Return the release numbers of an installed distribution, () when it is not installed."""
    try:
        return release(metadata.version(distribution))
    except (metadata.PackageNotFoundError, ValueError):
        return ()
