"""Small disks of their own: one that is soon full, and one whose power can be cut."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.need import missing, require_command


def _mount(folder: Path, *options: str) -> None:
    folder.mkdir()
    if subprocess.run(["mount", *options, str(folder)], capture_output=True, check=False).returncode:
        missing("the right to mount a disk", "run the tests as root")


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """Mount a disk that holds so much."""
    _mount(folder, "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


class Disk:
    """A disk in a file. What was written and not synced is in the memory of the kernel, and not in the file."""

    def __init__(self, file: Path, folder: Path) -> None:
        self.file = file
        self.folder = folder

    def after_power_cut(self, file: Path) -> None:
        """Write to a file what would be left of it if its power was cut now."""
        shutil.copyfile(self.file, file)


def format_disk(file: Path, megabytes: int) -> None:
    """Make a file a disk that is empty, and does not write by itself within an hour."""
    with file.open("wb") as empty:
        empty.truncate(megabytes << 20)
    subprocess.run([require_command("mkfs.ext4", "apt-get install e2fsprogs"), "-q", str(file)], check=True)


@contextmanager
def mounted(file: Path, folder: Path) -> Iterator[Disk]:
    """Mount a disk that is in a file."""
    _mount(folder, "-o", "loop,commit=3600", str(file))
    try:
        yield Disk(file, folder)
    finally:
        subprocess.run(["umount", str(folder)], check=True)
