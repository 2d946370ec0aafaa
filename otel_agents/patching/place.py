"""One attribute of a module or a class: found without running code, replaced, and put back; must not know rows."""

from __future__ import annotations

import inspect
import sys
import types
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import Any, Final, NamedTuple

MISSING: Final = object()
Function = Callable[..., Any]


class Place(NamedTuple):
    """An attribute: the module or class that owns it, and its name there."""

    owner: Any
    name: str

    @property
    def is_in_class(self) -> bool:
        """Whether it is the attribute of a class."""
        return isinstance(self.owner, type)

    def own(self) -> Any:
        """Return the owner's own attribute, MISSING when it has none or only inherits it."""
        return vars(self.owner).get(self.name, MISSING)

    def seen(self) -> Any:
        """Return the attribute, inherited or not, as it lies in its owner; MISSING when there is none.

        What a class has from ``object`` alone is no method of its own: to override it would change the class.
        """
        if not self.is_in_class:
            return self.own()
        found = (vars(cls)[self.name] for cls in self.owner.__mro__ if cls is not object and self.name in vars(cls))
        return next(found, MISSING)

    def put(self, value: Any) -> None:
        """Set the owner's own attribute, past a metaclass that would have a say in it."""
        if self.is_in_class:
            type.__setattr__(self.owner, self.name, value)
        else:
            setattr(self.owner, self.name, value)

    def restore(self, value: Any) -> None:
        """Bring the owner's own attribute back to what ``own`` returned before."""
        if value is not MISSING:
            self.put(value)
        else:
            type.__delattr__(self.owner, self.name)


def find(module: str, path: tuple[str, ...]) -> Place | None:
    """Return where a target stands, None when it does not. Imports nothing and asks no module for lazy names."""
    found = Place(owner_of(module, path[:-1]), path[-1])
    return found if found.owner is not None and found.seen() is not MISSING else None


def owner_of(module: str, path: tuple[str, ...]) -> Any:
    """Return the module, or the class in it at this path; None when it is not there."""
    owner: Any = sys.modules.get(module)
    for name in path:
        owner = Place(owner, name).seen() if hasattr(owner, "__dict__") else None
        if not isinstance(owner, type):
            return None
    return owner if hasattr(owner, "__dict__") else None


def matching(module: str, path: tuple[str, ...]) -> list[str]:
    """Return the names that match the last part of a path: of a module those that it defines, of a class all.

    Private names match only a pattern that begins as they do.
    """
    owner, pattern = owner_of(module, path[:-1]), path[-1]
    if owner is None:
        return []
    if isinstance(owner, type):
        names = [name for cls in owner.__mro__ if cls is not object for name in vars(cls)]
    else:
        names = [name for name, value in vars(owner).items() if getattr(value, "__module__", None) == module]
    return [name for name in dict.fromkeys(names) if fnmatchcase(name, pattern) and _front(name) == _front(pattern)]


def _front(name: str) -> str:
    return name[: len(name) - len(name.lstrip("_"))]


class Held(NamedTuple):
    """What lies at a place: the function in it, and how to make an attribute of the same kind from another one."""

    function: Function  # to be called
    like: Any  # to be looked at
    has_self: bool
    box: Callable[[Function], Any]


def held(place: Place, attribute: Any) -> Held:
    """Take the function out of what lies at a place; raises TypeError when it is none that a function can stand for."""
    kind = type(attribute)
    if not place.is_in_class and inspect.isroutine(attribute):
        return Held(attribute, attribute, False, _as_it_is)
    if kind is types.FunctionType and place.is_in_class:
        return Held(attribute, attribute, True, _as_it_is)
    if issubclass(kind, staticmethod | classmethod):
        return Held(attribute.__func__, attribute.__func__, issubclass(kind, classmethod), kind)
    if place.is_in_class and inspect.isroutine(attribute) and callable(attribute):  # else what it gives may be a value
        return _bound(place.owner, attribute)
    raise TypeError(f"{kind.__name__} is no function")


def chain(attribute: Any) -> Iterator[Any]:
    """Yield a function and, innermost last, all that it says it wraps."""
    for _ in range(100):  # wrappers by now, and a cycle by then
        yield attribute
        attribute = getattr(attribute, "__func__", None) or getattr(attribute, "__wrapped__", None)
        if attribute is None:
            return


def _as_it_is(function: Function) -> Function:
    return function


def _bound(owner: type, attribute: Any) -> Held:
    """Call somebody else's descriptor as Python does, through its ``__get__``: it may depend on being bound."""
    if not hasattr(type(attribute), "__get__"):
        return Held(attribute, attribute, False, staticmethod)

    def of_instance(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        return attribute.__get__(self, type(self))(*args, **kwargs)

    def of_class(cls: Any, /, *args: Any, **kwargs: Any) -> Any:
        return attribute.__get__(None, cls)(*args, **kwargs)

    def of_nobody(*args: Any, **kwargs: Any) -> Any:
        return attribute.__get__(None, owner)(*args, **kwargs)

    if isinstance(attribute, staticmethod):  # by its own word: a proxy around one
        return Held(of_nobody, attribute, False, staticmethod)
    if isinstance(attribute, classmethod):
        return Held(of_class, attribute, True, classmethod)
    return Held(of_instance, attribute, True, _as_it_is)
