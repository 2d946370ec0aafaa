"""Gives a suite an environment of its own and its tests: installed and unpacked once for what it is made of."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tarfile
import tomllib
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.frameworks.suites import Suite

ROOT: Final = Path(__file__).parents[2]
HOMES: Final = ROOT / ".cache" / "frameworks"
BUILDS: Final = ("hatchling",)  # what the source distributions are built with


@dataclass(frozen=True, slots=True)
class Home:
    """Where a suite lives: its interpreter, and the folder that its tests are run in."""

    python: Path
    source: Path


def folder_of(suite: Suite) -> Path:
    """Return where the home of a suite is, or would be."""
    return HOMES / f"{suite.home or suite.name}-{_key(suite)}"


def home(suite: Suite) -> Home:
    """Return the home of a suite; it is made when it is not there, which takes a registry and minutes."""
    folder = folder_of(suite)
    made = Home(folder / "env" / "bin" / "python", folder / "source")
    if not (folder / "whole").exists():
        for old in HOMES.glob(f"{suite.home or suite.name}-*"):
            shutil.rmtree(old)
        _make(suite, made, folder)
        (folder / "whole").touch()
    return made


def _key(suite: Suite) -> str:
    """Return what a home is known by: another content, or another Python, needs another home."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    content = repr((suite.requirement, suite.needs, suite.locked, project["dependencies"], sys.version_info[:2]))
    return hashlib.sha256(content.encode()).hexdigest()[:12]


def _make(suite: Suite, made: Home, folder: Path) -> None:
    venv.create(folder / "env", with_pip=True)
    _pip(made, "install", *BUILDS)
    fetched = folder / "fetched"
    _pip(
        *(made, "download", "--no-deps", "--no-build-isolation", "--no-binary", suite.distribution),
        *("--dest", str(fetched), suite.requirement),
    )
    with tarfile.open(next(fetched.glob("*.tar.gz"))) as archive:
        archive.extractall(folder, filter="data")
    next(folder.glob(f"*-{suite.version}")).rename(made.source)
    constraints = folder / "constraints.txt"
    constraints.write_text("\n".join(_locked(suite, made.source / "uv.lock")), encoding="utf-8")
    _pip(made, "install", "--constraint", str(constraints), suite.requirement, *suite.needs, "--editable", str(ROOT))


def _locked(suite: Suite, lock: Path) -> list[str]:
    """Return the versions that the framework's own developers run its tests with."""
    packages = tomllib.loads(lock.read_text(encoding="utf-8"))["package"]
    found: dict[str, set[str]] = {}
    for package in packages:
        if "registry" in package["source"] and package["name"].startswith(suite.locked):
            found.setdefault(package["name"], set()).add(package["version"])
    return [f"{name}=={version}" for name, (version, *others) in found.items() if not others]


def _pip(made: Home, *arguments: str) -> None:
    command = [str(made.python), "-m", "pip", *arguments, "--quiet", "--disable-pip-version-check"]
    subprocess.run(command, check=True)
