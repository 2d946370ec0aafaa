from __future__ import annotations

import asyncio
import copy
import inspect
import multiprocessing
import pickle
import subprocess
import sys
import typing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from otel_agents.patching.calls import wrap
from otel_agents.patching.likeness import parameters_of
from otel_agents.patching.table import Call, Parameters, Patch, Start
from otel_agents.semconv import kinds as k
from tests.patching.conftest import MATERIAL, Rows, Told

ROOT = Path(__file__).parents[2]
FUNCTIONS = ["plain", "coro", "gen", "agen", "session", "cached", "Base.method", "Base.static", "Sub.inherited"]


def at(host: ModuleType, path: str) -> Any:
    """Return what stands at a path."""
    found: Any = host
    for name in path.split("."):
        found = getattr(found, name)
    return found


def looks(function: Any) -> dict[str, object]:
    """Return all by which one function can be told from another, but for identity and code."""
    names = ("__name__", "__doc__", "__module__", "__qualname__", "__defaults__", "__kwdefaults__", "__annotations__")
    seen: dict[str, object] = {name: getattr(function, name, None) for name in names}
    seen["signature"] = str(inspect.signature(function))
    seen["hints"] = typing.get_type_hints(function)
    seen["source"] = inspect.getsource(function)
    seen["public"] = [name for name in dir(function) if not name.startswith("_")]
    return seen


@pytest.mark.parametrize("path", FUNCTIONS)
def test_a_patched_function_looks_the_same(host: ModuleType, rows: Rows, path: str) -> None:
    """Names, documentation, defaults, annotations, signature, source and public attributes are those of the host."""
    before = looks(at(host, path))
    rows.node(path)
    after = looks(at(host, path))
    if path == "Sub.inherited":  # the one place where pickle would be led to another function
        before["__qualname__"] = "Sub.inherited"
    assert after == before


def test_attributes_of_a_special_callable_still_work(host: ModuleType, rows: Rows) -> None:
    """A cache can be looked at and cleared through the patched function."""
    rows.node("cached")
    host.cached.cache_clear()
    host.cached(1)
    host.cached(1)
    assert (host.cached.cache_info().hits, host.cached.cache_info().misses) == (1, 1)


