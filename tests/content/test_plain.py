"""Any value becomes bounded, redacted, JSON-ready data."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import json
import pathlib
import sys
import threading
import uuid
from collections import OrderedDict, defaultdict, deque
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import ClassVar
from zoneinfo import ZoneInfo

import pydantic
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from otel_agents.content import REDACTED, clean, to_json
from tests.content.material import CANARY, SENSITIVE, VALUES, Colour, Plain, refuse


def test_the_value_is_not_changed() -> None:
    """Redaction and cutting happen in the copy."""
    value = {"password": CANARY, "list": ["x" * 50], "map": {"token": 1}}
    clean(value, 10)
    assert value == {"password": CANARY, "list": ["x" * 50], "map": {"token": 1}}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (2**63 - 1, 2**63 - 1),
        (2**63, "9223372036854775808"),
        (10**5000, "<int of 16610 bits>"),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        ("lone \ud800 surrogate", "lone ? surrogate"),
        (b"\x00\x01", "<2 bytes>"),
        (bytearray(b"abc"), "<bytearray>"),
        (dt.datetime(2026, 1, 2, 3, 4, tzinfo=ZoneInfo("UTC")), "2026-01-02T03:04:00+00:00"),
        (dt.date(2026, 1, 2), "2026-01-02"),
        (dt.timedelta(seconds=90), "0:01:30"),
        (decimal.Decimal("1.50"), "1.50"),
        (uuid.UUID(int=5), "00000000-0000-0000-0000-000000000005"),
        (pathlib.PurePosixPath("/a/b"), "/a/b"),
        (OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
        (defaultdict(list, a=[1]), {"a": [1]}),
        (deque([1, 2], maxlen=2), [1, 2]),
        (MappingProxyType({"a": 1}), "<mappingproxy>"),
        (ValueError(CANARY), "<ValueError>"),
        ({1: "a", None: "b", (1, 2): "c"}, {"1": "a", "null": "b", "<tuple>": "c"}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_known_types_have_one_plain_form(value: object, expected: object) -> None:
    """Numbers, text, times, ids, paths and containers become what JSON has."""
    assert clean(value) == expected


class _Level(enum.IntEnum):
    LOW = 1


def test_enum_members_are_their_plain_value_or_their_name() -> None:
    """A member shows its value where that is plain, else its name."""
    assert clean([Colour.RED, Colour.MIXED, _Level.LOW]) == ["red", "MIXED", 1]


@dataclass(slots=True)
class _Slotted:
    name: str
    password: str
    hidden: str = field(default=CANARY, repr=False)
    shared: ClassVar[str] = CANARY


class _Model(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")

    text: str
    api_key: str = CANARY
    secretive: pydantic.SecretStr = pydantic.SecretStr(CANARY)
    quiet: str = pydantic.Field(default=CANARY, repr=False)

    @pydantic.computed_field
    def computed(self) -> str:
        return refuse()


def test_records_show_their_declared_fields() -> None:
    """Dataclasses, slotted or not, and pydantic models are read from storage, without hidden and class fields."""
    value = Plain(_Model.model_validate({"text": "hi", "more": [1], "token": CANARY}))
    assert clean([value, _Slotted("n", CANARY)]) == [
        {
            "inner": {
                "text": "hi",
                "api_key": REDACTED,
                "secretive": "<pydantic.types.SecretStr>",
                "more": [1],
                "token": REDACTED,
            },
        },
        {"name": "n", "password": REDACTED},
    ]


def test_other_objects_are_only_named() -> None:
    """What declares no fields shows nothing but its class."""

    class Client:
        def __init__(self) -> None:
            self.key = CANARY

    assert clean(Client()) == f"<{__name__}.test_other_objects_are_only_named.<locals>.Client>"


def test_cycles_and_depth_end() -> None:
    """A value that contains itself, and a very deep one, are cut with a marker."""
    loop: dict[str, object] = {"a": 1}
    loop["self"] = [loop]
    assert clean(loop) == {"a": 1, "self": ["<cycle>"]}
    deep: list[object] = []
    for _ in range(5000):
        deep = [deep]
    assert to_json(deep) == "[" * 16 + '"<deeper>"' + "]" * 16


def test_the_same_value_twice_is_no_cycle() -> None:
    """Only a value inside itself is a cycle."""
    shared = [1]
    assert clean({"a": shared, "b": shared}) == {"a": [1], "b": [1]}


def test_strings_are_cut_with_a_marker() -> None:
    """A long string keeps its first `length` characters and says how long it was."""
    assert clean("x" * 11, 10) == "x" * 10 + "… [cut, 11 in all]"
    assert clean("x" * 10, 10) == "x" * 10
    assert clean("x" * 5000, 10) == "x" * 10 + "… [cut, 5000 in all]"
    assert clean("abc", 0) == "… [cut, 3 in all]"
    assert clean("", 0) == ""


def test_all_strings_together_are_bounded() -> None:
    """After 16 times the length of one string nothing more is kept."""
    kept = clean(["x" * 10] * 20, 10)
    assert kept == ["x" * 10] * 16 + ["… [cut, 10 in all]"] * 4


def test_entries_are_bounded() -> None:
    """At most 1000 entries are copied in all; what is left out is marked."""
    assert clean(list(range(5000))) == [*range(1000), "<more>"]
    wide = clean({str(number): number for number in range(5000)})
    assert isinstance(wide, dict)
    assert (len(wide), wide["<more>"]) == (1001, None)
    bush = clean([[0] * 100] * 100)
    assert isinstance(bush, list)
    assert sum(len(branch) if isinstance(branch, list) else 1 for branch in bush) <= 1020


def test_a_container_that_changes_meanwhile_is_marked() -> None:
    """A set or dict that another thread resizes does not disturb."""
    shared: dict[int, int] = {}
    stop = threading.Event()

    def churn() -> None:
        while not stop.is_set():
            shared.update(dict.fromkeys(range(500), 0))
            shared.clear()

    interval_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    worker = threading.Thread(target=churn)
    worker.start()
    try:
        kinds = {type(clean(shared)) for _ in range(300)}
    finally:
        stop.set()
        worker.join()
        sys.setswitchinterval(interval_s)
    assert kinds <= {dict, str}


def test_a_host_at_its_stack_limit_gets_an_answer() -> None:
    """Where the stack ends, the value is called unreadable."""
    answers: list[str] = []

    def deeper() -> None:
        try:
            deeper()
        except RecursionError:
            if not answers:
                answers.append(to_json({"a": [{"b": [1]}]}))
            raise

    with pytest.raises(RecursionError):
        deeper()
    assert answers[0] in {'"<unreadable>"', '{"a":[{"b":[1]}]}'}


@given(value=VALUES, length=st.integers(0, 200))
def test_any_value_becomes_bounded_json(value: object, length: int) -> None:
    """Never raises, survives a JSON round trip, encodes, and stays within the stated size."""
    text = to_json(value, length)
    assert json.loads(text) == clean(value, length)
    # 6 characters at most for one escaped; markers, keys and punctuation of 1000 entries.
    assert len(text.encode()) <= 6 * 4 * 16 * length + 1001 * 400


@example(path=["text"] * 5, key="token", noise=None)
@example(path=["pair"] + ["text"] * 6, key="token", noise=None)
@given(
    path=st.lists(st.sampled_from(["list", "dict", "tuple", "record", "text", "pair"]), max_size=8),
    key=st.sampled_from(SENSITIVE),
    noise=VALUES,
)
def test_a_canary_under_a_sensitive_key_never_shows(path: list[str], key: str, noise: object) -> None:
    """However deep and in whatever shape the sensitive key stands, its value is not in the result."""
    value: object = {key: CANARY, "noise": noise}
    for step in path:
        value = _wrapped(step, value, key)
    assert CANARY not in to_json(value, 500)


def _wrapped(step: str, value: object, key: str) -> object:
    shapes: dict[str, object] = {
        "list": [value],
        "dict": {"a": value, key: CANARY},
        "tuple": (1, value, 2),
        "record": Plain(value),
        "pair": [(key, CANARY), value],
    }
    if step == "text":
        try:
            return json.dumps(value)
        except (TypeError, ValueError):
            return [value]
    return shapes[step]
