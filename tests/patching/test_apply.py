from __future__ import annotations

import functools
import importlib
import inspect
import multiprocessing
import os
import sys
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import wrapt

from otel_agents import guard
from otel_agents.patching import apply as applying
from otel_agents.patching.apply import apply, patch_counts, patch_states
from otel_agents.patching.table import Adapter, Patch, PatchState, Start
from otel_agents.semconv import kinds as k
from tests.patching.conftest import MATERIAL, Rows, Told, patch

Write = Callable[[str, str], str]

PATHS = [
    "plain",
    "coro",
    "gen",
    "agen",
    "imported_by_name",
    "Base.method",
    "Base.static",
    "Base.of_class",
    "Base.Inner.Innermost.method",
    "Sub.inherited",
    "Sub.static",
    "Sub.of_class",
    "Slotted.method",
    "Guarded.method",
    "Abstract.method",
    "cached",
]
FORKS = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # Python 3.12 and later, with threads about
SOURCE = "def work(what=None):\n    return what\n"


def owner_of(host: ModuleType, path: str) -> tuple[Any, str]:
    """Return the owner of an attribute, and its name there."""
    *owners, name = path.split(".")
    return functools.reduce(getattr, owners, host), name


def own(host: ModuleType, path: str) -> object:
    """Return the owner's own attribute, or None."""
    owner, name = owner_of(host, path)
    return vars(owner).get(name)


def states(applied: applying.Applied) -> list[tuple[str, str]]:
    """Return state and detail of each row."""
    return [(row.state, row.detail) for row in applied.states()]


@pytest.mark.parametrize("path", PATHS)
def test_undo_restores_the_very_attribute(host: ModuleType, rows: Rows, path: str) -> None:
    """After undo the owner has the object that it had, or again only inherits one; twice in a row."""
    before = own(host, path)
    for _ in range(2):
        applied = rows.node(path)
        assert own(host, path) is not before
        assert states(applied) == [("applied", "")]
        applied.undo()
        assert own(host, path) is before


@pytest.mark.parametrize("path", [path for path in PATHS if path.startswith("Sub.")])
def test_undo_leaves_no_copy_in_a_subclass(host: ModuleType, rows: Rows, path: str) -> None:
    """What was inherited is inherited again."""
    rows.node(path).undo()
    assert path.split(".")[1] not in vars(host.Sub)


def test_every_kind_of_method_is_called_as_before(host: ModuleType, rows: Rows, told: Told) -> None:
    """Static and class methods, inherited and nested ones get what they got, by class and by instance."""
    rows.node(*(path for path in PATHS if "." in path and path != "Abstract.method"))
    base, sub = host.Base(), host.Sub()
    assert [host.Base.static(1), base.static(2), host.Sub.static(3), sub.static(4)] == [1, 2, 3, 4]
    assert [host.Base.of_class(1), base.of_class(2)] == [(host.Base, 1), (host.Base, 2)]
    assert [host.Sub.of_class(3), sub.of_class(4)] == [(host.Sub, 3), (host.Sub, 4)]
    assert [base.method(1), host.Base.method(base, 2), sub.inherited(3), base.inherited(4)] == [1, 2, 3, 4]
    assert host.Base.Inner.Innermost().method(1) == 1
    assert [host.Slotted().method(1), host.Guarded().method(2)] == [1, 2]
    assert len(told.ends) == 18  # Sub.static and Sub.of_class stand in front of those of Base, and count, too


def test_a_row_sees_self(host: ModuleType, rows: Rows, told: Told) -> None:
    """``call.self`` is the object of a method, the class of a class method, None elsewhere."""
    seen: list[object] = []
    rows.node("Base.method", "Base.of_class", "Base.static", "plain", before=lambda call: seen.append(call.self))
    base = host.Base()
    base.method()
    host.Base.of_class()
    host.Base.static()
    host.plain()
    assert seen == [base, host.Base, None, None]


def test_an_abstract_method_stays_abstract(host: ModuleType, rows: Rows) -> None:
    """A class with a patched abstract method still cannot be instantiated."""
    rows.node("Abstract.method")
    with pytest.raises(TypeError, match="abstract"):
        host.Abstract()


