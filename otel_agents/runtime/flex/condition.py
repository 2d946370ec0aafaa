"""A JSON Logic condition, checked once and with bounded work each time it is asked; knows no policy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from json_logic import jsonLogic  # type: ignore[import-untyped]
from json_logic.builtins import BUILTINS  # type: ignore[import-untyped]

from otel_agents.runtime.flex.problem import Detail, FlexError, pointer

MAX_STEPS: Final = 10_000
"""Operations of one evaluation."""
MAX_LENGTH: Final = 10_000
"""Characters of a text, items of a list or bits of a whole number that an operation may make."""

_ITERATING: Final = frozenset({"filter", "reduce", "map", "all", "some", "none"})
# `log` prints, which a condition must not.
_OPERATIONS: Final = frozenset(BUILTINS) - {"log"}
_KNOWN: Final = _OPERATIONS | _ITERATING | {"if", "?:", "and", "or"}
# What the library's operations raise on operands that make no sense.
_FAILURES: Final = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    ReferenceError,
    TypeError,
    ValueError,
)


class ConditionError(Exception):
    """A condition that cannot be answered for this data."""


class Condition:
    """A JSON Logic rule that is true or false of some data.

    Raises:
        FlexError: `invalid_condition`; paths point into the document.
    """

    def __init__(self, document: object) -> None:
        self.document = document
        problems = [Detail(pointer(*path), message) for path, message in _refused(document, ())]
        if not isinstance(document, Mapping | bool):
            problems = [Detail("", "is neither an operation nor true nor false")]
        if problems:
            raise FlexError("invalid_condition", "The condition is no JSON Logic that we know", problems)

    def holds(self, data: Mapping[str, Any]) -> bool:
        """Return whether the condition holds.

        Raises:
            ConditionError: Operands that make no sense, or too much work.
        """
        try:
            return bool(BUILTINS["!!"](None, jsonLogic(self.document, data, _bounded())))
        except _FAILURES as error:
            raise ConditionError(type(error).__name__) from error


def _bounded() -> dict[str, Callable[..., Any]]:
    """Return the operations for one evaluation, which together do no more than `MAX_STEPS`."""
    left = [MAX_STEPS]

    def bound(operation: Callable[..., Any]) -> Callable[..., Any]:
        def run(*operands: Any) -> Any:
            left[0] -= 1
            result = operation(*operands)
            if left[0] < 0 or (result is not operands[0] and _size(result) > MAX_LENGTH):
                raise OverflowError
            return result

        return run

    # A part of the data may be of any length: it is there already.
    return {name: BUILTINS[name] if name == "var" else bound(BUILTINS[name]) for name in _OPERATIONS}


def _size(value: object) -> int:
    if isinstance(value, int):
        return value.bit_length()
    return len(value) if isinstance(value, str | list) else 0


def _refused(document: object, path: tuple[object, ...], *, iterates: bool = False) -> Iterator[tuple[Any, str]]:
    """Yield what is no JSON Logic, and what may take for ever."""
    if isinstance(document, list):
        for index, each in enumerate(document):
            yield from _refused(each, (*path, index), iterates=iterates)
    if not isinstance(document, Mapping):
        return
    if len(document) != 1:
        yield path, "is no operation: an operation is an object with one key"
        return
    name, operands = next(iter(document.items()))
    if name not in _KNOWN:
        yield (*path, name), f"is none of the operations {', '.join(sorted(_KNOWN))}"
    if name in _ITERATING and iterates:
        yield (*path, name), "goes through a list inside of another that does; one level is allowed"
    yield from _refused(operands, (*path, name), iterates=iterates or name in _ITERATING)
