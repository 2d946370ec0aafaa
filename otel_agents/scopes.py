"""One operation to be, as context manager and decorator, and what a block gets of it; must not know adapters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import FunctionType, TracebackType
from typing import Any, Final, NamedTuple, TypeVar

from otel_agents import guard, pipeline, questions
from otel_agents.operation import PAUSED, Identity, Operation, current
from otel_agents.patching.calls import wrap
from otel_agents.patching.collecting import elsewhere, is_collecting, keep_context, listen
from otel_agents.patching.table import Call, Patch, Start
from otel_agents.patching.watch import checked
from otel_agents.pauses import Pause
from otel_agents.recorder import RECORDER, Entered
from otel_agents.semconv import agents as a
from otel_agents.semconv import kinds as k
from otel_agents.semconv.agents import attribute
from otel_agents.semconv.model import Kind

Host = TypeVar("Host", bound=Callable[..., Any])
MANUAL: Final = "manual"


def keywords(kind: Kind) -> Mapping[str, str]:
    """Return the keywords that an operation of this kind takes, and the attribute that each one sets."""
    events = [end.event for end in kind.ends] + ([kind.starts] if kind.starts else [])
    names = [*kind.at_start, *kind.at_end, *(name for event in events for name in event.attributes)]
    rows = {name: attribute(name) for name in names}
    return {row.keyword: name for name, row in rows.items() if row is not None and row.field}


KEYWORDS: Final = {kind.name: keywords(kind) for kind in k.KINDS}


class Handle:
    """What a ``with`` block gets. It does nothing when nobody listens; inside a joined run it speaks for that run."""

    __slots__ = ("_key", "_operation", "outcome")

    def __init__(self, operation: Operation | None, key: str = "") -> None:
        self._operation = operation
        self._key = key
        self.outcome = ""  # how the operation ends, if not as the block tells: error, cancelled, paused

    @property
    def run_id(self) -> str:
        """Id of the run, "" when nobody listens."""
        return self._operation.run.id if self._operation is not None else ""

    @property
    def correlation_id(self) -> str:
        """Correlation id of the run, "" when nobody listens."""
        return self._operation.run.correlation_id if self._operation is not None else ""

    def set(self, attributes: Mapping[str, object] | None = None, **fields: object) -> None:
        """Set attributes: by full name in ``attributes``, or as keywords, the payload fields in snake_case.

        A keyword that the kind does not have is ignored and counted; nothing here raises.
        """
        if self._operation is not None:
            guard.run("api.set", self._set, self._operation, attributes or {}, fields)

    def ask(self, request_id: str, *, origin: str = "", node_id: str = "") -> None:
        """Ask a human: the run ends as paused unless it is answered before. A run with ``thread_id`` is found again."""
        if self._operation is not None:
            guard.run("api.ask", self._ask, self._operation, request_id, origin, node_id)

    def answer(self, request_id: str, decision: str) -> None:
        """Tell the human's decision: approved, edited, rejected, responded or expired."""
        if self._operation is not None:
            guard.run("api.answer", self._answer, self._operation, request_id, decision)

    def _set(self, operation: Operation, attributes: Mapping[str, object], fields: Mapping[str, object]) -> None:
        known = KEYWORDS[operation.kind.name]
        values = dict(attributes)
        values.update((known[name], value) for name, value in fields.items() if name in known)
        RECORDER.set(operation, values)
        unknown = fields.keys() - known.keys()
        if unknown:
            raise TypeError(f"{operation.kind.name} has no {sorted(unknown)}; it has {sorted(known)}")

    def _ask(self, operation: Operation, request_id: str, origin: str, node_id: str) -> None:
        questions.ask(operation, self._key, request_id, origin=origin, node_id=node_id)
        self.outcome = PAUSED

    def _answer(self, operation: Operation, request_id: str, decision: str) -> None:
        questions.answer(self._key, request_id, decision, operation=operation)
        if not any(pause.run_id == operation.run.id for pause in RECORDER.pauses.find(self._key)):
            self.outcome = ""


class Block(NamedTuple):
    """A ``with`` block that runs: what is current in it, and its own operation, None when it has none."""

    inside: Operation | None
    operation: Operation | None
    entered: Entered
    handle: Handle


