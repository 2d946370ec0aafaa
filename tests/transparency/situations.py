"""The situations that every host is put into; each gives a report of what could be seen, watched or not."""

from __future__ import annotations

import asyncio
import logging
import warnings
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from tests.transparency.step import AWAITS, Here, failing
from tests.transparency.telling import Report, described, observed, shown, tidy

Sync = Callable[[Here], Any]
Async = Callable[[Here], Coroutine[Any, Any, Any]]
Run = Callable[[Coroutine[Any, Any, Any]], Any]

PATIENCE_S = 60
THREADS = 4
TICKS = 400
SPARSE = 3  # of a program that has hundreds


@dataclass(frozen=True, slots=True)
class Host:
    """A program: its ways in functions and in coroutines.

    Attributes:
        place: The module.
        ticks: Whether it does nothing that its event loop does not.
        forgets: Whether it leaves tasks to the collector when it is interrupted. What is said of those then, and
            when, is chance; processes of their own show how it ends.
    """

    name: str
    place: str
    ticks: bool = False
    forgets: bool = False

    @property
    def sync(self) -> Mapping[str, Sync]:
        found: Mapping[str, Sync] = import_module(self.place).SYNC
        return found

    @property
    def later(self) -> Mapping[str, Async]:
        found: Mapping[str, Async] = import_module(self.place).ASYNC
        return found

    def warm_up(self) -> None:
        """Go each way once, so that what is logged and warned of at first use is behind us."""
        each_way(self, Here)


HOSTS = {
    host.name: host
    for host in (
        Host("threads", "tests.transparency.hosts.threads"),
        Host("langgraph", "tests.transparency.hosts.graphs", ticks=True),
        Host("openai_agents", "tests.transparency.hosts.assistants", ticks=True, forgets=True),
        Host("flex", "tests.transparency.hosts.flex"),
        Host("convergence", "tests.transparency.hosts.loop"),
        Host("gateway", "tests.transparency.hosts.desk", ticks=True),
        Host("yolo", "tests.transparency.hosts.team"),
        Host("targets", "tests.transparency.hosts.inhouse", ticks=True),
    )
}


class HostError(Exception):
    """What a host raises of its own."""


class HostExit(BaseException):
    """What a host raises to get out of everything."""


ERRORS: Mapping[str, Callable[[], BaseException]] = {
    "error": lambda: HostError("x", 7),
    "retried": lambda: ConnectionError("again"),
    "group": lambda: ExceptionGroup("both", [HostError("one"), ValueError("two")]),
    "cancelled": lambda: asyncio.CancelledError("by itself"),
    "async stop": StopAsyncIteration,
    "exit": lambda: HostExit("out"),
    "recursion": RecursionError,
}


# What asyncio lets out of its loop at once. It cancels the other tasks in any order then.
INTERRUPTS: Mapping[str, Callable[[], BaseException]] = {
    "system exit": lambda: SystemExit(7),
    "interrupt": lambda: KeyboardInterrupt("now"),
}


def told(here: Here, program: Callable[[], Any]) -> Report:
    """Observe a program, with the story that its steps tell."""
    return observed(program) | {"told": here.told}


def each_way(host: Host, make: Callable[[], Here], run: Run = asyncio.run) -> Report:
    """Go each way once."""
    reports = {}
    for name, way in host.sync.items():
        here = make()
        reports[name] = told(here, lambda here=here, way=way: way(here))  # type: ignore[misc]
    for name, coroutine in host.later.items():
        here = make()
        reports[name] = told(here, lambda here=here, way=coroutine: run(way(here)))  # type: ignore[misc]
    return reports


def results(host: Host) -> Report:
    """Values and their types, and the order of the program's own events."""
    return each_way(host, Here)


def raised(host: Host) -> Report:
    """What is raised in a step, with frames, cause, context and notes."""
    return each_way(host, lambda: Here(failing(ERRORS["error"])))


def exceptions(host: Host) -> Report:
    """All that can be raised, and in the first, second or third step."""
    return {
        f"{name} at {at}": each_way(host, lambda at=at, error=error: Here(failing(error), at=at))  # type: ignore[misc]
        for name, error in ERRORS.items()
        for at in ((1, 2, 3) if name == "error" else (2,))
    }


def interrupts(host: Host) -> Report:
    """What ends a program is raised in a step: it comes out as it went in, and every step that began cleans up."""
    reports = {
        f"{name} {way}": report
        for name, error in ({} if host.forgets else INTERRUPTS).items()
        for way, report in each_way(host, lambda error=error: Here(failing(error))).items()  # type: ignore[misc]
    }
    kept = "type", "args", "notes", "suppressed"
    return {
        name: [{key: report.get("error", {}).get(key) for key in kept}, report.get("result"), sorted(report["told"])]
        for name, report in reports.items()
    }


def _warns() -> None:
    logging.getLogger("host").debug("a step")
    warnings.warn("mind the step", UserWarning, stacklevel=1)
    try:
        raise HostError("seen")
    except HostError:
        logging.getLogger("host.step").exception("it is %s", "logged")


def warned(host: Host) -> Report:
    """Warnings and log lines of a step, one with a traceback."""
    return each_way(host, lambda: Here(_warns))


async def cancelled(here: Here, way: Async) -> Any:
    """Run a way as a task that the step may cancel, and return how the task ended."""
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(way(here))
    here.stop = lambda: _call(loop.call_soon_threadsafe, task.cancel, "why")
    done, _ = await asyncio.wait([task], timeout=PATIENCE_S)
    ended: dict[str, Any] = {"done": task in done, "cancelled": task.cancelled(), "cancelling": task.cancelling()}
    try:
        return ended | {"result": shown(await task)}
    except BaseException as error:
        return ended | {"error": described(error)}


