"""What a patched call does besides calling the host: start, be current, end; must not know the shape of the call."""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Final, TypeVar, TypeVarTuple

from otel_agents import guard
from otel_agents.lineage import is_inside, still_open
from otel_agents.operation import ABANDONED, OK, PAUSED, STATUS_OF, Identity, Operation, current
from otel_agents.patching.collecting import elsewhere, is_collecting, keep_context, listen
from otel_agents.patching.table import Call, Parameters, Patch, Start
from otel_agents.recorder import RECORDER, Entered
from otel_agents.semconv.kinds import RUN
from otel_agents.semconv.model import Kind

Ts = TypeVarTuple("Ts")
AnyWatch = TypeVar("AnyWatch", bound="Watch")
NOTHING_KNOWN: Final = Start()
# "cancelled" is the status of what was abandoned, too, which comes last.
OUTCOME_OF: Final = {status: outcome for outcome, status in reversed(STATUS_OF.items())} | {
    outcome: outcome for outcome in STATUS_OF
}


def resolve(target: str) -> type[BaseException] | None:
    """Return the exception class that stands at ``module:Class``, None while nobody imported the module."""
    module, _, name = target.partition(":")
    found = vars(sys.modules[module]).get(name) if module in sys.modules else None
    return found if isinstance(found, type) and issubclass(found, BaseException) else None


def is_one_of(error: BaseException, targets: Iterable[str]) -> bool:
    """Whether the exception is of a class that is named here, or of a subclass."""
    classes = (resolve(target) for target in targets)
    return any(found is not None and isinstance(error, found) for found in classes)


def checked(outcome: object) -> str:
    """Return the outcome that a row or the program named, also by its run status, such as "failed"; "" for none.

    Raises ValueError when there is no such outcome.
    """
    if outcome is None or outcome == "":
        return ""
    if not isinstance(outcome, str) or outcome not in OUTCOME_OF:
        raise ValueError(f"{outcome!r} is no outcome; there are {sorted(STATUS_OF)}")
    return OUTCOME_OF[outcome]


class Site:
    """A row where it is in force: all that its closures look at on every call.

    ``on`` False makes them pass every call through. ``always`` asks the row before it asks whether anybody listens.
    """

    __slots__ = ("adapter", "always", "at", "on", "parameters", "patch", "runtime")

    def __init__(
        self, patch: Patch, adapter: str, runtime: str, parameters: Parameters, *, always: bool = False
    ) -> None:
        self.patch = patch
        self.adapter = adapter
        self.runtime = runtime
        self.parameters = parameters
        self.always = always
        self.on = True
        listen()
        self.at = {step: f"patch.{adapter}.{step}" for step in ("before", "after", "item", "failed", "end", "result")}

    def is_heard(self) -> bool:
        """Whether a call that starts now may be watched."""
        return self.on and (self.always or RECORDER.listening())

    def open(self, args: tuple[Any, ...], kwargs: dict[str, Any], kind: type[AnyWatch]) -> AnyWatch | None:
        """Return the watch over a call that starts now; None: nobody wants to know, the call goes bare."""
        if not self.on or not (self.always or RECORDER.listening()):
            return None
        if self.patch.only is not None and not guard.run(self.at["before"], self.patch.only, args):
            return None
        if is_collecting():
            return None  # a finalizer of the host's: what it calls is no part of anything
        return guard.run(self.at["before"], self._open, args, kwargs, kind)

    def _open(self, args: tuple[Any, ...], kwargs: dict[str, Any], kind: type[AnyWatch]) -> AnyWatch | None:
        watch = kind(args, kwargs, self.parameters, self)
        patch = self.patch
        start = patch.before(watch) if patch.before is not None else NOTHING_KNOWN
        if patch.kind is not None and not (start is not None and start.is_tap):
            operation = watch.operation = self._start(start, start.kind or patch.kind) if start is not None else None
            if operation is None:
                return None
            if patch.started is not None:
                guard.run(self.at["before"], patch.started, operation, watch)
        if patch.arguments is not None:
            watch.args, watch.kwargs = guard.run(self.at["before"], patch.arguments, watch) or (args, kwargs)
        return watch

    def _start(self, start: Start, kind: Kind) -> Operation | None:
        if kind is RUN:
            identity = start.identity or Identity(self.runtime)
            return RECORDER.start_run(start.subject, identity, start.attributes, links=start.links)
        heard = not self.always  # asked in `open`
        return RECORDER.start(
            kind, start.subject, start.attributes, runtime=self.runtime, ceded=start.ceded, heard=heard
        )


