"""The envelope: fields, ids and a JSON form that nothing can break."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_agents.bus.event import Event, next_id, rfc3339
from tests.bus.making import NOON_NS, event

FULL = Event(
    id="run-1:7",
    type="node_complete",
    timestamp_ns=NOON_NS + 5_678_901,
    run_id="run-1",
    correlation_id="corr-1",
    runtime="flex",
    work_order_id="wo-1",
    session_id="session-1",
    channel="mail",
    plan_version=2,
    node_id="node-1",
    capability_id="write",
    facet_provenance={"input": [], "output": []},
    status="ok",
    duration_ms=12.5,
    trace_id="0" * 31 + "1",
    span_id="0" * 15 + "2",
    payload={"kind": "agent", "attempts": 1},
    message="done",
    withheld={"session_id": "canary-session", "sender": "canary-sender"},
)
REQUIRED = {
    "id": "",
    "type": "node_start",
    "timestamp": "2026-01-02T12:00:00.000Z",
    "runId": "run-1",
    "correlationId": "corr-1",
    "runtime": "flex",
    "payload": {},
}


class Hostile:
    """Raises on whatever is asked of it."""

    def __repr__(self) -> NoReturn:
        raise RuntimeError("canary")

    __str__ = __repr__

    def __eq__(self, other: object) -> NoReturn:
        raise RuntimeError("canary")

    __hash__ = None  # type: ignore[assignment]

    def __getattr__(self, name: str) -> NoReturn:
        raise RuntimeError("canary")


class HostileDict(dict[str, object]):
    """Raises when it is read."""

    def items(self) -> NoReturn:
        raise RuntimeError("canary")

    def keys(self) -> NoReturn:
        raise RuntimeError("canary")

    def __iter__(self) -> NoReturn:
        raise RuntimeError("canary")


class HostileMapping(Mapping[str, object]):
    """A mapping that cannot be read."""

    def __getitem__(self, key: str) -> NoReturn:
        raise RuntimeError("canary")

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError("canary")

    def __len__(self) -> int:
        return 1


def _cycle() -> list[object]:
    cycle: list[object] = []
    cycle.append(cycle)
    return cycle


def _deep() -> list[object]:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    return deep


def test_the_json_form_has_the_fields_of_the_contract_in_its_order() -> None:
    """All fields, camelCase, in order; what is withheld is not among them."""
    assert list(FULL.as_dict().items()) == [
        ("id", "run-1:7"),
        ("type", "node_complete"),
        ("timestamp", "2026-01-02T12:00:00.005Z"),
        ("runId", "run-1"),
        ("correlationId", "corr-1"),
        ("runtime", "flex"),
        ("workOrderId", "wo-1"),
        ("sessionId", "session-1"),
        ("channel", "mail"),
        ("planVersion", 2),
        ("nodeId", "node-1"),
        ("capabilityId", "write"),
        ("facetProvenance", {"input": [], "output": []}),
        ("status", "ok"),
        ("durationMs", 12.5),
        ("traceId", "00000000000000000000000000000001"),
        ("spanId", "0000000000000002"),
        ("payload", {"kind": "agent", "attempts": 1}),
        ("message", "done"),
    ]
    assert json.loads(FULL.to_json()) == FULL.as_dict()


def test_what_is_withheld_is_not_shown() -> None:
    """Neither the JSON form nor the repr tells what only an audit sink may see."""
    assert "canary" not in FULL.to_json() + repr(FULL)
    assert repr(FULL) == "Event(id='run-1:7', type='node_complete', run_id='run-1')"


def test_unknown_fields_are_left_out_but_the_payload_is_always_there() -> None:
    """A consumer that knows only type, id, timestamp and payload finds all four."""
    assert event().as_dict() == REQUIRED


def test_falsy_values_are_values() -> None:
    """Zero and the empty string are not taken for unknown."""
    fields = event(duration_ms=0.0, plan_version=0, channel="").as_dict()

    assert (fields["durationMs"], fields["planVersion"], fields["channel"]) == (0.0, 0, "")


def test_the_dictionary_is_a_copy() -> None:
    """Changing the dictionary changes nothing in the event."""
    fields = FULL.as_dict()
    payload = fields["payload"]
    assert isinstance(payload, dict)
    payload["kind"] = "changed"

    assert FULL.payload["kind"] == "agent"


def test_an_event_cannot_be_changed() -> None:
    """No field can be set."""
    with pytest.raises(AttributeError):
        FULL.status = "error"  # type: ignore[misc]


def test_stamping_changes_the_id_only() -> None:
    """The stamped event is an event like the first, under the new id."""
    stamped = FULL.stamped("other")

    assert type(stamped) is Event
    assert stamped == FULL._replace(id="other")


@pytest.mark.parametrize(
    ("time_ns", "expected"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (NOON_NS + 999_999_999, "2026-01-02T12:00:00.999Z"),
        (NOON_NS + 1_000_000, "2026-01-02T12:00:00.001Z"),
    ],
)
def test_timestamps_have_milliseconds_and_are_never_rounded_up(time_ns: int, expected: str) -> None:
    """RFC 3339 in UTC, cut to the millisecond."""
    assert rfc3339(time_ns) == expected


@pytest.mark.parametrize(
    ("make", "shown"),
    [
        (Hostile, "<tests.bus.test_event.Hostile>"),
        (lambda: HostileDict(a=1), {"a": 1}),
        (lambda: {1: "one", (2, 3): "pair"}, {"1": "one", "<tuple>": "pair"}),
        (lambda: [float("nan"), float("inf")], ["nan", "inf"]),
        (_cycle, ["<cycle>"]),
        (lambda: object, "<object>"),
        (lambda: b"\xff", "<1 bytes>"),
        (lambda: {1}, [1]),
    ],
)
def test_a_payload_that_json_cannot_hold_is_cut_to_what_it_can(make: Callable[[], object], shown: object) -> None:
    """The frame stays valid JSON, the rest of it is untouched, and nothing of the value's own code shows."""
    text = event(payload={"value": make(), "kept": 1}).to_json()

    assert json.loads(text) == {**REQUIRED, "payload": {"value": shown, "kept": 1}}