def test_identity_of_inherited_methods_stays(host: ModuleType, rows: Rows) -> None:
    """``Sub.method is Base.method`` holds with a patch on Base, which frameworks go by."""
    rows.node("Base.method", "Base.static")
    assert host.Sub.method is host.Base.method
    assert host.Sub.static is host.Base.static
    assert host.Sub().method == host.Sub.method.__get__(host.Sub()) or host.Sub.method is host.Base.method
    assert host.Base.of_class == host.Base.of_class


def test_applying_twice_wraps_once(host: ModuleType, rows: Rows, told: Told) -> None:
    """A second apply of the same adapter returns the same handle, and a call stays one operation."""
    row = patch("plain")
    first, second = rows(row), rows(row)
    assert first is second
    host.plain()
    assert told.ends == [("plain", "ok")]


def test_another_adapter_of_the_same_name_is_refused(rows: Rows) -> None:
    """Two adapters of one name would undo each other's rows."""
    rows.node("plain")
    with pytest.raises(ValueError, match="another adapter 'host' is in force; undo it first"):
        apply(rows.adapter())


def test_two_adapters_share_a_target(host: ModuleType, rows: Rows, told: Told) -> None:
    """Both see a call, and undone in any order they leave the original."""
    original = host.plain
    one, two = rows.node("plain", name="one"), rows.node("plain", name="two")
    host.plain()
    assert len(told.ends) == 2
    one.undo()
    assert host.plain is not original
    host.plain()
    assert len(told.ends) == 3
    two.undo()
    assert host.plain is original


def test_undo_may_be_called_again(host: ModuleType, rows: Rows, told: Told) -> None:
    """A second undo changes nothing, not even what another apply put there meanwhile."""
    first = rows.node("plain")
    first.undo()
    rows.node("plain")
    first.undo()
    host.plain()
    assert told.ends == [("plain", "ok")]


# Import


def test_a_module_is_patched_when_it_is_imported(importable: Write, rows: Rows, told: Told) -> None:
    """A row waits for a module that nobody imported, and is in force when somebody did."""
    name = importable("later_a", SOURCE)
    applied = rows(Patch(f"{name}:work", k.NODE, "A test."))
    assert states(applied) == [("waiting", "not imported yet")]
    assert name not in sys.modules
    assert importlib.import_module(name).work(3) == 3
    assert states(applied) == [("applied", "")]
    assert told.ends == [("", "ok")]


def test_after_undo_a_waiting_row_does_nothing(importable: Write, rows: Rows, told: Told) -> None:
    """A hook that cannot be taken back is inert; applied again, one import patches once."""
    name = importable("later_b", SOURCE)
    row = Patch(f"{name}:work", k.NODE, "A test.")
    rows(row).undo()
    rows(row).undo()
    module = importlib.import_module(name)
    assert "__wrapped__" not in vars(module.work)
    applied = rows(row)
    assert module.work(3) == 3
    assert told.ends == [("", "ok")]
    applied.undo()
    assert "__wrapped__" not in vars(module.work)


def test_applied_again_before_the_import_patches_once(importable: Write, rows: Rows, told: Told) -> None:
    """However often an adapter came and went, the import wraps once."""
    name = importable("later_c", SOURCE)
    row = Patch(f"{name}:work", k.NODE, "A test.")
    rows(row).undo()
    rows(row)
    importlib.import_module(name).work()
    assert told.ends == [("", "ok")]


def test_an_import_hook_never_raises(importable: Write, rows: Rows, told: Told) -> None:
    """What fails while a row is applied is counted, and the host's import goes on."""
    name = importable("later_d", "class Odd(type):\n    __mro__ = property(lambda cls: 1 / 0)\nwork = 3\n")

    def announce(runtime: str) -> None:
        raise LookupError(runtime)

    importable("later_e", SOURCE)
    adapter = Adapter("odd", "odd", "", ("1", "1"), (Patch(f"{name}:work"), Patch("later_e:work")))
    rows.applied.append(apply(adapter, on_applied=announce))
    importlib.import_module(name)
    importlib.import_module("later_e")
    assert guard.errors() == {"patch.odd.apply": 1}
    guard.reset()


