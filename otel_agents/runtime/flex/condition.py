"""A JSON Logic condition, checked once and with bounded work each time it is asked; knows no policy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from json_logic import jsonLogic  # type: ignore[import-untyped]
from json_logic.builtins import BUILTINS  # type: ignore[import-untyped]

from otel_agents.runtime.flex.problem import Detail, FlexError, pointer

MAX_STEPS: Final = 10_000
"""Operations of one evaluation; an item that an operation goes through counts as one, too."""
MAX_LENGTH: Final = 10_000
"""Characters of a text, items of a list or bits of a whole number that an operation may make."""

_ITERATING: Final = frozenset({"filter", "reduce", "map", "all", "some", "none"})
# Operations that look at all of their operands: `_A_STEP` items, or a text of that many times that, are one step.
_LOOKING: Final = frozenset({"==", "!=", "===", "!==", "in", "cat", "merge", "missing", "missing_some", "var"})
_A_STEP: Final = 20
_COUNTED: Final = "\0counted"  # an operation of ours around each list that is gone through; JSON has no such name
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
        self._logic = _with_counts(document)

    def holds(self, data: Mapping[str, Any]) -> bool:
        """Return whether the condition holds.

        Raises:
            ConditionError: Operands that make no sense, or too much work.
        """
        try:
            return bool(BUILTINS["!!"](None, jsonLogic(self._logic, data, _bounded())))
        except _FAILURES as error:
            raise ConditionError(type(error).__name__) from error


def _bounded() -> dict[str, Callable[..., Any]]:
    """Return the operations for one evaluation, which together do no more than `MAX_STEPS`."""
    left = [MAX_STEPS]

    def pay(steps: int) -> None:
        left[0] -= steps
        if left[0] < 0:
            raise OverflowError

    def bound(name: str, operation: Callable[..., Any]) -> Callable[..., Any]:
        def run(data: Any, *operands: Any) -> Any:
            pay(1 + (_weight(operands, left[0] * _A_STEP) // _A_STEP if name in _LOOKING else 0))
            result = operation(data, *operands)
            # A part of the data may be of any length: it is there already.
            if name != "var" and _size(result) > MAX_LENGTH:
                raise OverflowError
            return result

        return run

    def counted(_: Any, items: Any, steps: int) -> Any:
        pay(len(items) * steps if isinstance(items, list) else 0)
        return items

    return {_COUNTED: counted, **{name: bound(name, BUILTINS[name]) for name in _OPERATIONS}}


def _with_counts(document: Any) -> Any:
    """Return the same logic, in which going through a list is paid for, by what is done with each item."""
    if isinstance(document, list):
        return [_with_counts(each) for each in document]
    if not isinstance(document, Mapping):
        return document
    ((name, operands),) = document.items()
    operands = _with_counts(operands)
    if name in _ITERATING and isinstance(operands, list) and operands:
        each = 1 + _weight(operands[1:2], _A_STEP * MAX_STEPS) // _A_STEP
        operands = [{_COUNTED: [operands[0], each]}, *operands[1:]]
    return {name: operands}


def _weight(value: Any, enough: int) -> int:
    """Return how much there is in a value: items at every depth, and texts by their length; stops at `enough`."""
    weight, left = 0, [value]
    while left and weight <= enough:
        one = left.pop()
        if isinstance(one, Mapping):
            left.extend(one.values())
        elif isinstance(one, list | tuple):
            left.extend(one)
        weight += len(one) // _A_STEP if isinstance(one, str) else 1
    return weight


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
