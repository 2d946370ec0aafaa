"""Envelopes: read strictly, with every problem in its place."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_agents.runtime.flex.document import MAX_BYTES, MAX_DEPTH, read_document
from otel_agents.runtime.flex.envelope import TaskEnvelope, envelope_schema, read_envelope
from otel_agents.runtime.flex.problem import FlexError
from otel_agents.runtime.flex.schema import Schema
from tests.runtime.flex.documents import JSON, POST, UNTIMED, taken

FULL: dict[str, Any] = {
    **POST,
    "policies": {
        "planner": {"variants": 4, "require": ["research"], "forbid": ["x"], "maxNodes": 20},
        "runtime": [
            {
                "id": "ask",
                "trigger": {
                    "kind": "onNodeComplete",
                    "selector": {"nodeId": "n", "capabilityId": "research", "kind": "tool"},
                    "condition": {"<": [{"var": "output.score"}, 50]},
                },
                "action": {"type": "hitl", "prompt": "Good?", "expiresInSeconds": 60, "maxTimes": 2},
            },
            {"id": "again", "trigger": {"kind": "onValidationFail"}, "action": {"type": "replan"}},
            {"id": "stop", "trigger": {"kind": "onTimeout"}, "action": {"type": "fail", "message": "late"}},
            {"id": "wait", "trigger": {"kind": "onStart"}, "action": {"type": "pause"}},
            {"id": "back", "trigger": {"kind": "manual"}, "action": {"type": "goto", "node": "research"}},
            {"id": "say", "trigger": {"kind": "onStart"}, "action": {"type": "emit", "message": "hello"}},
        ],
    },
    "constraints": {
        "timeoutSeconds": 60,
        "nodeTimeoutSeconds": 5.5,
        "maxAttempts": 2,
        "concurrency": 3,
        "region": "EU",
        "nothing": None,
    },
    "specialInstructions": "Be brief",
    "metadata": {"correlationId": "c-1", "clientId": "web", "runLabel": "Spring launch"},
}


def _refused(document: object) -> FlexError:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    with pytest.raises(FlexError) as caught:
        read_envelope(body)
    return caught.value


def _paths(document: object) -> dict[str, str]:
    return {detail.path: detail.message for detail in _refused(document).details}


def test_every_field_of_the_contract_is_read() -> None:
    """Policies of each action, limits, free constraints, one instruction as text."""
    envelope = read_envelope(json.dumps(FULL).encode())

    assert envelope.special_instructions == ("Be brief",)
    assert envelope.constraints.free == {"region": "EU", "nothing": None}
    assert (envelope.constraints.timeout_seconds, envelope.constraints.max_attempts) == (60.0, 2)
    assert [policy.action.type for policy in envelope.policies.runtime] == [
        "hitl",
        "replan",
        "fail",
        "pause",
        "goto",
        "emit",
    ]
    assert [policy.action.max_times for policy in envelope.policies.runtime] == [2, 1, 1, 1, 1, 100]
    assert envelope.metadata.run_label == "Spring launch"


def test_a_stored_envelope_is_the_same_envelope() -> None:
    """What `dump` writes is JSON, and `load` makes the same of it."""
    envelope = read_envelope(FULL)
    stored = json.loads(json.dumps(envelope.dump()))

    assert TaskEnvelope.load(stored) == envelope
    assert TaskEnvelope.load(read_envelope({"objective": "x"}).dump()) == read_envelope({"objective": "x"})


def test_the_published_schema_takes_what_is_read() -> None:
    """Clients can check before they send."""
    schema = Schema(envelope_schema())

    assert schema.details(FULL) == ()
    assert {detail.path for detail in schema.details({"objective": 3, "foo": 1})} == {"/objective", "/foo"}


def test_whole_numbers_may_be_written_as_json_schema_allows() -> None:
    """2.0 is 2, as the published schema says; 2.5 and true are none, and 11.0 is too large."""
    sent = {"objective": "x", "constraints": {"maxAttempts": 2.0}, "policies": {"planner": {"variants": 3.0}}}
    schema = Schema(envelope_schema())

    envelope = read_envelope(json.dumps(sent).encode())
    assert (envelope.constraints.max_attempts, envelope.policies.planner.variants) == (2, 3)
    assert schema.details(sent) == ()
    for wrong in (2.5, True, 11.0):
        document = {"objective": "x", "constraints": {"maxAttempts": wrong}}
        assert _paths(document).keys() == {"/constraints/maxAttempts"}
        assert [detail.path for detail in schema.details(document)] == ["/constraints/maxAttempts"]


def test_each_problem_has_its_place_in_what_was_sent() -> None:
    """Pointers lead to the caller's own keys, also inside of an action, and values are not repeated."""
    bad = {
        "objective": 3,
        "foo": 1,
        "constraints": {"maxAttempts": "3", "timeoutSeconds": True},
        "policies": {
            "planner": {"require": ["a", 1, "a b"]},
            "runtime": [
                {"id": "p", "trigger": {"kind": "x"}, "action": {"type": "replan", "maxTimes": 0, "q": 1}},
                {"id": "q", "trigger": {"kind": "onStart"}, "action": {"type": "s3cret"}},
                {"id": "r", "trigger": {"kind": "onStart"}, "action": {"type": "goto"}},
            ],
        },
        "metadata": {"correlationId": "a\nb"},
    }

    assert set(_paths(bad)) == {
        "/objective",
        "/foo",
        "/constraints/timeoutSeconds",
        "/constraints/maxAttempts",
        "/policies/planner/require/1",
        "/policies/planner/require/2",
        "/policies/runtime/0/trigger/kind",
        "/policies/runtime/0/action/maxTimes",
        "/policies/runtime/0/action/q",
        "/policies/runtime/1/action",
        "/policies/runtime/2/action/node",
        "/metadata/correlationId",
    }
    assert "s3cret" not in str(_refused(bad))


