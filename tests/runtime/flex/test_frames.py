"""Frames as they are stored and sent."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_agents.runtime.flex.facets import FACETS, Provenance
from otel_agents.runtime.flex.frames import FRAME_TYPES, Frame, frame_schema, timestamp
from otel_agents.runtime.flex.schema import Schema
from tests.runtime.flex.documents import JSON, UNTIMED

MOMENT = datetime(2026, 11, 27, 14, 50, 32, 123_456, tzinfo=UTC)


def test_a_timestamp_is_utc_with_milliseconds() -> None:
    """Whatever zone a moment is given in."""
    east = MOMENT.astimezone(timezone(timedelta(hours=5)))

    assert timestamp(MOMENT) == timestamp(east) == "2026-11-27T14:50:32.123Z"
    assert timestamp(MOMENT.replace(microsecond=0)) == "2026-11-27T14:50:32.000Z"


def test_a_frame_is_sent_in_the_order_of_the_contract() -> None:
    """Known fields in camelCase, unknown ones left out."""
    frame = Frame(
        run_id="r",
        seq=7,
        type="node_complete",
        correlation_id="c",
        timestamp=timestamp(MOMENT),
        plan_version=2,
        node_id="research",
        capability_id="research",
        facet_provenance=Provenance((FACETS["objective"],), (FACETS["research"],)).as_dict(),
        status="ok",
        duration_ms=0.0,
        payload={"kind": "tool", "attempts": 1},
    )

    assert list(frame.as_dict().items()) == [
        ("id", "r:7"),
        ("type", "node_complete"),
        ("timestamp", "2026-11-27T14:50:32.123Z"),
        ("runId", "r"),
        ("correlationId", "c"),
        ("runtime", "flex"),
        ("planVersion", 2),
        ("nodeId", "research"),
        ("capabilityId", "research"),
        (
            "facetProvenance",
            {
                "input": [{"facet": "objective", "title": "Objective", "direction": "input", "pointer": "/objective"}],
                "output": [{"facet": "research", "title": "Research", "direction": "output", "pointer": "/research"}],
            },
        ),
        ("status", "ok"),
        ("durationMs", 0.0),
        ("payload", {"kind": "tool", "attempts": 1}),
    ]
    assert Schema(frame_schema()).details(frame.as_dict()) == ()


@UNTIMED
@given(
    st.builds(
        Frame,
        run_id=st.text(min_size=1),
        type=st.sampled_from(sorted(FRAME_TYPES)),
        correlation_id=st.text(),
        seq=st.integers(0, 10**9),
        plan_version=st.none() | st.integers(1, 9),
        node_id=st.none() | st.text(),
        duration_ms=st.none() | st.floats(0, 1e9),
        payload=st.dictionaries(st.text(), JSON),
        message=st.none() | st.text(),
    )
)
def test_a_frame_comes_back_from_what_was_sent(frame: Frame) -> None:
    """Also when the run id itself has colons."""
    assert repr(Frame.from_dict(frame.as_dict())) == repr(frame)


def test_a_frame_gets_its_place_by_replacing_it() -> None:
    """A frame never changes; one with its number is another one."""
    frame = Frame(run_id="r", type="log", correlation_id="c", message="hello")

    assert replace(frame, seq=3).id == "r:3"
    assert frame.id == "r:0"


@pytest.mark.parametrize("name", sorted(FRAME_TYPES))
def test_the_schema_knows_what_each_payload_holds(name: str) -> None:
    """A frame without a field that its type always has is not valid."""
    schema, always = Schema(frame_schema()), FRAME_TYPES[name].always
    frame = Frame(run_id="r", type=name, correlation_id="c", payload=dict.fromkeys(always))

    assert schema.details(frame.as_dict()) == ()
    wrong = schema.details(replace(frame, payload={}).as_dict())
    assert [detail.path for detail in wrong] == (["/payload"] if always else [])
