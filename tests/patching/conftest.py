"""A recorder with one signal that remembers, and rows for host code."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from otel_agents import guard
from otel_agents.operation import Operation, Signal, current
from otel_agents.patching import apply as applying
from otel_agents.patching import point
from otel_agents.patching.apply import Applied, apply
from otel_agents.patching.table import Adapter, Call, Patch, Start
from otel_agents.recorder import RECORDER
from otel_agents.semconv import kinds as k

MATERIAL = "tests.patching.material"


class Told(Signal):
    """Remembers the operations that it is told of."""

    name = "told"

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self.ends: list[tuple[str, str]] = []
        self.errors: list[BaseException | None] = []

    def started(self, operation: Operation) -> None:
        self.operations.append(operation)

    def ended(self, operation: Operation) -> None:
        self.ends.append((operation.subject, operation.outcome))
        self.errors.append(operation.error)

    def wait_for_ends(self, count: int) -> None:
        """Wait for operations that end in another thread, since the collector ended them."""
        until = time.monotonic() + 5
        while len(self.ends) < count and time.monotonic() < until:
            time.sleep(0.001)


class Rows:
    """Puts rows into force and remembers what to undo."""

    def __init__(self) -> None:
        self.applied: list[Applied] = []

    def adapter(self, *patches: Patch, name: str = "host") -> Adapter:
        """Return an adapter of these rows."""
        return Adapter(name, name, "pip", ("1", "2"), patches)

    def __call__(self, *patches: Patch, name: str = "host") -> Applied:
        self.applied.append(apply(self.adapter(*patches, name=name)))
        return self.applied[-1]

    def node(self, *paths: str, name: Any = "host", **row: Any) -> Applied:
        """Make each call of these in the material a node with the path as its subject."""
        return self(*(patch(path, **row) for path in paths), name=name)


def patch(path: str, **row: Any) -> Patch:
    """Return a row for something in the material that makes nodes with the path as their subject."""

    def before(call: Call) -> Start:
        return Start(path)

    return Patch(f"{MATERIAL}:{path}", **{"kind": k.NODE, "before": before, "why": "A test.", **row})


@pytest.fixture
def told() -> Iterator[Told]:
    """A signal that hears everything; nothing of ours may fail or stay current."""
    signal = Told()
    RECORDER.install((signal,), listening=lambda: True)
    guard.reset()
    try:
        yield signal
    finally:
        failed = guard.errors()
        guard.reset()
        RECORDER.install(())
    assert current() is None
    assert failed == {}


@pytest.fixture
def rows() -> Iterator[Rows]:
    """Rows that are taken out of force at the end."""
    made = Rows()
    try:
        yield made
    finally:
        for applied in reversed(made.applied):
            applied.undo()
    left, point._covered[:] = point._covered[:], []
    assert left == []


@pytest.fixture
def importable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """Write a module that can be imported, and return its name; it is forgotten at the end."""
    monkeypatch.syspath_prepend(tmp_path)
    names: list[str] = []

    def write(name: str, source: str) -> str:
        (tmp_path / f"{name}.py").write_text(source, encoding="utf-8")
        importlib.invalidate_caches()
        names.append(name)
        return name

    yield write
    for name in names:
        sys.modules.pop(name, None)
        applying._hooked.discard(name)


@pytest.fixture
def host() -> ModuleType:
    """The material."""
    return importlib.import_module(MATERIAL)