def test_attributes_set_on_a_function_are_there(host: ModuleType, rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the host hung on its function before is there on the patched one."""
    monkeypatch.setattr(host.plain, "is_tool", True, raising=False)
    rows.node("plain")
    assert host.plain.is_tool is True


@pytest.mark.parametrize("path", ["plain", "coro", "gen", "agen", "imported_by_name", "Base.static", "Base.method",
                                  "Sub.inherited", "Base.Inner.Innermost.method"])  # fmt: skip
def test_patched_functions_can_be_pickled_and_copied(host: ModuleType, rows: Rows, path: str) -> None:
    """A patched function is pickled by name, and copies are the function itself, as before."""
    rows.node(path)
    function = at(host, path)
    assert pickle.loads(pickle.dumps(function)) is function
    assert copy.copy(function) is function
    assert copy.deepcopy(function) is function


def test_bound_methods_can_be_pickled_copied_and_compared(host: ModuleType, rows: Rows) -> None:
    """Bound methods of patched functions are what they were."""
    rows.node("Base.method", "Base.of_class")
    base = host.Base()
    assert base.method == base.method
    assert hash(base.method) == hash(base.method)
    assert pickle.loads(pickle.dumps(base.method))(3) == 3
    assert copy.deepcopy(base.method)(3) == 3
    assert pickle.loads(pickle.dumps(host.Sub.of_class)) == host.Sub.of_class


def test_what_was_pickled_patched_is_found_unpatched(host: ModuleType, rows: Rows) -> None:
    """A pickle made while patched leads to the original afterwards, and the other way round."""
    original = host.plain
    unpatched = pickle.dumps(host.plain)
    applied = rows.node("plain")
    patched = pickle.dumps(host.plain)
    assert pickle.loads(unpatched) is host.plain
    applied.undo()
    assert pickle.loads(patched) is original


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # Python 3.12 and later, with threads about
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_patched_functions_run_in_process_pools(host: ModuleType, rows: Rows, told: Told, method: str) -> None:
    """A process pool, whichever way it makes its processes, gets patched functions and bound methods by name."""
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} on this system")
    rows.node("plain", "imported_by_name", "Base.method")
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(method)) as pool:
        sent = [pool.submit(host.plain, 1), pool.submit(host.imported_by_name, 2), pool.submit(host.Base().method, 3)]
        assert [future.result(60) for future in sent] == [1, 2, 3]
    assert told.operations == []


def test_a_function_that_could_not_be_pickled_keeps_its_name(host: ModuleType, rows: Rows) -> None:
    """A closure of the host's keeps the name that leads nowhere."""

    def local() -> None:
        """Local."""

    name = local.__qualname__
    host.local = local  # type: ignore[attr-defined]
    try:
        applied = rows.node("local")
        assert (host.local.__module__, host.local.__qualname__) == (__name__, name)
        applied.undo()
    finally:
        del host.local


def test_where_parameters_stand(host: ModuleType) -> None:
    """Positions and defaults are those of the innermost function, whoever wrapped it; nothing is known of C code."""
    assert parameters_of(host.Base.method) == Parameters({"self": 0, "what": 1}, True, {"what": None, "key": "k"})
    assert parameters_of(host.plain) == Parameters({"what": 0}, False, {"what": None, "key": "k"})
    assert parameters_of(host.session) == Parameters({"what": 0, "after": 1}, False, {"what": None, "after": None})
    assert parameters_of(len, has_self=False) == Parameters({}, False)


@pytest.mark.parametrize(
    ("args", "kwargs", "expected"),
    [((1, 2), {}, 2), ((1,), {"b": 3}, 3), ((1,), {}, "default"), ((), {"b": None}, None), ((1, 2, 3), {"c": 1}, 2)],
)
def test_an_argument_is_found_however_it_was_given(
    args: tuple[object, ...], kwargs: dict[str, Any], expected: object
) -> None:
    """By position, by keyword, or not at all."""
    call = Call(args, kwargs, Parameters({"a": 0, "b": 1}))
    assert call.argument("b", "default") == expected


class Decorated:
    """What a decorator of the manual API is used on."""

    seen: typing.ClassVar[list[tuple[object, object]]] = []

    @staticmethod
    def before(call: Call) -> Start:
        """Start an operation, and remember who was called."""
        Decorated.seen.append((call.self, call.argument("value")))
        return Start()


ROW = Patch("here:there", k.NODE, "A test.", before=Decorated.before)


@pytest.mark.parametrize("kind", [lambda function: function, staticmethod, classmethod])
def test_a_decorator_keeps_the_kind_of_method(told: Told, kind: Callable[..., Any]) -> None:
    """Functions, static methods and class methods stay what they are under the decorator."""

    def method(self: object = None, value: object = None) -> object:
        return self, value

    decorated = wrap(kind(method), ROW, "manual")
    assert type(decorated) is type(kind(method))
    owner = type("Owner", (), {"method": decorated})
    Decorated.seen.clear()
    if kind is staticmethod:
        assert owner().method(1, 2) == (1, 2)
    else:
        made = owner()
        assert made.method(2) == ((owner if kind is classmethod else made), 2)
    assert [seen[1] for seen in Decorated.seen] == [2]
    assert told.ends == [("", "ok")]


def test_a_decorator_asks_its_row_first() -> None:
    """A decorated function may be what makes somebody listen, so its row is asked while nobody does."""
    Decorated.seen.clear()

    def plain(value: object) -> object:
        return value

    assert wrap(plain, ROW, "manual")(3) == 3
    assert Decorated.seen == [(None, 3)]


def test_a_decorated_coroutine_function_is_one(told: Told) -> None:
    """Decorated coroutine functions are awaited as before."""

    async def work(value: object) -> object:
        return value

    decorated = wrap(work, ROW, "manual")
    assert inspect.iscoroutinefunction(decorated)
    assert asyncio.run(decorated(1)) == 1
    assert told.ends == [("", "ok")]


def test_a_generator_made_awaitable_stays_awaitable(told: Told) -> None:
    """A generator function that ``types.coroutine`` made awaitable can still be awaited."""
    import types

    @types.coroutine
    def work() -> Any:
        yield
        return 3

    async def main() -> object:
        return await wrap(work, ROW, "manual")()

    assert asyncio.run(main()) == 3
    assert told.ends == [("", "ok")]


def test_importing_the_patches_imports_no_telemetry_and_no_framework() -> None:
    """The package of patches loads neither OpenTelemetry nor what it patches."""
    unwanted = ("opentelemetry", "langgraph", "langchain_core", MATERIAL)
    imports = "import sys, otel_agents.patching.apply, otel_agents.patching.threads"
    program = f"{imports}; print([name for name in {unwanted} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
