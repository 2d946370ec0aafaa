"""Attributes reach signals encodable, bounded and without content that nobody asked for."""

from __future__ import annotations

import pytest

from otel_agents.cleaning import Cleaner
from otel_agents.content import Capture
from otel_agents.semconv import agents as a
from otel_agents.semconv.agents import FLEX_ERROR_MESSAGE, FLEX_NODE_ID

OFF, ON = Cleaner(Capture()).clean, Cleaner(Capture(spans=True, length=300)).clean


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("node-1", "node-1"),
        (True, True),
        (2**63 - 1, 2**63 - 1),
        (2**63, "9223372036854775808"),
        ("lone \ud800", "lone ?"),
        ("für", "für"),
        ("x" * 257, "x" * 255 + "…"),
    ],
    ids=range(7),
)
def test_identifiers_are_values_that_every_exporter_can_encode(given: object, kept: object) -> None:
    """Small ASCII text, flags and 64-bit numbers pass; the rest is made to fit, so that no batch is lost by it."""
    assert OFF({FLEX_NODE_ID: given}) == {FLEX_NODE_ID: kept}


@pytest.mark.parametrize("nothing", [None, object(), [1]])
def test_what_is_no_identifier_is_left_out(nothing: object) -> None:
    """An object without a text of its own makes no attribute."""
    assert OFF({FLEX_NODE_ID: nothing}) == {}


def test_content_is_left_out_unless_captured() -> None:
    """An attribute that is content appears only when some signal may have it."""
    assert OFF({FLEX_ERROR_MESSAGE: "text"}) == {}
    assert ON({FLEX_ERROR_MESSAGE: "text"}) == {FLEX_ERROR_MESSAGE: "text"}


def test_captured_text_is_redacted_and_cut_however_short() -> None:
    """Secrets in content go, in short text as in long, and a cut is marked."""
    assert ON({FLEX_ERROR_MESSAGE: "bad password=abc"}) == {FLEX_ERROR_MESSAGE: "bad password=[redacted]"}
    assert ON({FLEX_ERROR_MESSAGE: "y" * 301}) == {FLEX_ERROR_MESSAGE: "y" * 300 + "… [cut, 301 in all]"}


@pytest.mark.parametrize(
    ("name", "given", "kept"),
    [
        (
            a.FLEX_PLAN_NODES,
            [{"id": 1, "capabilityId": "c", "label": "l", "prompt": "canary"}, {"id": {"x": "canary"}}, "canary"],
            '[{"id":1,"capabilityId":"c","label":"l"},{}]',
        ),
        (a.FLEX_PLAN_NODES, '[{"id":"a","prompt":"canary"}]', '[{"id":"a"}]'),
        (a.FLEX_PLAN_NODES, [], "[]"),
        (
            a.FLEX_ITERATION_GATE_RESULTS,
            [{"gate": "g", "passed": True, "output": "canary"}],
            '[{"gate":"g","passed":true}]',
        ),
        (a.FLEX_ITERATION_PHASE_TIMINGS, {"build": 1.5, "note": "canary"}, '{"build":1.5}'),
        (a.FLEX_RUN_METRICS, {"n": 1, "by": {"p": 2, "x": "canary"}, "y": ["canary"]}, '{"n":1,"by":{"p":2}}'),
    ],
)
def test_of_a_table_only_its_columns_are_kept(name: str, given: object, kept: str) -> None:
    """What a program has beside them, such as the prompt of a node, was not asked for, whatever is captured."""
    assert OFF({name: given}) == ON({name: given}) == {name: kept}


@pytest.mark.parametrize("given", ["canary", '"canary"', {"id": "canary"}, object()])
def test_what_is_no_table_is_left_out(given: object) -> None:
    """A value of another shape is none, also as JSON text."""
    assert OFF({a.FLEX_PLAN_NODES: given}) == {}
