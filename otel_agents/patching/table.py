"""The rows that adapters are made of, and what a row sees of a call; must not know how a call is watched."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple

from otel_agents.operation import Identity
from otel_agents.semconv.model import Kind

Shape = Literal[
    "", "returns_awaitable", "returns_iterator", "returns_anything", "context_manager", "async_context_manager"
]
State = Literal["applied", "waiting", "unsupported", "missing"]

APPLIED: Final = "applied"
WAITING: Final = "waiting"
UNSUPPORTED: Final = "unsupported"
MISSING: Final = "missing"
PATTERN: Final = frozenset("*?[")
STATES: Final[tuple[State, ...]] = (APPLIED, WAITING, UNSUPPORTED, MISSING)

_NOTHING: Final = object()

Arguments = tuple[tuple[Any, ...], dict[str, Any]]


class Parameters(NamedTuple):
    """The parameters of a patched function: position by name, whether the first is the receiver, and defaults."""

    positions: Mapping[str, int]
    has_self: bool = False
    defaults: Mapping[str, Any] = MappingProxyType({})


class Call:
    """One call of a patched function, as its row sees it.

    ``args`` and ``kwargs`` are the host's own, to be read and never changed. ``state`` is the row's to keep what it
    needs from ``before`` until the end of this call; it starts as None.
    """

    __slots__ = ("_parameters", "args", "kwargs", "state")

    def __init__(self, args: tuple[Any, ...], kwargs: dict[str, Any], parameters: Parameters) -> None:
        self.args = args
        self.kwargs = kwargs
        self._parameters = parameters
        self.state: Any = None

    @property
    def self(self) -> Any:
        """The object of a method, the class of a class method; None for functions and static methods."""
        return self.args[0] if self._parameters.has_self and self.args else None

    @property
    def name(self) -> str:
        """The name of what is called, as it stands in its module or class; "" when that is not known."""
        return ""

    def argument(self, name: str, default: Any = None) -> Any:
        """Return an argument by name, however it was given; ``default`` when the caller left it out."""
        position = self._parameters.positions.get(name)
        if position is not None and position < len(self.args):
            return self.args[position]
        return self.kwargs.get(name, default)

    def given(self, parameter: str | int) -> Any:
        """Return what the function gets for a parameter, by name or by position after the receiver.

        Raises:
            LookupError: It gets nothing, since there is no such parameter, or no value for it.
        """
        if isinstance(parameter, int):
            position = parameter + self._parameters.has_self
            if position < len(self.args):
                return self.args[position]
            parameter = list(self._parameters.positions)[position]
        value = self.argument(parameter, _NOTHING)
        return self._parameters.defaults[parameter] if value is _NOTHING else value


@dataclass(slots=True)  # not frozen: one is made on every call, and that would make it four times as dear
class Start:
    """What a row read from a call: the operation to start.

    ``kind`` replaces the kind of the row for this call. ``identity`` and ``links`` (W3C traceparent strings) are for
    runs; without identity a run gets a fresh one of the adapter's runtime. ``ceded``: another instrumentation makes
    the span. ``is_tap``: this call makes no operation, but the row sees it to its end, as a tap does.
    """

    subject: str = ""
    attributes: Mapping[str, object] = field(default_factory=dict)
    identity: Identity | None = None
    links: tuple[str, ...] = ()
    kind: Kind | None = None
    ceded: bool = False
    is_tap: bool = False


Before = Callable[[Call], Start | None]
# The operation is typed Any: a tap gets None, every other row an Operation, and says so in its own signature.
Started = Callable[[Any, Call], None]
After = Callable[[Any, Call, Any], str | None]
Item = Callable[[Any, Call, Any], None]
Failed = Callable[[Any, Call, BaseException], str | None]
Result = Callable[[Call, Any], Any]
Replace = Callable[[Call], Arguments]
Only = Callable[[tuple[Any, ...]], bool]


@dataclass(frozen=True, slots=True)
class Patch:
    """One place in a framework, and how to read what passes there. Everything but ``target`` and ``why`` is optional.

    ``target`` is ``module:function``, ``module:Class.method`` or ``module:Outer.Inner.method``: where the name is
    looked up by its callers, which for a function imported by name is the importing module.

    ``kind`` is the operation that each call is. None makes the row a tap: it sees calls, and makes no operation;
    ``operation`` is None in what it is called with.

    The row's functions are free to raise: it is counted, and the host notices nothing. ``before`` and ``started`` see
    as current what is around the call, the others see the operation itself.
        before: Read the arguments and return the operation to start, None to let the call pass unwatched. What a tap
            returns does not matter. Without ``before`` there is an operation without a subject. A run inside an open
            run of the same runtime is not started: that call goes unwatched.
        started: The operation has started, the host is not called yet.
        after: The call ended without exception; returns the outcome when it is not "ok", such as "paused". For
            generators ``result`` is the generator's return value, for async generators None, for async context
            managers what ``as`` received.
        item: A generator or async generator handed out an item.
        failed: An exception came out; returns the outcome, or "" for what the exception itself says.
        result: Return what the caller is to get instead of ``value`` (of functions and coroutine functions).
        arguments: Return the ``(args, kwargs)`` that the host's function is to get instead.

    ``only`` looks at the positional arguments before anything else is made; False lets the call pass unwatched, which
    costs a fraction: for a place that much passes of which little matters.

    ``paused`` and ``ok`` are exceptions, as ``module:Class``, with which the host says that a call waits for a human
    or is over in good order; nothing is imported for them.

    ``shape`` says that a plain ``def`` is to be judged by what it returns:
        returns_awaitable: A coroutine or a future; the operation starts at the call and ends with it.
        returns_iterator: A generator or async generator; the operation starts at the first step.
        context_manager, async_context_manager: The operation lasts from entering to leaving, and is current in the
            block.
        returns_anything: The operation starts at the call, and ends with what that returns: a coroutine or future, a
            generator, a context manager made of one, or a plain value.

    ``absent_before`` and ``absent_from`` bound the versions of the distribution that have the target (first version
    with it, first version without it again); ``absent_note`` says why. Outside them the state is "unsupported",
    otherwise a target that is not there is "missing".

    Of rows that were not written in Python, ``source`` is where a row stands, such as ``targets.yaml:12``, ``told``
    what a tap tells, ``runtime`` what its runs are called, if not as those of the adapter; ``refuses`` looks at the
    place that was found and returns why it must not be patched, "" when it may. The last part of their target may be
    a pattern such as ``Worker.run_*``.
    """

    target: str
    kind: Kind | None = None
    why: str = ""
    before: Before | None = None
    started: Started | None = None
    after: After | None = None
    item: Item | None = None
    failed: Failed | None = None
    result: Result | None = None
    arguments: Replace | None = None
    only: Only | None = None
    paused: tuple[str, ...] = ()
    ok: tuple[str, ...] = ()
    shape: Shape = ""
    absent_before: str = ""
    absent_from: str = ""
    absent_note: str = ""
    source: str = ""
    told: str = ""
    runtime: str = ""
    refuses: Callable[[Any], str] | None = None

    @property
    def is_pattern(self) -> bool:
        """Whether the last part of the target stands for several names."""
        return not PATTERN.isdisjoint(self.path[-1])

    @property
    def kind_name(self) -> str:
        """What a call makes, for people: an operation of a kind, or the fact that a tap tells."""
        return self.kind.name if self.kind is not None else self.told or "tap"

    @property
    def module(self) -> str:
        """The module of the target."""
        return self.target.partition(":")[0]

    @property
    def path(self) -> tuple[str, ...]:
        """The names to follow inside the module."""
        return tuple(self.target.partition(":")[2].split("."))


@dataclass(frozen=True, slots=True)
class Adapter:
    """A framework: its rows, what its runs are called, and the versions it was tested with.

    ``name`` is the name in the registry and in settings, ``runtime`` the ``flex.runtime`` of its runs,
    ``distribution`` what pip calls it, ``tested`` its oldest and its newest tested version. ``known_by`` is a module
    of its package by which that is told from another one of the same name; "" when there is none of that name.
    """

    name: str
    runtime: str
    distribution: str
    tested: tuple[str, str]
    patches: tuple[Patch, ...]
    known_by: str = ""

    @property
    def package(self) -> str:
        """The framework's own package: its first row is in it."""
        return self.patches[0].module.partition(".")[0]


@dataclass(frozen=True, slots=True)
class PatchState:
    """How one row is doing. ``kind`` is the name of the row's kind, "tap" for taps; ``detail`` says why, for humans."""

    adapter: str
    target: str
    kind: str
    state: State
    detail: str = ""
    source: str = ""
