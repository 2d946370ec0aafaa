"""Host objects that fight back are copied or named, and none of their code runs."""

from __future__ import annotations

import datetime as dt
import decimal
import json
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from otel_agents.content import REDACTED, clean, exception_frames, scalar, to_json, type_name
from tests.content.material import CANARY, HOSTILE, hostile, hostile_dict, hostile_list, refuse


# Made inside the test: a hostile object as a parameter would stop the test runner itself.
@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: hostile(object), f"<{HOSTILE}>"),
        (lambda: hostile(str, "text"), "text"),
        (lambda: hostile(int, 7), 7),
        (lambda: hostile(float, 0.5), 0.5),
        (lambda: hostile(bytes, b"abc"), "<3 bytes>"),
        (hostile_dict, {"a": 1}),
        (hostile_list, [1]),
        (lambda: hostile(tuple, (1, 2)), [1, 2]),
        (lambda: hostile(frozenset, {1}), [1]),
        (lambda: hostile(uuid.UUID), f"<{HOSTILE}>"),
        (lambda: hostile(dt.datetime, 2026, 1, 2), f"<{HOSTILE}>"),
        (lambda: hostile(decimal.Decimal, "1.5"), f"<{HOSTILE}>"),
        (lambda: hostile(ValueError, CANARY), f"<{HOSTILE}>"),
        (lambda: type(hostile(object)), f"<{HOSTILE}>"),
    ],
)
def test_no_code_of_a_hostile_object_runs(make: Callable[[], object], expected: object) -> None:
    """Whatever a class overrides, the value is read past it, or only named."""
    assert clean(make()) == expected
    assert json.loads(to_json({"v": [make()]})) == {"v": [expected]}


def test_hostile_keys_are_read_past_their_overrides() -> None:
    """A key of a class with hostile text methods is still checked and written."""

    class Key(str):
        __slots__ = ()
        __str__ = __repr__ = lower = __format__ = refuse

    assert clean({Key("password"): CANARY, Key("a"): 1}) == {"password": REDACTED, "a": 1}


def test_iterators_are_named_and_not_consumed() -> None:
    """Generators, iterators, views and lazy sequences stay as they were."""
    endless = (number for number in iter(int, 1))
    pending = iter([1, 2])
    assert clean([endless, pending, {1: 2}.keys(), range(3)]) == [
        "<generator>",
        "<list_iterator>",
        "<dict_keys>",
        "<range>",
    ]
    assert list(pending) == [1, 2]


def test_a_coroutine_is_neither_awaited_nor_closed() -> None:
    """An awaitable argument is left to the host."""

    async def work() -> int:
        return 3

    pending = work()
    assert clean(pending) == "<coroutine>"
    with pytest.raises(StopIteration):
        pending.send(None)


def test_a_foreign_time_zone_is_not_asked() -> None:
    """A time zone of the host's own class is left out instead of being run."""
    zone = type("Zone", (dt.tzinfo,), {"utcoffset": refuse, "dst": refuse, "tzname": refuse})()
    assert clean(dt.datetime(2026, 1, 2, tzinfo=zone)) == "2026-01-02T00:00:00"


def test_a_property_over_a_field_is_not_run() -> None:
    """A class attribute that computes is never asked, not even under a field's name."""

    @dataclass
    class Odd:
        name: str

    odd = Odd("kept")
    Odd.name = property(refuse)  # type: ignore[assignment]
    assert clean(odd) == {"name": "kept"}


def test_a_scalar_asks_a_hostile_object_nothing() -> None:
    """A hostile object is None, a hostile text its text."""
    assert scalar(hostile(object)) is None
    assert scalar(hostile(str, "kept")) == "kept"


def test_frames_ask_a_hostile_exception_nothing() -> None:
    """Overridden attributes of an exception class are not run, suppressed context is not shown."""
    assert type_name(hostile(ValueError)) == HOSTILE
    assert exception_frames(hostile(ValueError)) == f"{HOSTILE}\n"
    quiet = ValueError()
    quiet.__context__, quiet.__suppress_context__ = KeyError(), True
    assert exception_frames(quiet) == "ValueError\n"


def test_lists_stay_lists_in_iterators() -> None:
    """A list subclass with its own iteration is read as the list it stores."""

    class Lazy(list[int]):
        def __iter__(self) -> Iterator[int]:
            return refuse()

    assert clean(Lazy([1, 2])) == [1, 2]


def test_a_class_that_only_bears_a_known_name_is_not_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A class that calls itself `uuid.UUID` is not asked for its text, whatever stands in `sys.modules`."""
    bearer = type("UUID", (), {"__module__": "uuid", "__str__": refuse})
    assert clean(bearer()) == "<uuid.UUID>"
    monkeypatch.setitem(sys.modules, "absent", None)
    assert clean(type("Odd", (), {"__module__": "absent"})()) == "<absent.Odd>"
    assert clean(type("Odd", (), {"__module__": 5})()) == "<Odd>"
