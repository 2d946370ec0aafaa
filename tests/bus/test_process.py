"""The hub in a process that forks, ends, or runs for long; each case is a program of its own where it has to be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import threading
import tracemalloc
from collections.abc import Callable

import pytest

from otel_agents.bus.courier import Courier
from otel_agents.bus.event import Event
from otel_agents.bus.hub import Hub
from otel_agents.bus.inbox import SIZE, Inbox
from tests.bus.making import event, numbered, numbers

LONG_S = 5.0


def _run(program: str) -> subprocess.CompletedProcess[str]:
    """Run a program that must end by itself; the hub and an event factory are imported for it."""
    head = "from otel_agents.bus.hub import Hub\nfrom tests.bus.making import event, numbered, numbers\n"
    warnings = ("-W", "error", "-W", "ignore:This process:DeprecationWarning")  # of forking a process with threads
    command = [sys.executable, *warnings, "-c", head + textwrap.dedent(program)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


FORKS = """
import json, os, threading

hub = Hub(ring_size=10)
hub.keep_ring()
heard, woken = [], []
hub.subscribe(heard.append, name="listener", queue_size=1_000_000)
stream = hub.stream(name="stream", queue_size=1, wake=lambda: woken.append(os.getpid()))
stop = threading.Event()

def publish():
    while not stop.is_set():
        hub.publish(event())

threads = [threading.Thread(target=publish) for _ in range(3)]
for thread in threads:
    thread.start()

def child(out):
    heard.clear()
    hub.publish(numbered(1))
    hub.publish(numbered(2))
    flushed = hub.flush(10.0)
    tail = [one.id for one in heard]
    known = {"heard": numbers(heard), "flushed": flushed, "ids": tail, "ring": numbers(hub.replay())}
    state = {"closed": stream.closed, "dropped": hub.dropped, "published": hub.published}
    closed = hub.close(10.0)
    os.write(out, json.dumps({**known, **state, "woken": woken.count(os.getpid()), "hub closed": closed}).encode())

children = []
for _ in range(20):
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            child(write)
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        children.append(pipe.read())
    os.waitpid(pid, 0)
stop.set()
for thread in threads:
    thread.join()
flushed = hub.flush(30.0)
known = {one.id for one in heard}
print(json.dumps({"children": [json.loads(text) for text in children], "flushed": flushed,
                  "complete": len(known) == hub.published == len(heard), "open": not stream.closed,
                  "shared": sorted(known.intersection(*[json.loads(text)["ids"] for text in children]))}))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_child_has_a_hub_of_its_own() -> None:
    """Forked twenty times amid publications: listeners work, streams stay with the parent, no id comes twice."""
    done = _run(FORKS)
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)

    children = told.pop("children")
    assert told == {"flushed": True, "complete": True, "open": True, "shared": []}
    ids = [child.pop("ids") for child in children]
    assert len({one for pair in ids for one in pair}) == 40
    expected = {
        "heard": [1, 2], "flushed": True, "ring": [1, 2], "closed": True, "woken": 0, "dropped": {},
        "published": 2, "hub closed": True,
    }  # fmt: skip
    assert children == [expected] * 20


ENDINGS = {
    "a stuck listener": "hub.subscribe(lambda one: threading.Event().wait())",
    "a waiting thread": "hub.subscribe(lambda one: None); hub.publish(event()); hub.flush()",
    "a publication at exit": "hub.subscribe(print); atexit.register(lambda: (hub.publish(event()), hub.flush()))",
    "a reader": "s = hub.stream(); threading.Thread(target=s.get, daemon=True).start()",
    "no end to the events": "threading.Thread(target=lambda: [publish() for _ in iter(int, 1)], daemon=True).start()",
}


@pytest.mark.parametrize("setting", ENDINGS.values(), ids=ENDINGS)
def test_a_program_ends_when_it_is_done(setting: str) -> None:
    """Whatever the hub is at, the interpreter shuts down by itself and without a word."""
    program = f"""
    import atexit, threading
    hub = Hub()
    publish = lambda: hub.publish(event())
    {setting}
    class Last:
        def __del__(self):
            hub.publish(event())
    last = Last()
    last.cycle = last
    hub.publish(event())
    """
    done = _run(program)

    assert (done.returncode, done.stderr) == (0, "")


