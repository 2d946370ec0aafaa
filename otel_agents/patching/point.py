"""One row on its way: looked for, in force, lost, or taken out, with the state that it is in; knows no other row."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any, Final

from otel_agents import guard
from otel_agents.patching.calls import shaped
from otel_agents.patching.installed import installed_version, is_half, main_module, nowhere, release, spec_of
from otel_agents.patching.likeness import is_by_name, parameters_of, rename
from otel_agents.patching.place import MISSING as NOTHING
from otel_agents.patching.place import Place, chain, find, held, matching
from otel_agents.patching.table import APPLIED, MISSING, UNSUPPORTED, WAITING, Adapter, Patch, PatchState, State
from otel_agents.patching.watch import Site


class Point:
    """One row on its way: looked for, in force, or taken out."""

    __slots__ = ("adapter", "before", "below", "installed", "patch", "place", "problem", "seen_on_top", "site", "spec")

    def __init__(self, adapter: Adapter, patch: Patch) -> None:
        self.adapter = adapter
        self.patch = patch
        self.place: Place | None = None  # while it is in force
        self.site: Site | None = None
        self.before: Any = NOTHING  # the owner's own attribute before
        self.below: Any = None  # the attribute that the closure stands for, the owner's own or inherited
        self.installed: Any = None  # the owner's own attribute since
        self.seen_on_top: Any = None  # what somebody else had put over ours when it was taken out
        self.problem = ""
        self.spec: Any = None  # of the module when it was patched; a reload brings another

    @property
    def runtime(self) -> str:
        """What runs are called that begin here."""
        return self.patch.runtime or self.adapter.runtime

    @property
    def is_of_framework(self) -> bool:
        """Whether its module is there, and no other package by the same name."""
        return self.patch.module in sys.modules and not self._is_of_another()

    @property
    def in_force(self) -> bool:
        """Whether calls are watched."""
        return self.place is not None

    def install(self, *, is_whole: bool = False) -> None:
        """Put the closure in place, if the target is there and it is not in place yet.

        ``is_whole``: the module has just been executed to its end, even if its import is not over.
        """
        target = find(self.patch.module, self.patch.path)
        if self.place is not None or target is None or self._is_of_another():
            return
        if self.patch.refuses is not None and (reason := self.patch.refuses(target)):
            raise TypeError(reason)
        known = next((point for point in _covered if point.is_under(target, self)), None)
        if known is None:
            self._wrap(target)
        else:
            _covered.remove(known)
            self.before, self.below, self.installed, self.site = known.before, known.below, known.installed, known.site
        if self.site is not None:
            self.site.patch, self.site.on = self.patch, True
            self.place, self.spec, self.problem = target, spec_of(self.patch.module), ""
            _standing[id(self.installed)] = self

    def remove(self) -> None:
        """Restore the very attribute that was there. Under somebody else's wrapper the closure only falls silent."""
        is_lost = self.place is not None and self._is_lost(self.place)
        target, self.place = self.place, None
        if target is None or self.site is None:
            return
        self.site.on = False
        _standing.pop(id(self.installed), None)
        if target.own() is self.installed:
            target.restore(self.before)
        elif not is_lost:
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
        return PatchState(self.adapter.name, self.patch.target, self.patch.kind_name, state, detail, self.patch.source)

    def failing(self) -> str:
        """Return why a row sees nothing although its module is there, whole; "" when it does, or is not meant to."""
        return "" if self.in_force or self._is_absent() or self._is_of_another() else self._lack()

    def gone(self) -> str:
        """Return that the framework, which is installed and imported, has no such module; "" when that is not so."""
        module, adapter = self.patch.module, self.adapter
        missing = nowhere(module) if module.partition(".")[0] == adapter.package else ""
        is_its = bool(missing) and bool(installed_version(adapter.distribution)) and not self._is_of_another()
        return f"there is no module {missing}" if is_its and not self._is_absent() else ""

    def _wrap(self, target: Place) -> None:
        seen = target.seen()
        self.below = self._beneath(seen)
        function, like, has_self, box = held(target, self.below)
        site = Site(self.patch, self.adapter.name, self.runtime, parameters_of(like, has_self=has_self))
        closure = shaped(function, site, like)
        could_be_pickled = guard.run("patch.names", is_by_name, like if self.below is seen else _plain(seen))
        self.before, self.installed, self.site = target.own(), box(closure), site
        target.put(self.installed)
        if could_be_pickled:
            rename(closure, self.patch.module, self.patch.path)

    def _beneath(self, attribute: Any) -> Any:
        """Return an attribute without the closures of rows that declare the same elsewhere: one call is one.

        A class inherits those of its base, and a module has those of what it imported.
        """
        while (known := _standing.get(id(attribute))) is not None and self.declares_what(known):
            attribute = known.below
        return attribute

    def declares_what(self, other: Point) -> bool:
        """Whether both are declared by a user, and as the same kind."""
        mine, its = self.patch, other.patch
        same = (self.adapter.name, mine.kind_name) == (other.adapter.name, its.kind_name)
        return same and bool(mine.source and its.source)

    def _is_in(self, attribute: Any) -> bool:
        ours = _plain(self.installed)
        return any(link is ours for link in chain(attribute))

    def _is_lost(self, place: Place) -> bool:
        """Whether the module was executed anew: what is looked up by its callers is not what was patched."""
        now = find(self.patch.module, self.patch.path)
        if now is None or now.owner is not place.owner:
            return True
        own = now.own()
        return own is not self.installed and spec_of(self.patch.module) is not self.spec and not self._is_in(own)

    def _state(self) -> tuple[State, str]:
        if self.place is not None and self._is_lost(self.place):
            return MISSING, f"lost: {self.patch.module} was loaded anew; instrument again after that"
        if self.place is not None:
            is_on_top = self.place.own() is self.installed
            return APPLIED, "" if is_on_top else "somebody else's wrapper stands in front"
        if self._is_absent():
            return UNSUPPORTED, self.patch.absent_note
        module = sys.modules.get(self.patch.module)
        if module is None and self.patch.source and self.patch.module == main_module():
            return MISSING, "runs as __main__; move it into a module that the program imports, and name that"
        if module is None:
            return (MISSING, gone) if (gone := self.gone()) else (WAITING, "not imported yet")
        if self._is_of_another():
            return WAITING, f"this is another package than that of {self.adapter.distribution}"
        if self.seen_on_top is not None:
            return WAITING, "out of force; lets calls pass, under somebody else's wrapper"
        if not (lack := self._lack()):
            return WAITING, "not in force"
        return (WAITING, "is being imported") if is_half(self.patch.module) else (MISSING, lack)

    def _lack(self) -> str:
        """Return why the row cannot be in force, "" when it can."""
        if self.problem or find(self.patch.module, self.patch.path) is not None:
            return self.problem
        return f"there is no {'.'.join(self.patch.path)} in {self.patch.module}"

    def _is_of_another(self) -> bool:
        """Whether the program has a package of its own by the name of the framework's; looked up, never imported."""
        known_by = self.adapter.known_by
        return bool(known_by) and nowhere(known_by) == known_by

    def _is_absent(self) -> bool:
        before, since = self.patch.absent_before, self.patch.absent_from
        version = installed_version(self.adapter.distribution) if before or since else ()
        if not version:
            return False
        return bool(before and version < release(before)) or bool(since and version >= release(since))