def test_a_module_that_fails_to_import_is_waited_for(importable: Write, rows: Rows) -> None:
    """An import that raises patches nothing, and raises what it did."""
    name = importable("later_f", "raise OSError('no such thing')\n")
    applied = rows(Patch(f"{name}:work", k.NODE, "A test."))
    with pytest.raises(OSError, match="no such thing"):
        importlib.import_module(name)
    assert states(applied) == [("waiting", "not imported yet")]


def test_a_half_imported_module_is_looked_at_again(importable: Write, rows: Rows, told: Told) -> None:
    """A target that is not there yet because its module is being imported is found later."""
    name = importable("later_g", f"import {__name__} as test\ntest.HALF.append(test.start())\n{SOURCE}")
    row = Patch(f"{name}:work", k.NODE, "A test.")
    HALF.clear()
    STARTS[:] = [lambda: states(rows(row))]
    module = importlib.import_module(name)
    assert HALF == [[("waiting", "is being imported")]]
    assert states(rows.applied[0]) == [("applied", "")]
    module.work()
    assert told.ends == [("", "ok")]


HALF: list[object] = []
STARTS: list[Callable[[], object]] = []


def start() -> object:
    """Do what a test wants done while its module is being imported."""
    return STARTS.pop()()


def test_a_lazy_module_is_not_asked_for_its_names(importable: Write, rows: Rows) -> None:
    """A module's ``__getattr__`` may import half a framework, so it is not called."""
    name = importable("later_h", "def __getattr__(name):\n    raise SystemExit(name)\n")
    importlib.import_module(name)
    applied = rows(Patch(f"{name}:work", k.NODE, "A test."), Patch(f"{name}:Class.method", k.NODE, "A test."))
    assert [row.state for row in applied.states()] == ["missing"] * 2


def test_an_adapter_says_once_that_it_is_in_use(importable: Write, rows: Rows) -> None:
    """``on_applied`` gets the runtime when the first row is in force."""
    told: list[str] = []
    name = importable("later_i", SOURCE + "def more():\n    pass\n")
    adapter = Adapter("host", "runtime", "", ("1", "1"), (Patch(f"{name}:work"), Patch(f"{name}:more")))
    rows.applied.append(apply(adapter, on_applied=told.append))
    assert told == []
    importlib.import_module(name)
    assert told == ["runtime"]


def test_many_threads_apply_and_import_at_once(importable: Write, rows: Rows, told: Told) -> None:
    """Whoever comes first, a target is wrapped once and restored."""
    name = importable("later_j", SOURCE)
    row = Patch(f"{name}:work", k.NODE, "A test.")
    together = threading.Barrier(8)

    def one(number: int) -> None:
        together.wait(5)
        rows(row) if number % 2 else importlib.import_module(name)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    module = sys.modules[name]
    module.work()
    assert told.ends == [("", "ok")]
    rows.applied[0].undo()
    assert "__wrapped__" not in vars(module.work)


# States


def test_states_say_what_is_where(rows: Rows) -> None:
    """A row is applied, waiting, unsupported (known not to be in this version) or missing, and says why."""
    applied = rows(
        patch("plain"),
        Patch("no.such.module:function", None, "A test."),
        patch("nowhere", absent_before="999", absent_note="came with 999"),
        patch("nowhere", absent_from="1.0"),
        patch("nowhere", absent_before="1.0"),
        patch("Base.nowhere", source="targets.yaml:3"),
        patch("CONSTANT"),
        patch("Base.limit"),
        patch("Base"),
        patch("Base.__str__"),
    )
    there_is_no = f"in {MATERIAL}"
    expected = [
        ("plain", "applied", "", ""),
        ("", "waiting", "not imported yet", ""),
        ("nowhere", "unsupported", "came with 999", ""),
        ("nowhere", "unsupported", "", ""),
        ("nowhere", "missing", f"there is no nowhere {there_is_no}", ""),
        ("Base.nowhere", "missing", f"there is no Base.nowhere {there_is_no}", "targets.yaml:3"),
        ("CONSTANT", "missing", "int is no function", ""),
        ("Base.limit", "missing", "property is no function", ""),
        ("Base", "missing", "type is no function", ""),
        ("Base.__str__", "missing", f"there is no Base.__str__ {there_is_no}", ""),
    ]
    named = [PatchState("host", f"{MATERIAL}:{path}", "node", *rest) for path, *rest in expected]  # type: ignore[arg-type]
    named[1] = PatchState("host", "no.such.module:function", "tap", "waiting", "not imported yet")
    assert applied.states() == named
    assert patch_counts() == {
        ("host", "applied"): 1,
        ("host", "waiting"): 1,
        ("host", "unsupported"): 2,
        ("host", "missing"): 6,
    }
    assert guard.errors() == {}