def test_what_is_flushed_at_exit_is_heard() -> None:
    """The listener's thread still runs while functions registered with atexit do."""
    done = _run("""
    import atexit
    hub = Hub()
    hub.subscribe(lambda one: print(one.payload["number"]))
    atexit.register(hub.flush)
    for number in range(100):
        hub.publish(numbered(number))
    """)

    assert (done.stdout.split(), done.stderr) == ([str(number) for number in range(100)], "")


def test_memory_stays_flat() -> None:
    """With a stuck listener, an unread stream and a ring, ten thousand events cost what five thousand do."""
    hub, go = Hub(ring_size=100, queue_size=100), threading.Event()
    hub.keep_ring()
    hub.subscribe(lambda one: go.wait(LONG_S))
    stream = hub.stream()
    sizes: list[int] = []
    tracemalloc.start()
    for _ in range(2):
        for number in range(5_000):
            hub.publish(numbered(number))
        sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    go.set()
    hub.close(LONG_S)

    assert sizes[1] - sizes[0] < 20_000
    assert len(hub.replay()) + len(stream) <= 200


def test_an_inbox_in_which_somebody_is_stuck_is_bounded_and_counts_what_it_refuses() -> None:
    """Whoever puts in waits a little for the one who is at it, then goes on; nothing is kept beyond the size."""
    reached, go = threading.Event(), threading.Event()
    handled: list[int] = []

    def handle(item: int) -> None:
        handled.append(item)
        reached.set()
        go.wait(LONG_S)

    inbox = Inbox(handle)
    stuck = threading.Thread(target=inbox.put, args=(0,))
    stuck.start()
    assert reached.wait(LONG_S)
    inbox._items.extend(range(1, SIZE))
    inbox.put(SIZE)
    inbox.put(SIZE + 1)
    go.set()
    stuck.join(LONG_S)

    assert handled == list(range(SIZE + 1))
    assert inbox.overflowed == 1


def test_refused_events_are_counted_under_the_inbox(hub: Hub) -> None:
    """The loss shows where all losses show."""

    def answer() -> None:
        for _ in range(SIZE + 7):
            hub.publish(event())

    stream = hub.stream(wake=answer, queue_size=2 * SIZE)
    hub.publish(event())

    assert hub.dropped == {"inbox": 7}
    assert len(stream) == SIZE + 1


def test_what_a_failing_item_leaves_behind_is_handled_with_the_next_one() -> None:
    """An exception goes to the one who put the item in; the lock is free again."""
    handled: list[int] = []

    def handle(item: int) -> None:
        if item == 0:
            inbox._items.extend([1, 2])
            raise KeyboardInterrupt
        handled.append(item)

    inbox = Inbox(handle)
    with pytest.raises(KeyboardInterrupt):
        inbox.put(0)
    inbox.put(3)

    assert handled == [1, 2, 3]


class LateLock:
    """A lock during whose release another thread puts something in."""

    def __init__(self, late: Callable[[], None]) -> None:
        self._lock = threading.Lock()
        self._late = [late]

    def acquire(self, *, timeout: float) -> bool:
        return self._lock.acquire(timeout=timeout)

    def release(self) -> None:
        if self._late:
            thread = threading.Thread(target=self._late.pop())
            thread.start()
            thread.join(LONG_S)
        self._lock.release()


def test_what_comes_after_the_last_look_is_not_left_behind() -> None:
    """Whoever is at the inbox looks again once he has let it go."""
    handled: list[int] = []
    inbox = Inbox(handled.append)
    inbox._lock = LateLock(lambda: inbox.put(2))  # type: ignore[assignment]
    inbox.put(1)

    assert handled == [1, 2]


def test_a_thread_that_cannot_be_started_costs_events_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the limit of threads the publisher goes on; once there is room, what waits is delivered."""

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    hub = Hub()
    seen: list[Event] = []
    hub.subscribe(seen.append)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        hub.publish(numbered(1))
        assert not hub.flush(0.01)

    assert hub.flush(LONG_S)
    assert numbers(seen) == [1]
    hub.close()


def test_a_courier_can_be_stopped_before_it_ever_ran() -> None:
    """Nothing starts, nothing is left."""
    courier = Courier()
    courier.stop()

    assert courier.thread is None
