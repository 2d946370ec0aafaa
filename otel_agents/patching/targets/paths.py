"""Reads a value of the host along a path: attributes and items only, nothing is evaluated; must not know rows.

Properties run, as they do for everybody who reads them; what they raise is no business of the host.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, NamedTuple

from otel_agents.content import type_name
from otel_agents.patching.table import Call

ROOTS: Final = ("self", "arg", "result", "error", "each")
CALLS: Final = ("len", "type")


class Absent(LookupError):  # noqa: N818  # no error of anybody's until nothing else is left to take
    """There is nothing where a path leads."""


class Refused(RuntimeError):  # noqa: N818
    """The host's code raised while it was read."""


@dataclass(slots=True)
class Scope:
    """What paths start from. ``call`` has the receiver and the arguments; the others are None while unknown."""

    call: Call
    result: Any = None
    error: BaseException | None = None
    each: Any = None


class Step(NamedTuple):
    """One step: an attribute, or an item by key or position."""

    name: str | int
    is_item: bool


@dataclass(frozen=True, slots=True)
class Path:
    """Where a value is found: from the root by steps, then through ``calls``, innermost first."""

    root: str
    steps: tuple[Step, ...] = ()
    calls: tuple[str, ...] = ()

    def read(self, scope: Scope) -> Any:
        """Return the value, None where something on the way is None.

        Raises:
            Absent: There is nothing.
            Refused: The host's code raised.
        """
        value, steps = _start(self, scope)
        for step in steps:
            if value is None:
                return None
            with _Foreign():
                value = _item(value, step.name) if step.is_item else getattr(value, str(step.name))
        for call in self.calls:
            if value is not None:
                with _Foreign():
                    value = len(value) if call == "len" else type_name(value)
        return value


@dataclass(frozen=True, slots=True)
class Constant:
    """A value that stands in the row itself."""

    value: object

    def read(self, scope: Scope) -> object:
        """Return the value."""
        return self.value


@dataclass(frozen=True, slots=True)
class Value:
    """What a row gives for one attribute: the first of its choices that is there. ``text`` is how it was written."""

    choices: tuple[Path | Constant, ...]
    text: str = field(default="", compare=False)

    @property
    def roots(self) -> frozenset[str]:
        """Where its paths start."""
        return frozenset(choice.root for choice in self.choices if isinstance(choice, Path))

    @property
    def arguments(self) -> tuple[str, ...]:
        """The parameters that it reads by name."""
        steps = (choice.steps[0] for choice in self.choices if isinstance(choice, Path) and choice.root == "arg")
        return tuple(step.name for step in steps if isinstance(step.name, str))

    @property
    def constant(self) -> object:
        """The value, if it is the same for every call; None otherwise."""
        first = self.choices[0]
        return first.value if isinstance(first, Constant) else None

    def read(self, scope: Scope) -> Any:
        """Return the first value that is there, None when there is none.

        Raises:
            Absent: The last choice leads nowhere.
            Refused: The host's code raised.
        """
        *others, last = self.choices
        for choice in others:
            try:
                found = choice.read(scope)
            except Absent:
                continue
            if found is not None:
                return found
        return last.read(scope)


class _Foreign:
    """Around code of the host that is only read: whatever it raises, but for Ctrl-C, is no business of the program."""

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None or isinstance(error, KeyboardInterrupt):
            return
        if isinstance(error, AttributeError | LookupError | TypeError):
            raise Absent from None
        raise Refused(type_name(error)) from None


def _start(path: Path, scope: Scope) -> tuple[Any, tuple[Step, ...]]:
    """Return where the path starts, and the steps from there."""
    if path.root == "self":
        return scope.call.self, path.steps
    if path.root != "arg":
        return getattr(scope, path.root), path.steps
    with _Foreign():
        return scope.call.given(path.steps[0].name), path.steps[1:]


def _item(value: Any, key: str | int) -> Any:
    if not issubclass(type(value), dict):
        return value[key]
    found = dict.get(value, key, Absent)  # `value[key]` would add the key to a defaultdict
    if found is Absent:
        raise Absent
    return found