def test_an_adapter_that_is_not_in_force_has_states_too(rows: Rows) -> None:
    """The rows of an adapter can be listed before and after it is applied."""
    adapter = rows.adapter(patch("plain"), patch("nowhere"))
    expected = [("waiting", "not in force"), ("missing", f"there is no nowhere in {MATERIAL}")]
    assert [(row.state, row.detail) for row in patch_states(adapter)] == expected
    applied = apply(adapter)
    assert [row.state for row in patch_states(adapter)] == ["applied", "missing"]
    applied.undo()
    assert states(applied) == expected
    assert patch_counts() == {}


# Somebody else's wrappers


def covering(function: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a function as other instrumentations do."""

    @functools.wraps(function)
    def cover(*args: Any, **kwargs: Any) -> Any:
        return "covered", function(*args, **kwargs)

    return cover


def hidden(function: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a function without a trace of what is inside."""
    return lambda *args, **kwargs: ("covered", function(*args, **kwargs))


@pytest.mark.parametrize("cover", [covering, hidden])
def test_a_wrapper_on_top_survives_undo(
    host: ModuleType, monkeypatch: pytest.MonkeyPatch, rows: Rows, told: Told, cover: Callable[..., Any]
) -> None:
    """Undo leaves somebody else's wrapper in place, lets calls pass, and the next apply wraps no second time."""
    original = host.plain
    with monkeypatch.context() as others:
        applied = rows.node("plain")
        ours = host.plain
        others.setattr(host, "plain", cover(ours))
        on_top = host.plain
        assert states(applied) == [("applied", "somebody else's wrapper stands in front")]
        applied.undo()
        assert host.plain is on_top
        assert states(applied) == [("waiting", "out of force; lets calls pass, under somebody else's wrapper")]
        assert host.plain(1) == ("covered", 1)
        assert told.ends == []
        again = rows.node("plain")
        assert host.plain is on_top
        assert host.plain(1) == ("covered", 1)
        assert told.ends == [("plain", "ok")]
        again.undo()
    assert host.plain is ours  # as the other one found it
    rows.node("plain").undo()
    assert host.plain is original


def test_when_the_wrapper_on_top_goes_the_original_comes_back(
    host: ModuleType, monkeypatch: pytest.MonkeyPatch, rows: Rows
) -> None:
    """A closure that was left under a wrapper is taken out by the next undo that finds it on top."""
    original = host.plain
    with monkeypatch.context() as others:
        applied = rows.node("plain")
        others.setattr(host, "plain", covering(host.plain))
        applied.undo()
    rows.node("coro", name="another").undo()
    assert host.plain is original


def test_a_closure_is_found_under_two_wrappers(
    host: ModuleType, monkeypatch: pytest.MonkeyPatch, rows: Rows, told: Told
) -> None:
    """A wrapper that came after undo hides nothing, as long as the wrappers say what they wrap."""
    applied = rows.node("plain")
    monkeypatch.setattr(host, "plain", covering(host.plain))
    applied.undo()
    monkeypatch.setattr(host, "plain", covering(host.plain))
    on_top = host.plain
    applied = rows.node("plain")
    assert host.plain is on_top
    assert host.plain(1) == ("covered", ("covered", 1))
    assert told.ends == [("plain", "ok")]
    applied.undo()
    monkeypatch.undo()
    rows.node("plain").undo()


def test_a_target_that_was_replaced_is_patched_anew(
    host: ModuleType, monkeypatch: pytest.MonkeyPatch, rows: Rows, told: Told
) -> None:
    """When the closure is nowhere to be found, what stands there now is patched, and restored."""
    with monkeypatch.context() as others:
        applied = rows.node("plain")
        others.setattr(host, "plain", hidden(host.plain))
        applied.undo()
        replaced = lambda value: ("replaced", value)  # noqa: E731
        others.setattr(host, "plain", replaced)
        applied = rows.node("plain")
        assert host.plain(1) == ("replaced", 1)
        applied.undo()
        assert host.plain is replaced
    rows.node("plain").undo()
    assert told.ends == [("plain", "ok")]


@FORKS
def test_a_forked_child_can_apply_and_undo(host: ModuleType, rows: Rows) -> None:
    """A child that was forked while another thread held the lock still gets on."""
    if not hasattr(os, "fork"):
        pytest.skip("no fork on this system")
    holds, goes = threading.Event(), threading.Event()

    def hold() -> None:
        with applying._lock:
            holds.set()
            goes.wait(5)

    thread = threading.Thread(target=hold)
    thread.start()
    assert holds.wait(5)
    context = multiprocessing.get_context("fork")
    child = context.Process(target=_apply_and_undo)
    child.start()
    child.join(20)
    goes.set()
    thread.join(5)
    assert child.exitcode == 0


def _apply_and_undo() -> None:
    apply(Rows().adapter(patch("plain"))).undo()


def proxied(wrapped: Any, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Tell what a wrapt wrapper is told."""
    return instance, wrapped(*args, **kwargs)


@pytest.mark.parametrize("path", ["Base.method", "Base.of_class", "Base.static", "plain"])
def test_a_wrapt_wrapper_underneath_keeps_what_it_is_told(
    host: ModuleType, monkeypatch: pytest.MonkeyPatch, rows: Rows, told: Told, path: str
) -> None:
    """A binding wrapper that came first still learns the instance, and is restored as the very object."""
    owner, name = owner_of(host, path)
    monkeypatch.setattr(owner, name, wrapt.FunctionWrapper(vars(owner)[name], proxied))
    wrapper = vars(owner)[name]
    target = host.Base() if "." in path else host
    before = getattr(target, name)(1)
    applied = rows.node(path)
    assert getattr(target, name)(1) == before
    assert told.ends == [(path, "ok")]
    applied.undo()
    assert vars(owner)[name] is wrapper


async def test_a_wrapt_wrapper_around_a_coroutine_is_followed(
    host: ModuleType, monkeypatch: pytest.MonkeyPatch, rows: Rows, told: Told
) -> None:
    """A binding wrapper around a coroutine method is a coroutine function, and ours above it, too."""
    monkeypatch.setattr(
        host.Base, "acoro", wrapt.FunctionWrapper(vars(host.Base)["acoro"], lambda w, i, a, k: w(*a, **k))
    )
    rows.node("Base.acoro")
    assert inspect.iscoroutinefunction(host.Base.acoro)
    assert await host.Base().acoro(1) == 1
    assert told.ends == [("Base.acoro", "ok")]


def test_a_builtin_in_a_class_is_not_bound(
    host: ModuleType, monkeypatch: pytest.MonkeyPatch, rows: Rows, told: Told
) -> None:
    """A C function that lies in a class gets no self, patched or not."""
    monkeypatch.setattr(host.Base, "length", len, raising=False)
    rows.node("Base.length")
    assert host.Base().length([1, 2]) == 2
    assert told.ends == [("Base.length", "ok")]


def test_a_method_of_c_is_bound(host: ModuleType, monkeypatch: pytest.MonkeyPatch, rows: Rows, told: Told) -> None:
    """An inherited C method gets its self, and is inherited again after undo."""
    kind = type("Kind", (list,), {})
    monkeypatch.setattr(host, "Kind", kind, raising=False)
    applied = rows.node("Kind.append", before=lambda call: Start(type(call.self).__name__))
    made = kind()
    made.append(1)
    applied.undo()
    assert made == [1]
    assert told.ends == [("Kind", "ok")]
    assert "append" not in vars(kind)