class Watch(Call):
    """A call that is watched. Its operation is current between ``enter`` and ``rest``, ``finish`` or ``fail``.

    The row's functions are called while it is current, so that facts that they tell belong to it.
    """

    __slots__ = ("entered", "inside", "operation", "site")

    def __init__(self, args: tuple[Any, ...], kwargs: dict[str, Any], parameters: Parameters, site: Site) -> None:
        self.args = args
        self.kwargs = kwargs
        self._parameters = parameters
        self.state = None
        self.site = site
        self.operation: Operation | None = None
        self.entered: Entered | None = None
        self.inside: Operation | None = None  # what a generator was in the middle of at its last yield

    @property
    def name(self) -> str:
        """The name of what is called, as it stands in its module or class."""
        return self.site.patch.path[-1]

    def enter(self) -> None:
        """Host code runs from here."""
        if self.operation is not None:
            keep_context()
            inside, self.inside = self.inside, None
            self.entered = RECORDER.enter(self.operation if inside is None else still_open(inside) or self.operation)

    def leave(self) -> None:
        """Host code stops running."""
        if self.entered is not None and self.operation is not None:
            keep_context()
            RECORDER.leave(self.operation, self.entered)
            self.entered = None

    def rest(self, item: object) -> None:
        """Host code handed out an item and waits to be resumed."""
        site = self.site
        if site.patch.item is not None:
            guard.run(site.at["item"], site.patch.item, self.operation, self, item)
        now = current()
        if self.entered is None or now is None or self.operation is None or not is_inside(now, self.operation):
            self.leave()
            return
        RECORDER.leave(now, self.entered)
        self.entered, self.inside = None, now

    def finish(self, result: Any, outcome: str = "") -> Any:
        """End with a result; returns what the caller gets. ``outcome`` is known of a generator that was closed."""
        if outcome and is_collecting():
            self._leave_to_another(self._finish, result, outcome)
        else:
            self._finish(result, outcome)
        return result if self.site.patch.result is None else self._replaced(result)

    def fail(self, error: BaseException) -> None:
        """End with an exception."""
        if is_collecting():
            self._leave_to_another(self._fail, error)
        else:
            self._fail(error)

    def _leave_to_another(self, step: Callable[[*Ts], None], *args: *Ts) -> None:
        """End in another thread, since this one may stand anywhere, even in a lock."""
        self.leave()

        def there() -> None:
            self.enter()
            step(*args)

        elsewhere(there)

    def _finish(self, result: Any, outcome: str) -> None:
        site = self.site
        if site.patch.after is not None:
            outcome = guard.run(site.at["after"], self._after, result) or outcome
        self._end(None, outcome)

    def _fail(self, error: BaseException) -> None:
        self._end(error, guard.run(self.site.at["failed"], self._judge, error) or "")

    def _end(self, error: BaseException | None, outcome: str) -> None:
        operation = self.operation
        if operation is None:
            return
        if self.entered is not None:
            RECORDER.leave(operation, self.entered)
            self.entered = None
        guard.run(self.site.at["end"], RECORDER.end, operation, error, outcome)

    def _after(self, result: Any) -> str:
        after = self.site.patch.after
        return checked(after(self.operation, self, result)) if after is not None else ""

    def _judge(self, error: BaseException) -> str:
        patch = self.site.patch
        named = checked(patch.failed(self.operation, self, error)) if patch.failed is not None else ""
        if named:
            return named
        if is_one_of(error, patch.paused):
            return PAUSED
        return OK if is_one_of(error, patch.ok) else ""

    def _replaced(self, value: Any) -> Any:
        replaced = guard.run(self.site.at["result"], self._replace, value)
        return value if replaced is None else replaced[0]

    def _replace(self, value: Any) -> tuple[Any]:
        result = self.site.patch.result
        return (value if result is None else result(self, value),)


class Held(Watch):
    """A watch over what the host may drop without a word: nothing runs in it then, so that its end is told here.

    ``unstarted`` is a coroutine of the host that ours will await, and that is closed with ours: Python complains of
    one coroutine that was never awaited, as it did before.
    """

    __slots__ = ("unstarted",)

    unstarted: Coroutine[Any, Any, Any] | None

    def __del__(self) -> None:
        unstarted = getattr(self, "unstarted", None)
        if unstarted is not None:
            unstarted.close()
        operation = getattr(self, "operation", None)
        if operation is not None and not operation.outcome:
            self.leave()  # a step that closing began and that waits for ever
            if is_collecting():
                elsewhere(self._end, None, ABANDONED)
            else:
                self._end(None, ABANDONED)


class Opened(Site):
    """A site whose one call is watched already: of what a function gave out that goes on by steps."""

    __slots__ = ("watch",)

    def __init__(self, watch: Held) -> None:
        self.watch: Held | None = watch
        self.on = True

    def open(self, *_: Any) -> Any:
        """Return the watch, once: it ends with what was given out, even if that is made anew and used again."""
        watch, self.watch = self.watch, None
        return watch


SILENT: Final = Site(Patch(target=":"), "none", "", Parameters({}))