@pytest.mark.parametrize("make", [_deep, lambda: 10**6000], ids=["deep", "long"])
def test_a_value_without_end_does_not_break_the_frame(make: Callable[[], object]) -> None:
    """A nest too deep and a number too long leave a frame that can be read."""
    fields = json.loads(event(payload={"value": make()}).to_json())

    assert fields["type"] == "node_start"
    assert list(fields["payload"]) == ["value"]


def test_a_payload_that_cannot_be_read_is_named() -> None:
    """The payload is still an object."""
    fields = json.loads(event(payload=HostileMapping()).to_json())

    assert fields["payload"] == {"unreadable": "tests.bus.test_event.HostileMapping"}


def test_any_mapping_may_be_a_payload() -> None:
    """A read-only view is written as an object, also beside a value that JSON cannot hold."""
    payload = MappingProxyType({"value": float("nan"), "kept": 1})

    assert json.loads(event(payload=payload).to_json())["payload"] == {"value": "nan", "kept": 1}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_what_json_can_hold_comes_through_unchanged(payload: dict[str, object]) -> None:
    """Plain payloads survive the round trip, in one line of ASCII."""
    text = event(payload=payload).to_json()

    assert json.loads(text)["payload"] == payload
    assert text.isascii()
    assert text.isprintable()


@pytest.mark.parametrize("text", ["\ud800", "line\nfeed\r\u2028", "\x00"])
def test_no_text_breaks_a_frame_into_lines_or_bytes_that_cannot_be_encoded(text: str) -> None:
    """Half surrogates and line ends are escaped."""
    frame = event(payload={"value": text}).to_json()

    assert len(frame.splitlines()) == 1
    assert json.loads(frame.encode())["payload"] == {"value": text}


def test_ids_sort_as_strings_in_the_order_they_were_made() -> None:
    """Beyond the digits that a number begins with, too."""
    ids = [next_id() for _ in range(5000)]

    assert ids == sorted(ids)
    assert {len(one) for one in ids} == {32}


def test_ids_are_unique_across_threads() -> None:
    """No two threads get the same id."""
    made: list[str] = []
    threads = [threading.Thread(target=lambda: made.extend(next_id() for _ in range(2000))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(made)) == 8000
