"""What every row of every adapter promises, without knowing its framework.

A new adapter gets these tests by standing in the registry, and needs one program here that passes through its rows.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib import metadata
from typing import Any

import pytest
from opentelemetry.instrumentation.utils import suppress_instrumentation

from otel_agents import adapters, guard
from otel_agents.adapters import ADAPTERS, Row
from otel_agents.config import Selection
from otel_agents.operation import current
from otel_agents.patching.apply import Applied, apply, patch_counts
from otel_agents.patching.installed import release
from otel_agents.patching.place import Place, chain, find
from otel_agents.patching.table import APPLIED, UNSUPPORTED, Adapter, Patch
from otel_agents.recorder import RECORDER
from otel_agents.semconv.kinds import KINDS, NODE
from otel_agents.testing import capture
from tests.need import missing


def only(*names: str) -> Selection:
    """Return the selection of these adapters."""
    return Selection(only=frozenset(names))


def _load(name: str) -> Adapter:
    (adapter,) = adapters.load(only(name))
    return adapter


ROWS = [(row.name, patch) for row in ADAPTERS for patch in _load(row.name).patches]
EVERY_ROW = pytest.mark.parametrize(("name", "patch"), ROWS, ids=[f"{name}-{patch.target}" for name, patch in ROWS])
EVERY_ADAPTER = pytest.mark.parametrize("row", ADAPTERS, ids=[row.name for row in ADAPTERS])
FUNCTIONS = ("before", "started", "after", "item", "failed", "result", "arguments")


def _langgraph() -> object:
    from tests.adapters.graphs import agent, calls, ping, thread

    graph = agent(calls(("ping", {"text": "a"}, "c")), calls(("nothing", {}, "d")), "done", tools=[ping])
    return [each.content for each in graph.invoke({"messages": [("user", "hi")]}, thread())["messages"]]


def _openai_agents() -> object:
    from tests.adapters.assistants import WAYS, approve, support

    team = support()
    waits = WAYS["run"](team)
    done = WAYS["run_streamed"](team, approve(waits))
    return [waits.interruptions[0].call_id, done.final_output]


def _threads() -> object:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(sum, (1, 2)).result()


def _convergence() -> object:
    from tests.adapters.converging import everything

    return everything()


def _gateway() -> object:
    import asyncio

    from tests.adapters.gateways import day, gateway

    return asyncio.run(day(gateway()))


def _yolo() -> object:
    from tests.adapters.teams import example

    return example()


def _flex() -> object:
    from tests.adapters.flexing import example

    return example()


PROGRAMS: dict[str, Callable[[], object]] = {
    "langgraph": _langgraph,
    "openai_agents": _openai_agents,
    "flex": _flex,
    "threads": _threads,
    "convergence": _convergence,
    "yolo": _yolo,
    "gateway": _gateway,
}


@pytest.fixture(autouse=True)
def nothing_applied() -> Iterator[None]:
    """Each test applies what it needs, and leaves nothing behind."""
    assert patch_counts() == {}
    yield
    assert patch_counts() == {}


def _place(patch: Patch) -> Place:
    """Import the module of a row and return where its target stands."""
    try:
        importlib.import_module(patch.module)
    except ModuleNotFoundError as error:
        missing(f"the module {error.name}", "pip install 'otel-agents[test]'")
    place = find(patch.module, patch.path)
    assert place is not None, f"there is no {patch.target}"
    return place


def _alone(name: str, patch: Patch) -> Adapter:
    return dataclasses.replace(_load(name), patches=(patch,))


def _broken(adapter: Adapter, step: str) -> Adapter:
    """Return the adapter with one function of every row raising."""

    def broken(*_: Any) -> Any:
        raise RuntimeError("on purpose")

    change: dict[str, Any] = {step: broken}
    rows = (
        dataclasses.replace(patch, **change) if getattr(patch, step) is not None else patch for patch in adapter.patches
    )
    return dataclasses.replace(adapter, patches=tuple(rows))


@contextmanager
def _applied(adapter: Adapter) -> Iterator[Applied]:
    for patch in adapter.patches:
        _place(patch)
    applied = apply(adapter)
    try:
        yield applied
    finally:
        applied.undo()


# The registry


def test_names_are_unique() -> None:
    """No two adapters share a name, so that a setting means one of them."""
    assert len({row.name for row in ADAPTERS}) == len(ADAPTERS)


def test_only_what_is_allowed_is_loaded() -> None:
    """The selection decides, the table gives the order."""
    assert list(adapters.load(only())) == []
    assert [adapter.name for adapter in adapters.load(only(*(row.name for row in reversed(ADAPTERS))))] == [
        row.name for row in ADAPTERS
    ]


@EVERY_ADAPTER
def test_the_registry_says_what_the_adapter_says(row: Row) -> None:
    """Name, distribution and tested versions stand in the registry as in the adapter; oldest comes before newest."""
    adapter = _load(row.name)

    assert (adapter.name, adapter.distribution, adapter.tested) == (
        row.name,
        row.distribution,
        (row.oldest, row.newest),
    )
    assert release(row.oldest) <= release(row.newest)


@EVERY_ADAPTER
def test_the_installed_version_is_within_what_was_tested(row: Row) -> None:
    """The suite runs on a version that the adapter names as tested, or on one between; a patch release is no news."""
    if not row.distribution:
        return
    try:
        installed = release(metadata.version(row.distribution))
    except metadata.PackageNotFoundError:
        missing(row.distribution, "pip install 'otel-agents[test]'")
    newest = release(row.newest)
    assert release(row.oldest) <= installed
    assert installed[: len(newest)] <= newest


# The rows


@EVERY_ROW
def test_a_row_says_why(name: str, patch: Patch) -> None:
    """Each row has one line that says why it is there, and a kind of the vocabulary or none."""
    assert len(patch.why.split()) >= 5
    assert "\n" not in patch.why
    assert patch.kind is None or patch.kind in tuple(KINDS)
    assert all(":" in target for target in (patch.target, *patch.paused, *patch.ok))


@EVERY_ROW
def test_a_target_is_found_and_put_back(name: str, patch: Patch) -> None:
    """The row is applied, or declared absent in this version; undo leaves the very object that was there."""
    place = _place(patch)
    before = place.own()
    applied = apply(_alone(name, patch))
    (state,) = applied.states()
    during = place.own()
    applied.undo()

    assert state.state in (APPLIED, UNSUPPORTED), state
    assert (during is before) == (state.state == UNSUPPORTED)
    assert place.own() is before


@EVERY_ROW
def test_applied_twice_it_wraps_once(name: str, patch: Patch) -> None:
    """A second application returns the handle of the first, and adds nothing."""
    place = _place(patch)
    depth = len(list(chain(place.seen())))
    first = apply(_alone(name, patch))
    during = place.own()
    second = apply(_alone(name, patch))
    try:
        assert second is first
        assert place.own() is during
        assert len(list(chain(place.seen()))) == depth + 1
    finally:
        first.undo()


@EVERY_ADAPTER
@pytest.mark.parametrize("step", FUNCTIONS)
def test_a_row_whose_functions_raise_changes_nothing(step: str, row: Row) -> None:
    """Whatever a function of a row raises, the host's result is the same; the failures are counted as the adapter's."""
    adapter, program = _load(row.name), PROGRAMS[row.name]
    bare = program()
    guard.reset()
    with capture(strict=False), _applied(_broken(adapter, step)):
        assert _inside(program) == bare
    failed = guard.errors()
    guard.reset()

    is_called = step == "before" and any(patch.before is not None for patch in adapter.patches)
    assert failed or not is_called
    assert all(place.startswith(f"patch.{row.name}.") for place in failed)


def _inside(program: Callable[[], object]) -> object:
    """Run a program inside an operation, so that there is something to carry into threads."""
    operation = RECORDER.start(NODE, "around")
    assert operation is not None
    entered = RECORDER.enter(operation)
    try:
        return program()
    finally:
        RECORDER.leave(operation, entered)
        RECORDER.end(operation)


@EVERY_ADAPTER
def test_suppressed_it_makes_nothing(row: Row) -> None:
    """While instrumentation is suppressed no operation, event or record is made, and the result is the same."""
    program = PROGRAMS[row.name]
    bare = program()
    with capture() as telemetry, _applied(_load(row.name)):
        with suppress_instrumentation():
            assert program() == bare
        assert (telemetry.tree(), telemetry.events, telemetry.spans, telemetry.logs) == ([], [], [], [])


@EVERY_ADAPTER
def test_watched_the_program_is_the_same_and_leaves_nothing_current(row: Row) -> None:
    """The result is the same, no operation is current afterwards, and all that was told is of the adapter's runtime."""
    program = PROGRAMS[row.name]
    bare = program()
    with capture() as telemetry, _applied(_load(row.name)) as applied:
        assert program() == bare
        assert current() is None
        runtimes = {event.runtime for event in telemetry.events}
        assert runtimes == {applied.adapter.runtime} - {""}