def _call(function: Callable[..., Any], *args: Any) -> None:
    function(*args)


def cancellations(host: Host) -> Report:
    """The task is cancelled while a step waits: at everything that one can wait at."""
    reports = {}
    for name, wait in AWAITS.items():
        for way, coroutine in host.later.items():
            here = Here(wait=wait)
            reports[f"{way} at {name}"] = told(
                here, lambda here=here, way=coroutine: asyncio.run(cancelled(here, way))  # type: ignore[misc]
            )  # fmt: skip
    return reports


async def at_tick(here: Here, way: Async, tick: int) -> Any:
    task = asyncio.ensure_future(way(here))
    for _ in range(tick):
        await asyncio.sleep(0)
    is_over = task.done()
    task.cancel("tick")
    try:
        return is_over, await task
    except BaseException as error:
        return is_over, error


def ticks(host: Host) -> Report:
    """The task is cancelled at each turn of the event loop, until there is none left: we wait for nothing ourselves."""
    reports: Report = {}
    for way, coroutine in host.later.items() if host.ticks else ():
        for tick in range(1, TICKS, SPARSE if host.forgets else 1):
            here = Here()
            report = told(here, lambda here=here, way=coroutine, tick=tick: asyncio.run(at_tick(here, way, tick)))  # type: ignore[misc]
            if host.forgets:  # what watches here keeps what it saw, and so what is said when that goes
                report |= {"log": [], "unraised": []}
            reports[f"{way} at {tick}"] = report
            if report["result"]["builtins.tuple"][0] == "builtins.bool True":
                break
    return reports


def timeouts(host: Host) -> Report:
    """A time limit around it runs out while a step waits."""

    async def limited(here: Here, way: Async) -> Any:
        async with asyncio.timeout(None) as limit:
            here.stop = lambda: limit.reschedule(0)
            return await way(here)

    reports = {}
    for name, coroutine in host.later.items():
        here = Here(wait=AWAITS["sleep"])
        reports[name] = told(here, lambda here=here, way=coroutine: asyncio.run(limited(here, way)))  # type: ignore[misc]
    return reports


def threads(host: Host) -> Report:
    """Many threads at once, each with an event loop of its own; half of them raise."""

    def alone(number: int) -> Any:
        found = []
        for way in (*host.sync.values(), *(_in_loop(each) for each in host.later.values())):
            here = Here(failing(ERRORS["error"])) if number % 2 else Here()
            try:
                found.append((here.told, shown(way(here))))
            except BaseException as error:
                found.append((here.told, described(error)))
        return found

    def together() -> Any:
        with ThreadPoolExecutor(THREADS) as pool:
            return list(pool.map(alone, range(THREADS)))

    report = observed(together)
    return report | {"log": sorted(report["log"]), "warnings": sorted(report["warnings"])}


def _in_loop(way: Async) -> Sync:
    return lambda here: asyncio.run(way(here))


def _in_thread(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run inside a loop that waits: a loop of its own in another thread."""

    async def outer() -> Any:
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(asyncio.run, coroutine).result()

    return asyncio.run(outer())


def _in_place(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run inside a loop that waits, in the same thread, as frameworks do that make a coroutine look like a function."""

    async def outer() -> Any:
        running, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None
        asyncio._leave_task(running, task)
        asyncio._set_running_loop(None)
        loop = asyncio.new_event_loop()
        try:
            return loop.run_until_complete(coroutine)
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()
            asyncio._set_running_loop(running)
            asyncio._enter_task(running, task)

    return asyncio.run(outer())


def _debugging(coroutine: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(coroutine, debug=True)


def _uvloop(coroutine: Coroutine[Any, Any, Any]) -> Any:
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(coroutine)


LOOPS: Mapping[str, Run] = {
    "one after the other": asyncio.run,
    "in a thread of a loop": _in_thread,
    "in a loop of the same thread": _in_place,
}


def loops(host: Host) -> Report:
    """Event loops one after the other, and inside one another."""
    made = (Here, lambda: Here(failing(ERRORS["error"])))
    return {
        f"{name} {number}": each_way(host, make, run) for name, run in LOOPS.items() for number, make in enumerate(made)
    }


def uvloops(host: Host) -> Report:
    """On uvloop: results, exceptions, and some of the places to be cancelled at."""
    reports: Report = {"results": each_way(host, Here, _uvloop)}
    reports["exceptions"] = each_way(host, lambda: Here(failing(ERRORS["error"])), _uvloop)
    for name in ("sleep", "task", "group", "thread", "async_with"):
        for way, coroutine in host.later.items():
            here = Here(wait=AWAITS[name])
            reports[f"{way} at {name}"] = told(
                here, lambda here=here, way=coroutine: _uvloop(cancelled(here, way))  # type: ignore[misc]
            )  # fmt: skip
    return reports


SITUATIONS: Mapping[str, Callable[[Host], Report]] = {
    each.__name__: each
    for each in (
        results,
        raised,
        exceptions,
        interrupts,
        warned,
        cancellations,
        ticks,
        timeouts,
        threads,
        loops,
        uvloops,
    )
}


def played(host: Host, situation: str) -> Report:
    """Put a host into a situation."""
    with tidy():
        return SITUATIONS[situation](host)
