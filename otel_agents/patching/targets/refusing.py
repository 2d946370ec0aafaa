"""What cannot be watched, with the reason and what to declare instead; must not know rows."""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable
from typing import Any, Final

from otel_agents.patching.place import Place

COMPILED: Final = (
    types.BuiltinFunctionType,
    types.MethodDescriptorType,
    types.WrapperDescriptorType,
    types.ClassMethodDescriptorType,
)


def refusal(place: Place) -> str:
    """Return why what lies at a place is not watched, "" when it can be."""
    attribute = place.seen()
    own = getattr(attribute, "__func__", attribute) if isinstance(attribute, staticmethod | classmethod) else attribute
    return next((reason for is_it, reason in REASONS if is_it(own)), "")


REASONS: Final[tuple[tuple[Callable[[Any], bool], str], ...]] = (
    (
        lambda value: isinstance(value, property | functools.cached_property),
        "is a property; declare the method that it calls, since reading a value is no operation",
    ),
    (lambda value: isinstance(value, type), "is a class; declare one of its methods, such as __call__ or run"),
    (
        lambda value: isinstance(value, COMPILED),
        "is compiled (C) code, which other compiled code calls past us; declare the Python function that calls it",
    ),
    (
        lambda value: isinstance(value, functools.partial | functools.partialmethod),
        "is a partial; declare the function inside it, where that is defined",
    ),
    (lambda value: not callable(value), "is no function"),
    (
        lambda value: not inspect.isroutine(value) and not hasattr(type(value), "__get__"),
        "is an object that can be called; declare the __call__ of its class",
    ),
)