@pytest.mark.parametrize(
    ("body", "code", "path"),
    [
        (b"", "invalid_json", ""),
        (b"{", "invalid_json", ""),
        (b"\xff\xfe", "invalid_json", ""),
        (b'{"objective": "x", "objective": "y"}', "invalid_json", ""),
        (b'{"objective": "x", "inputs": {"a": NaN}}', "invalid_json", "/inputs/a"),
        (b'{"objective": "x", "inputs": {"a": [1e999]}}', "invalid_json", "/inputs/a/0"),
        (b'{"objective": "\\ud800"}', "invalid_json", "/objective"),
        (b'{"objective": "a\\u0000"}', "invalid_json", "/objective"),
        (b'{"objective": "x", "inputs": {"a": ' + b"9" * 5000 + b"}}", "invalid_json", ""),
        (b'{"objective": "x", "inputs": {"a": ' + b"9" * 4000 + b"}}", "invalid_json", "/inputs/a"),
        (b"[" * 100_000, "too_deep", ""),
        (b'{"objective": "' + b"x" * 10_000_000 + b'"}', "too_large", None),
        (b'{"objective": "' + b"x" * 4001 + b'"}', "invalid_envelope", "/objective"),
        (b"[1]", "invalid_envelope", ""),
        (b"{}", "invalid_envelope", "/objective"),
        (b'{"objective": ""}', "invalid_envelope", "/objective"),
    ],
)
def test_bodies_that_are_no_envelope_are_refused_with_a_code(body: bytes, code: str, path: str | None) -> None:
    """Malformed, not UTF-8, a key twice, numbers that JSON has not, too large, too deep."""
    error = _refused(body)

    assert error.code == code
    assert [detail.path for detail in error.details] == ([] if path is None else [path])


def test_depth_has_a_limit() -> None:
    """As many levels as the limit says are read, one more is not."""

    def nested(levels: int) -> dict[str, Any]:
        value: Any = 1
        for _ in range(levels):
            value = {"a": value}
        return {"objective": "x", "inputs": value}

    read_envelope(nested(MAX_DEPTH - 1))
    error = _refused(nested(MAX_DEPTH))
    assert error.code == "too_deep"
    assert error.details[0].path == "/inputs" + "/a" * MAX_DEPTH


