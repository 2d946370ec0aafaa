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
from importlib import metadata
from typing import Any, Final

from wrapt import register_post_import_hook

from otel_agents import guard
from otel_agents.patching.calls import shaped
from otel_agents.patching.likeness import is_by_name, parameters_of, rename
from otel_agents.patching.place import MISSING as NOTHING
from otel_agents.patching.place import Place, chain, find, held
from otel_agents.patching.table import APPLIED, MISSING, UNSUPPORTED, WAITING, Adapter, Patch, PatchState, State
from otel_agents.patching.watch import Site

OnApplied = Callable[[str], None]


class Point:
    """One row on its way: looked for, in force, or taken out."""

    __slots__ = ("adapter", "before", "installed", "patch", "place", "problem", "seen_on_top", "site")

    def __init__(self, adapter: Adapter, patch: Patch) -> None:
        self.adapter = adapter
        self.patch = patch
        self.place: Place | None = None  # while it is in force
        self.site: Site | None = None
        self.before: Any = NOTHING  # the owner's own attribute before
        self.installed: Any = None  # the owner's own attribute since
        self.seen_on_top: Any = None  # what somebody else had put over ours when it was taken out
        self.problem = ""

    def install(self) -> None:
        """Put the closure in place, if the target is there and it is not in place yet."""
        target = find(self.patch.module, self.patch.path)
        if self.place is not None or target is None:
            return
        known = next((point for point in _covered if point.is_under(target, self)), None)
        if known is None:
            self._wrap(target)
        else:
            _covered.remove(known)
            self.before, self.installed, self.site = known.before, known.installed, known.site
        if self.site is not None:
            self.site.patch, self.site.on = self.patch, True
            self.place = target

    def remove(self) -> None:
        """Restore the very attribute that was there. Under somebody else's wrapper the closure only falls silent."""
        target, self.place = self.place, None
        if target is None or self.site is None:
            return
        self.site.on = False
        if target.own() is self.installed:
            target.restore(self.before)
        else:
            self.seen_on_top = target, target.own()
            _covered.append(self)

    def is_under(self, target: Place, other: Point) -> bool:
        """Whether this closure, taken out of force, still lies at the target, and can serve the other row."""
        if self.seen_on_top is None or self.seen_on_top[0] != target:
            return False
        mine, its = self.patch, other.patch
        same = (self.adapter.name, mine.target, mine.shape) == (other.adapter.name, its.target, its.shape)
        return same and (target.own() is self.seen_on_top[1] or self._is_in(target.own()))

    def uncover(self) -> bool:
        """Restore the attribute if what was on top is gone by now."""
        target: Place = self.seen_on_top[0]
        if target.own() is not self.installed:
            return False
        target.restore(self.before)
        return True

    def state(self) -> PatchState:
        """Say how the row is doing."""
        state, detail = self._state()
        kind = self.patch.kind.name if self.patch.kind is not None else "tap"
        return PatchState(self.adapter.name, self.patch.target, kind, state, detail, self.patch.source)

    def _wrap(self, target: Place) -> None:
        function, like, has_self, box = held(target)
        site = Site(self.patch, self.adapter.name, self.adapter.runtime, parameters_of(like, has_self=has_self))
        closure = shaped(function, site, like)
        could_be_pickled = guard.run("patch.names", is_by_name, like)
        self.before, self.installed, self.site = target.own(), box(closure), site
        target.put(self.installed)
        if could_be_pickled:
            rename(closure, self.patch.module, self.patch.path)

    def _is_in(self, attribute: Any) -> bool:
        ours = getattr(self.installed, "__func__", self.installed)
        return any(link is ours for link in chain(attribute))

    def _state(self) -> tuple[State, str]:
        if self.place is not None:
            is_on_top = self.place.own() is self.installed
            return APPLIED, "" if is_on_top else "somebody else's wrapper stands in front"
        if self._is_absent():
            return UNSUPPORTED, self.patch.absent_note
        module = sys.modules.get(self.patch.module)
        if module is None:
            return WAITING, "not imported yet"
        if self.seen_on_top is not None:
            return WAITING, "out of force; lets calls pass, under somebody else's wrapper"
        if not self.problem and find(self.patch.module, self.patch.path) is not None:
            return WAITING, "not in force"
        if getattr(getattr(module, "__spec__", None), "_initializing", False):
            return WAITING, "is being imported"
        return MISSING, self.problem or f"there is no {'.'.join(self.patch.path)} in {self.patch.module}"

    def _is_absent(self) -> bool:
        before, since = self.patch.absent_before, self.patch.absent_from
        version = installed_version(self.adapter.distribution) if before or since else ()
        if not version:
            return False
        return bool(before and version < release(before)) or bool(since and version >= release(since))


class Applied:
    """An adapter in force; ``undo`` takes it out again."""

    def __init__(self, adapter: Adapter, on_applied: OnApplied | None) -> None:
        self.adapter = adapter
        self._on_applied = on_applied
        self._points = [Point(adapter, patch) for patch in adapter.patches]

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

    def look(self, modules: Iterable[str]) -> None:
        """Apply the rows whose module is one of these and whose target is there."""
        for point in self._points:
            if point.place is None and point.patch.module in modules:
                guard.run(f"patch.{self.adapter.name}.apply", self._install, point)

    def _install(self, point: Point) -> None:
        try:
            point.install()
        except TypeError as error:
            point.problem = str(error)
        if point.place is not None and self._on_applied is not None and self.adapter.runtime:
            announce, self._on_applied = self._on_applied, None
            announce(self.adapter.runtime)


_lock = threading.RLock()
_applied: Final[dict[str, Applied]] = {}
_covered: Final[list[Point]] = []  # taken out of force under somebody else's wrapper
_hooked: Final[set[str]] = set()  # modules whose import we hear of


def apply(adapter: Adapter, *, on_applied: OnApplied | None = None) -> Applied:
    """Put an adapter into force, now or as its modules are imported; when it is already, return its handle.

    ``on_applied`` is called once with the adapter's runtime when its first row is in force. Raises ValueError when
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
        for name in {patch.module: None for patch in adapter.patches}:
            if name not in sys.modules and name not in _hooked:
                _hooked.add(name)
                register_post_import_hook(partial(_imported, name), name)
        return applied


def patch_states(adapter: Adapter) -> list[PatchState]:
    """Return the state of each row of an adapter; one that is not in force waits."""
    with _lock:
        applied = _applied.get(adapter.name)
    return applied.states() if applied is not None else [Point(adapter, patch).state() for patch in adapter.patches]


def patch_counts() -> dict[tuple[str, State], int]:
    """Return how many rows of each adapter in force are in each state, by (adapter, state)."""
    with _lock:
        adapters = list(_applied.values())
    counts: dict[tuple[str, State], int] = {}
    for state in (state for applied in adapters for state in applied.states()):
        counts[state.adapter, state.state] = counts.get((state.adapter, state.state), 0) + 1
    return counts


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


def _imported(name: str, module: object) -> None:
    """Apply what waited for a module. Runs inside the host's import statement, so it must not raise."""
    guard.run("patch.import", _arrived, name)


def _arrived(name: str) -> None:
    with _lock:
        _hooked.discard(name)
        for applied in list(_applied.values()):
            applied.look((name,))


def _renew() -> None:
    """Give a forked child its own lock: the parent's may be held by a thread that the child does not have."""
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_renew)