class Points(Point):
    """A row whose target is a pattern: all functions of a module or a class with such a name, but for private ones.

    What another row of the adapter names outright, is left to that row.
    """

    __slots__ = ("found",)

    def __init__(self, adapter: Adapter, patch: Patch) -> None:
        super().__init__(adapter, patch)
        self.found: dict[str, Point] = {}

    @property
    def in_force(self) -> bool:
        """Whether any function is watched."""
        return any(point.in_force for point in self.found.values())

    def install(self, *, is_whole: bool = False) -> None:
        """Put closures in the places that match by now, once the module has all of its names."""
        if not is_whole and is_half(self.patch.module):
            return
        front = self.patch.target.removesuffix(self.patch.path[-1])
        taken = {each.target for each in self.adapter.patches}
        for name in matching(self.patch.module, self.patch.path):
            if name not in self.found and front + name not in taken and not self._is_told(name):
                self._add(name, Point(self.adapter, replace(self.patch, target=front + name)))

    def _is_told(self, name: str) -> bool:
        """Whether another pattern declares the same of this function already."""
        place = find(self.patch.module, (*self.patch.path[:-1], name))
        known = _standing.get(id(place.own())) if place is not None else None
        while known is not None and not self.declares_what(known):
            known = _standing.get(id(known.below))
        if known is not None:
            self.problem = "what it matches is declared by another row already"
        return known is not None

    def _add(self, name: str, point: Point) -> None:
        try:
            point.install()
        except TypeError:
            return  # no function: nobody named it
        self.found[name] = point

    def remove(self) -> None:
        """Restore all."""
        while self.found:
            self.found.popitem()[1].remove()

    def _state(self) -> tuple[State, str]:
        states = {name: point.state() for name, point in self.found.items()}
        bad = [f"{name}: {each.detail}" for name, each in states.items() if each.state != APPLIED]
        if bad:
            return MISSING, "; ".join(bad)
        return (APPLIED, ", ".join(states)) if states else super()._state()


def point_of(adapter: Adapter, patch: Patch) -> Point:
    """Return the way of a row."""
    return Points(adapter, patch) if patch.is_pattern else Point(adapter, patch)


_standing: Final[dict[int, Point]] = {}  # in force, by the address of what was installed
_covered: Final[list[Point]] = []  # taken out of force under somebody else's wrapper


def _plain(attribute: Any) -> Any:
    return getattr(attribute, "__func__", attribute)
