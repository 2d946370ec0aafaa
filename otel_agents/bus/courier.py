"""The one thread that calls listeners; must not know which events there are or where they come from."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from inspect import iscoroutinefunction
from queue import Empty, SimpleQueue

from otel_agents import guard
from otel_agents.bus.attempt import Attempt
from otel_agents.bus.event import Event
from otel_agents.bus.stream import Stream
from otel_agents.content import type_name

Listener = Callable[[Event], object]
Task = Callable[[], bool]


class Subscription:
    """A listener, the stream it is fed from, and whether it stays after a failure."""

    __slots__ = ("failed", "keep", "listener", "report", "stream")

    def __init__(
        self, listener: Listener, stream: Stream, report: Callable[[Subscription, Event, str], None], *, keep: bool
    ) -> None:
        self.listener = listener
        self.stream = stream
        self.report = report
        self.keep = keep
        self.failed = 0

    def wake(self, courier: Courier) -> None:
        """Have the next event delivered, unless the listener has left."""
        if not self.stream.closed:
            courier.call(self.deliver)

    def deliver(self) -> bool:
        """Call the listener with the next event; False when there is none, or the listener has left."""
        event = None if self.stream.closed else self.stream.poll()
        if event is None:
            return False
        attempt = Attempt(BaseException)  # a listener that exits must not take the others' thread with it
        with attempt:
            self.listener(event)
        if attempt.failure:
            self.failed += 1
            self.report(self, event, attempt.failure)
        return True


def name_of(listener: Listener) -> str:
    """Return the listener's qualified name.

    Raises:
        TypeError: It cannot be called from a thread.
    """
    if not callable(listener):
        raise TypeError(f"listener is {type_name(listener)}, which cannot be called; give a function of one event")
    if iscoroutinefunction(listener) or iscoroutinefunction(type(listener).__call__):
        raise TypeError("listener is a coroutine function; give a plain one, or read Hub.stream() in the event loop")
    name = getattr(listener, "__qualname__", None)
    return f"{listener.__module__}.{name}" if isinstance(name, str) else type_name(listener)


def complaint(subscription: Subscription, cause: Event, failure: str) -> Event:
    """Return the log event that tells of a listener's first failure, without what the exception said."""
    fate = "stays, and its next failures are only counted" if subscription.keep else "was dropped"
    text = f"subscriber {subscription.stream.name} raised {failure} and {fate}"
    run = (cause.run_id, cause.correlation_id, cause.runtime)
    return Event("", "log", time.time_ns(), *run, payload={"message": text}, message=text)


class Flush:
    """A task that is done once the streams have delivered, or lost, all that they had when it began."""

    __slots__ = ("_done", "_targets")

    def __init__(self) -> None:
        self._targets: list[tuple[Stream, int]] = []
        # No threading.Event: what sets it may run inside its wait, in a finalizer.
        self._done: SimpleQueue[None] = SimpleQueue()

    def begin(self, streams: Iterable[Stream]) -> None:
        """Note how far the streams have to come."""
        self._targets = [(stream, stream.offered) for stream in streams if stream.offered]

    @property
    def is_idle(self) -> bool:
        """Whether no stream has ever had anything."""
        return not self._targets

    def look(self) -> bool:
        """Say whether to look again later."""
        is_waiting = any(
            stream.delivered + stream.dropped < target and not stream.closed for stream, target in self._targets
        )
        if not is_waiting:
            self._done.put(None)
        return is_waiting

    def wait(self, timeout_s: float) -> bool:
        """Wait for the end of it; False when time ran out."""
        try:
            self._done.get(timeout=max(0.0, timeout_s))
        except Empty:
            return False
        return True


class Courier:
    """Runs tasks in turn, each again for as long as it returns True. The thread is a daemon, started when needed."""

    __slots__ = ("_ready", "thread")

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Forget tasks and thread; a forked child has neither."""
        self._ready: SimpleQueue[Task | None] = SimpleQueue()
        self.thread: threading.Thread | None = None

    def call(self, task: Task) -> None:
        """Have a task run soon. Never waits for it."""
        self._ready.put(task)
        if self.thread is None:
            thread = threading.Thread(target=_run, args=(self._ready,), name="otel-agents-bus", daemon=True)
            self.thread = thread  # before it runs: a listener may ask `is_here` at once
            if not guard.run("bus.courier", _start, thread):
                self.thread = None

    def is_here(self) -> bool:
        """Say whether the caller runs on the thread."""
        return threading.current_thread() is self.thread

    def stop(self) -> None:
        """Let the thread end after what it has to do now."""
        self._ready.put(None)
        self.renew()


def _start(thread: threading.Thread) -> bool:
    thread.start()
    return True


def _run(ready: SimpleQueue[Task | None]) -> None:
    while _step(ready):
        pass


def _step(ready: SimpleQueue[Task | None]) -> bool:
    # A frame of its own: while the thread waits, it keeps neither the last task nor the hub behind it alive.
    task = ready.get()
    if task is None:
        return False
    if task():
        ready.put(task)
    return True