class Scope:
    """One operation to be: a context manager (``with`` and ``async with``) and a decorator.

    As decorator it takes functions, coroutine functions, generators and async generators; each call is one operation,
    which lasts until the coroutine, future, generator or context manager is over that a plain function returns.
    Each block is one as well, also of the same scope: one after the other, inside one another, in threads and tasks.
    """

    def __init__(
        self,
        kind: Kind,
        subject: str = "",
        fields: Mapping[str, object] | None = None,
        identity: Identity | None = None,
    ) -> None:
        self._kind = kind
        self._subject: Any = subject
        self._fields = {name: value for name, value in (fields or {}).items() if value is not None}
        self._identity = identity
        self._blocks: list[Block] = []

    def __enter__(self) -> Handle:
        return guard.run("api.enter", self._enter) or Handle(None)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        guard.run("api.exit", self._exit, error)

    async def __aenter__(self) -> Handle:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)

    def __call__(self, function: Host = None) -> Host:  # type: ignore[assignment]  # for the message below
        """Make every call of the function an operation.

        Raises TypeError for what is no function, and when the decorator was written without its parentheses.
        """
        if isinstance(self._subject, FunctionType) or not callable(getattr(function, "__func__", function)):
            name = f"@otel_agents.{self._kind.name}"
            raise TypeError(f"{name}(...) decorates functions: write {name} with its parentheses, and below @property")
        patch = Patch(
            target=f"{getattr(function, '__module__', '')}:{getattr(function, '__qualname__', '')}",
            kind=self._kind,
            why="The program asks for it.",
            shape="returns_anything",
            before=self._before,
        )
        return wrap(function, patch, MANUAL)

    def _before(self, call: Call) -> Start | None:
        pipeline.ensure()
        return self._start()

    def _start(self) -> Start:
        waiting = self._waiting()
        links = tuple({pause.traceparent: None for pause in waiting if pause.traceparent})
        return Start(self._subject, self._values(waiting), identity=self._who(waiting), links=links)

    def _enter(self) -> Handle:
        pipeline.ensure()
        listen()
        start = self._start()
        if start.identity is not None:
            operation = RECORDER.start_run(self._subject, start.identity, start.attributes, links=start.links)
        else:
            operation = RECORDER.start(self._kind, self._subject, start.attributes, runtime=MANUAL)
        entered = RECORDER.enter(operation) if operation is not None else (None, None)
        inside = current()
        joined = inside.run.operation if inside is not None and start.identity is not None else None
        handle = Handle(operation or joined, self._key)
        self._blocks.append(Block(inside, operation, entered, handle))
        return handle

    def _exit(self, error: BaseException | None) -> None:
        if not self._blocks:
            return
        now = current()
        block = next((each for each in reversed(self._blocks) if each.inside is now), self._blocks[-1])
        self._blocks.remove(block)
        operation = block.operation
        if operation is None:
            return
        keep_context()
        RECORDER.leave(operation, block.entered)
        outcome = guard.run("api.outcome", checked, block.handle.outcome) or "" if error is None else ""
        if is_collecting():  # a generator that holds this block is being collected
            elsewhere(RECORDER.end, operation, error, outcome)
        else:
            RECORDER.end(operation, error, outcome)

    @property
    def _key(self) -> str:
        thread = self._fields.get("thread_id")
        return f"{MANUAL}:{thread}" if thread else ""

    def _values(self, waiting: tuple[Pause, ...]) -> dict[str, object]:
        known = KEYWORDS[self._kind.name]
        values = {known.get(name, name): value for name, value in self._fields.items()}
        if waiting:
            values[a.FLEX_RUN_RESUMED] = True
        return values

    def _waiting(self) -> tuple[Pause, ...]:
        """Return the questions for which the run waits under its key."""
        if self._identity is None or not self._key:
            return ()
        return guard.run("pauses.find", RECORDER.pauses.find, self._key) or ()

    def _who(self, waiting: tuple[Pause, ...]) -> Identity | None:
        """Return who the run is: itself again when it waits under its key."""
        if self._identity is None or not waiting:
            return self._identity
        first = waiting[0]
        return replace(
            self._identity,
            run_id=first.run_id,
            correlation_id=first.correlation_id,
            plan_version=first.plan_version,
        )
