"""What makes a closure look like the function it stands for: names, signature, parameters; must not know patches."""

from __future__ import annotations

import functools
import inspect
import sys
import types
from collections.abc import Callable
from typing import Any, Final, TypeVar

from otel_agents import guard
from otel_agents.patching.table import Parameters

Function = Callable[..., Any]
Ours = TypeVar("Ours", bound=Callable[..., Any])
SKIPPED: Final = " (importlib._bootstrap)"
PLAIN = (types.FunctionType, types.BuiltinFunctionType, types.MethodDescriptorType, types.WrapperDescriptorType)


def unseen(ours: Ours) -> Ours:
    """Take a function of ours out of what ``stacklevel`` counts.

    ``warnings`` and ``logging`` pass over frames that have this in the name of their file. Without it, a host's
    ``warn(..., stacklevel=2)`` in a watched function would be laid at our door, and not be shown where it is shown
    without us: by default Python shows deprecations in ``__main__`` only.
    """
    code = ours.__code__
    ours.__code__ = code.replace(co_filename=code.co_filename + SKIPPED)
    return ours


def dress(closure: Any, original: Any) -> Any:
    """Give a closure the names, documentation, defaults, attributes and, by ``__wrapped__``, signature of another."""
    unseen(closure)
    functools.update_wrapper(closure, original)
    for name in ("__defaults__", "__kwdefaults__", "__type_params__"):
        if hasattr(original, name):
            setattr(closure, name, getattr(original, name))
    if not isinstance(original, PLAIN):
        _lend(closure, original)
    flags = getattr(getattr(original, "__code__", None), "co_flags", 0)
    return types.coroutine(closure) if flags & inspect.CO_ITERABLE_COROUTINE else closure


def _lend(closure: Any, original: Any) -> None:
    """Add the public attributes that a special callable has and a function does not, such as ``cache_clear``."""
    for name in dir(original):
        if not name.startswith("_") and not hasattr(closure, name):
            setattr(closure, name, getattr(original, name))


def is_by_name(function: Any) -> bool:
    """Whether its module and qualified name lead to the function, so that it can be pickled."""
    return _found(getattr(function, "__module__", None), getattr(function, "__qualname__", "")) is function


def rename(closure: Any, module: str, path: tuple[str, ...]) -> None:
    """Name a closure after the place where it stands, if its own name leads to something else.

    A function is pickled by its module and qualified name. One that is patched where it was imported to would lead
    to the original, which pickle refuses.
    """
    if not is_by_name(closure):
        closure.__module__, closure.__qualname__ = module, ".".join(path)


def _found(module: str | None, path: str) -> object:
    found: Any = sys.modules.get(module or "")
    for name in path.split("."):
        found = inspect.getattr_static(found, name, None)
    return getattr(found, "__func__", found)


def parameters_of(original: Any, *, has_self: bool | None = None) -> Parameters:
    """Return where the parameters of a function stand; nothing is known of what has no Python code.

    ``has_self`` None goes by the first parameter's name.
    """
    unwrapped: Any = guard.run("patch.parameters", inspect.unwrap, original)
    code = getattr(unwrapped, "__code__", None)
    if not isinstance(code, types.CodeType):
        return Parameters({}, has_self=bool(has_self))
    names = code.co_varnames[: code.co_argcount]
    is_method = names[:1] in (("self",), ("cls",)) if has_self is None else has_self
    return Parameters({name: position for position, name in enumerate(names)}, is_method, _defaults(unwrapped, names))


def _defaults(function: Any, names: tuple[str, ...]) -> dict[str, Any]:
    values = getattr(function, "__defaults__", None) or ()
    named = getattr(function, "__kwdefaults__", None) or {}
    return dict(zip(names[len(names) - len(values) :], values, strict=False)) | named
