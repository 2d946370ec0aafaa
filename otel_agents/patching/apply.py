"""Puts the rows of adapters into force and takes them out again, exactly; imports no host module, knows no signal.

A row is applied when its module is there, and otherwise when somebody imports it. A row whose target cannot be found
is looked for again whenever states are read: a module may have been half imported.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from wrapt import register_post_import_hook

from otel_agents import guard, notice
from otel_agents.patching.installed import installed_version, is_half, release
from otel_agents.patching.point import Point, _covered, point_of
from otel_agents.patching.table import Adapter, PatchState, State

LOGGER: Final = "otel_agents"
OnApplied = Callable[[str], None]


class Applied:
    """An adapter in force; ``undo`` takes it out again."""

    def __init__(self, adapter: Adapter, on_applied: OnApplied | None) -> None:
        self.adapter = adapter
        self._on_applied = on_applied
        self._announced: set[str] = {""}
        self._told: set[tuple[str, str]] = set()
        self._version: tuple[int, ...] = ()  # of the framework, once that is met
        self._is_told = False  # what is wrong with it
        self._points = [point_of(adapter, patch) for patch in adapter.patches]

    def undo(self) -> None:
        """Restore every patched attribute to the object that it was. May be called again, without effect."""
        with _lock:
            if _applied.get(self.adapter.name) is self:
                del _applied[self.adapter.name]
            for point in reversed(self._points):
                guard.run(f"patch.{self.adapter.name}.undo", point.remove)
            _covered[:] = [point for point in reversed(_covered) if not point.uncover()][::-1]

    def states(self) -> list[PatchState]:
        """Return the state of each row, in the order of the rows."""
        with _lock:
            if _applied.get(self.adapter.name) is self:
                self.look(sys.modules)
            return [point.state() for point in self._points]

    def look(self, modules: Iterable[str], *, are_whole: bool = False) -> None:
        """Apply the rows whose module is one of these, maybe half executed yet, and whose target is there."""
        for point in self._points:
            if point.patch.module in modules and (not point.in_force or point.patch.is_pattern):
                guard.run(f"patch.{self.adapter.name}.apply", self._install, point, are_whole)

    def tell(self, modules: Iterable[str]) -> None:
        """Say once what a person has to mend, now that these modules are whole: the framework, a wrong row."""
        arrived = [point for point in self._points if point.patch.module in modules]
        if not self._is_told and any(point.is_of_framework for point in arrived):
            self._is_told = self._tell_framework(arrived)
        for point in arrived:
            reason = point.failing() if point.patch.source else ""
            if reason and (point.patch.target, reason) not in self._told:
                self._told.add((point.patch.target, reason))
                notice.warn(LOGGER, "%s: method: %s. The other rows are not affected.", point.patch.source, reason)

    def _tell_framework(self, arrived: Iterable[Point]) -> bool:
        """Say what is wrong with the framework; return whether nothing more is to be said of it."""
        name, (oldest, newest) = self.adapter.distribution, self.adapter.tested
        version = self._version = self._version or installed_version(name)
        fix = f"pip install --force-reinstall '{name}=={newest}.*'"
        if not version:
            return True
        if version < release(oldest):
            wrong, fix = f"is older than {oldest}, the oldest that is supported", f"pip install '{name}>={oldest}'"
        elif not (lack := next(filter(None, (*map(Point.failing, arrived), *map(Point.gone, self._points))), "")):
            return False
        elif version[: len(release(newest))] > release(newest):
            wrong = f"is newer than {newest}, the newest that was tested, and {lack}"
        else:
            wrong = f"is not whole: {lack}"
        numbers = ".".join(map(str, version))
        said = "%s %s %s. Of what it does some may not be seen. The program runs as it is. Fix: %s"
        notice.warn(LOGGER, said, name, numbers, wrong, fix)
        return True

    def _install(self, point: Point, is_whole: bool) -> None:  # noqa: FBT001  # passed through the guard
        try:
            point.install(is_whole=is_whole)
        except TypeError as error:
            point.problem = str(error)
        if point.in_force and self._on_applied is not None and point.runtime not in self._announced:
            self._announced.add(point.runtime)
            self._on_applied(point.runtime)


_lock = threading.RLock()
_applied: Final[dict[str, Applied]] = {}
_hooked: Final[set[str]] = set()  # modules whose import we hear of


def apply(adapter: Adapter, *, on_applied: OnApplied | None = None) -> Applied:
    """Put an adapter into force, now or as its modules are imported; when it is already, return its handle.

    ``on_applied`` is called once with each runtime when its first row is in force. Raises ValueError when
    another adapter of that name is in force.
    """
    with _lock:
        applied = _applied.get(adapter.name)
        if applied is not None:
            if applied.adapter != adapter:
                raise ValueError(f"another adapter {adapter.name!r} is in force; undo it first")
            return applied
        applied = _applied[adapter.name] = Applied(adapter, on_applied)
        applied.look(sys.modules)
        named = {patch.module: None for patch in adapter.patches}
        whole = [name for name in named if name in sys.modules and not is_half(name)]
        guard.run(f"patch.{adapter.name}.tell", applied.tell, whole)
        for name in named:
            if name not in sys.modules and name not in _hooked:
                _hooked.add(name)
                register_post_import_hook(partial(_imported, name), name)
        return applied


def patch_states(adapter: Adapter) -> list[PatchState]:
    """Return the state of each row of an adapter; one that is not in force waits."""
    with _lock:
        applied = _applied.get(adapter.name)
    return applied.states() if applied is not None else [point_of(adapter, patch).state() for patch in adapter.patches]


def patch_counts() -> dict[tuple[str, State], int]:
    """Return how many rows of each adapter in force are in each state, by (adapter, state)."""
    with _lock:
        adapters = list(_applied.values())
    counts: dict[tuple[str, State], int] = {}
    for state in (state for applied in adapters for state in applied.states()):
        counts[state.adapter, state.state] = counts.get((state.adapter, state.state), 0) + 1
    return counts


def _imported(name: str, module: object) -> None:
    """Apply what waited for a module. Runs inside the host's import statement, so it must not raise."""
    guard.run("patch.import", _arrived, name)


def _arrived(name: str) -> None:
    with _lock:
        _hooked.discard(name)
        for applied in list(_applied.values()):
            applied.look((name,), are_whole=True)
            guard.run(f"patch.{applied.adapter.name}.tell", applied.tell, (name,))


def _renew() -> None:
    """Give a forked child its own lock: the parent's may be held by a thread that the child does not have."""
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_renew)
