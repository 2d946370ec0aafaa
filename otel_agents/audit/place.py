"""Where the audit of a process lies: the path from its setting; must not know what is written there."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path
from typing import Final

PID: Final = "{pid}"
HOST: Final = "{host}"
PRIVATE_FOLDER: Final = 0o700
_VARIABLE: Final = re.compile(r"\$(?:\w+|\{[^}]*\})")


def template(path: str) -> str:
    """Return an absolute path that still has `{pid}`; put in before the suffix when the path has none.

    Absolute, so that a host that changes its directory does not move it.

    Raises:
        ValueError: The path names a variable that is not set, or no file.
    """
    known = os.path.expandvars(os.path.expanduser(path))  # noqa: PTH111  # pathlib knows no variables
    unset = _VARIABLE.search(known)
    if unset:
        raise ValueError(f"{unset[0]} is not set")
    if known.endswith(os.sep):
        raise ValueError(f"{path!r} names a directory, not a file")
    known = os.path.abspath(known)  # noqa: PTH100  # without following links, which may change
    if PID not in known:
        stem, suffix = os.path.splitext(known)  # noqa: PTH122  # of a text that is no path yet
        known = f"{stem}-{PID}{suffix}"
    return known.replace(HOST, platform.node().replace(os.sep, "-"))


def own(path: str) -> str:
    """Return the path of this process, whose number a forked child does not share."""
    return path.replace(PID, str(os.getpid()))


def try_out(path: str) -> Path:
    """Return the directory in which an audit would lie, if it can be written there; nothing is left behind.

    Raises:
        ValueError: The path names a variable that is not set, or no file.
        OSError: Nothing can be written there.
    """
    import tempfile  # only who looks before needs it

    folder = Path(own(template(path))).parent
    there = folder
    while not there.exists():
        there = there.parent
    with tempfile.TemporaryFile(dir=there):
        return folder


def make_folder(path: Path) -> None:
    """Make a directory with all that are missing above it, for nobody but the user; what is there stays as it is.

    Raises:
        OSError: It cannot be made.
    """
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(PRIVATE_FOLDER, exist_ok=True)