def test_a_value_that_is_no_plain_json_is_refused() -> None:
    """Whoever calls from Python gets the same limits."""
    with pytest.raises(FlexError) as caught:
        read_envelope({"objective": "x", "inputs": {"a": {1, 2}, "b": {3: 4}}})
    assert {detail.path for detail in caught.value.details} == {"/inputs/a", "/inputs/b"}

    with pytest.raises(FlexError) as caught:
        read_envelope({"objective": "x", "inputs": {"a": "x" * MAX_BYTES}})
    assert caught.value.code == "too_large"


def test_ids_of_policies_are_unique() -> None:
    """Frames and the manual trigger name a policy by its id."""
    policy = {"id": "p", "trigger": {"kind": "manual"}, "action": {"type": "replan"}}

    assert _paths({"objective": "x", "policies": {"runtime": [policy, policy]}}) == {
        "/policies/runtime/1/id": "is the id of another policy too"
    }
    many = [{**policy, "id": f"p{number}"} for number in range(51)]
    assert list(_paths({"objective": "x", "policies": {"runtime": many}})) == ["/policies/runtime"]


def test_schema_and_conditions_are_compiled_when_the_envelope_is_read() -> None:
    """What could not work later is refused now, with its place."""
    schema = {"properties": {"a": {"$ref": "https://example.org/x"}, "b": {"pattern": "("}}}
    condition = {"and": [True, {"frobnicate": 1}]}
    policy = {"id": "p", "trigger": {"kind": "onStart", "condition": condition}, "action": {"type": "replan"}}

    refused = _refused({"objective": "x", "outputContract": {"mode": "json_schema", "schema": schema}})
    assert refused.code == "invalid_schema"
    assert [detail.path for detail in refused.details] == [
        "/outputContract/schema/properties/a/$ref",
        "/outputContract/schema/properties/b/pattern",
    ]
    refused = _refused({"objective": "x", "policies": {"runtime": [policy]}})
    assert refused.code == "invalid_condition"
    assert [detail.path for detail in refused.details] == ["/policies/runtime/0/trigger/condition/and/1/frobnicate"]


def _pieces(draw: Any) -> dict[str, Any]:
    """Return an envelope whose fields are partly right, partly anything."""
    piece = lambda right: draw(JSON) if draw(st.integers(0, 9)) == 0 else right  # noqa: E731
    action = {"type": piece("hitl"), **draw(st.dictionaries(st.sampled_from(["maxTimes", "prompt", "node"]), JSON))}
    trigger = {"kind": piece("onStart"), "condition": piece({"==": [draw(JSON), 1]})}
    policy = {"id": piece("p"), "trigger": piece(trigger), "action": piece(action)}
    return {
        "objective": piece("x"),
        "inputs": piece({"a": draw(JSON)}),
        "constraints": piece({"maxAttempts": piece(3), "free": draw(JSON)}),
        "policies": piece({"planner": piece({"variants": piece(2)}), "runtime": piece([policy])}),
        "outputContract": piece({"mode": "json_schema", "schema": piece({"properties": {"a": draw(JSON)}})}),
        "specialInstructions": piece(["a"]),
        "metadata": piece({"clientId": piece("c")}),
        **draw(st.dictionaries(st.text(max_size=5), JSON, max_size=1)),
    }


@UNTIMED
@given(st.one_of(JSON, st.composite(_pieces)()))
def test_any_json_is_either_an_envelope_or_refused_with_places(document: object) -> None:
    """Nothing but a FlexError ever comes out, and what is taken survives the store."""
    envelope = taken(lambda: read_envelope(json.dumps(document).encode()))
    if isinstance(envelope, FlexError):
        assert envelope.details
        assert envelope.code in {"invalid_envelope", "invalid_schema", "invalid_condition", "invalid_json", "too_deep"}
    else:
        assert TaskEnvelope.load(json.loads(json.dumps(envelope.dump()))) == envelope


@UNTIMED
@given(st.binary(max_size=60))
def test_any_bytes_are_either_a_document_or_refused(body: bytes) -> None:
    """A body need not even be text."""
    document = taken(lambda: read_document(body))
    assert not isinstance(document, FlexError) or document.code in {"invalid_json", "too_deep"}
