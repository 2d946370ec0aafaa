"""A state file that is whole whenever the process dies, and the one before it; must not know what the state means."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
from pathlib import Path
from typing import Any, Final

from otel_agents.runtime.yolo.errors import CorruptStateError, StateError

FORMAT: Final = "yolo-state"
VERSION: Final = 1


class StateFile:
    """Saves and loads a state, which is JSON data. A file belongs to one process at a time.

    A header stands on the first line, the state on the second. Saving writes a new file and puts it in the place of
    the old one, which is kept as ``<name>.bak`` if it was good: at no moment is there less than one good file.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).expanduser().absolute()
        self.backup = self.path.with_name(f"{self.path.name}.bak")
        self._lock = threading.Lock()
        self._is_good: bool | None = None  # the file there now; None: not looked at yet

    def exists(self) -> bool:
        """Whether there is anything to load."""
        return self.path.exists() or self.backup.exists()

    def save(self, text: str) -> int:
        """Save a state, given as one line of JSON; returns the size of the file in bytes.

        When it returns, the state survives a crash of the process and of the machine.

        Raises:
            OSError: It cannot be written. What was saved before is still there.
        """
        body = text.encode()
        header = {"format": FORMAT, "version": VERSION, "sha256": hashlib.sha256(body).hexdigest()}
        data = json.dumps(header).encode() + b"\n" + body + b"\n"
        with self._lock:
            new = _written(self.path.with_name(f"{self.path.name}.new"), data)
            self._keep_old()
            new.replace(self.path)
            _sync_folder(self.path.parent)
            self._is_good = True
        return len(data)

    def load(self, *, backup: bool = False) -> Any:
        """Return the state that was saved last; with ``backup`` the one before it.

        Raises:
            CorruptStateError: The file is damaged, or gone; the error says whether the backup is good.
            OSError: It cannot be read.
        """
        path = self.backup if backup else self.path
        with self._lock:
            try:
                state = _read(path)
            except (CorruptStateError, FileNotFoundError) as error:
                if backup or not self.exists():
                    raise
                self._is_good = False
                what = error if isinstance(error, CorruptStateError) else f"{path} is gone, and its backup is not"
                raise CorruptStateError(f"{what}; {self._advice()}") from None
            if not backup:
                self._is_good = True
            return state

    def _keep_old(self) -> None:
        """Make the file there now the backup, unless it is damaged: then the backup is better."""
        if self._is_good is None:
            self._is_good = _is_good(self.path)
        if not self._is_good:
            return
        spare = self.path.with_name(f"{self.path.name}.old")
        spare.unlink(missing_ok=True)
        try:
            os.link(self.path, spare)
        except OSError:  # a file system without hard links
            shutil.copyfile(self.path, spare)
            _sync(spare)
        spare.replace(self.backup)
        spare.unlink(missing_ok=True)  # it stays where both names were the same file already

    def _advice(self) -> str:
        if _is_good(self.backup):
            return f"the state before it is good and stands in {self.backup.name}: load(backup=True)"
        return "there is no good backup"


def _read(path: Path) -> Any:
    header, _, body = path.read_bytes().partition(b"\n")
    try:
        known = json.loads(header)
    except ValueError:
        known = None
    if not isinstance(known, dict) or known.get("format") != FORMAT:
        raise CorruptStateError(f"{path} is no state file")
    if known.get("version") != VERSION:
        raise StateError(f"{path} has version {known.get('version')!r}; this program reads {VERSION}")
    body = body.removesuffix(b"\n")
    if hashlib.sha256(body).hexdigest() != known.get("sha256"):
        raise CorruptStateError(f"{path} is damaged: its state is not what was written")
    return json.loads(body)


def _is_good(path: Path) -> bool:
    try:
        _read(path)
    except (OSError, StateError):
        return False
    return True


def _written(path: Path, data: bytes) -> Path:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return path


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    """Make the new names last; not everywhere can a folder be opened."""
    if os.name == "nt":
        return
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
