"""Makes of session ids and senders what the audit may say; must not know where it is written."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from otel_agents import notice
from otel_agents.content import hashed, scalar

Conceal = Callable[[object], str | None]

KEY_FILE: Final = "otel-agents-audit.key"
KEY_BYTES: Final = 32
LOGGER: Final = "otel_agents"


def nothing(value: object) -> str | None:
    """Say nothing, while there is no audit."""
    return None


def in_clear(value: object) -> str | None:
    """Return the value as it is, as text of at most 256 characters."""
    text = scalar(value)
    return None if text is None else str(text)


def by_hash(key: bytes, value: object) -> str | None:
    """Return 16 hexadecimal characters, the same for the same value and key; without the key nobody can go back."""
    text = value if isinstance(value, str) else scalar(value)
    return None if text is None else hashed(str(text), key)


def concealing(folder: Path, *, key: str | None, clear: bool) -> Conceal:
    """Return how values are concealed; without a key it is the one that is kept in the folder, made if need be."""
    if clear:
        return in_clear
    return partial(by_hash, key.encode() if key is not None else _kept(folder / KEY_FILE))


def _kept(path: Path) -> bytes:
    try:
        return _read(path) or _made(path)
    except OSError as error:
        reason = error.strerror
    except ValueError as error:
        reason = str(error)
    fix = "The hashes in this process's audit fit no other's; set OTEL_AGENTS_AUDIT_KEY."
    notice.warn(LOGGER, "%s cannot keep the key of the audit: %s. %s", path, reason, fix)
    return secrets.token_bytes(KEY_BYTES)


def _read(path: Path) -> bytes:
    """Return the key in the file, nothing when there is no file."""
    try:
        text = path.read_text("ascii").strip()
    except FileNotFoundError:
        return b""
    key = bytes.fromhex(text)
    if len(key) < KEY_BYTES:
        raise ValueError(f"it holds {len(key)} bytes, and {KEY_BYTES} are needed")
    return key


def _made(path: Path) -> bytes:
    """Make the file, unless another process is quicker: then its key is the one. Never is there half a key to read."""
    import tempfile  # only who has no key yet needs it

    handle, temporary = tempfile.mkstemp(prefix=f"{KEY_FILE}-", dir=path.parent)  # 0600
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(f"{secrets.token_hex(KEY_BYTES)}\n")
        try:
            os.link(temporary, path)
        except FileExistsError:
            pass
    finally:
        os.unlink(temporary)  # noqa: PTH108  # as it came
    return _read(path)
