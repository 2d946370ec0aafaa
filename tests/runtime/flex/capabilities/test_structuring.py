"""Answers in the caller's shape: found by name, made to fit, never invented."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_agents.runtime.flex.capabilities import CapabilityError, Task
from otel_agents.runtime.flex.capabilities.structuring import structure
from otel_agents.runtime.flex.facets import ContextBundle
from otel_agents.runtime.flex.problem import FlexError
from otel_agents.runtime.flex.schema import Schema
from tests.runtime.flex.documents import JSON, UNTIMED, taken

DRAFTS = [
    {
        "variant": 1,
        "style": "list",
        "headline": "One",
        "body": "First body.",
        "hashtags": ["#A", "#B"],
        "callToAction": "Go.",
    },
    {
        "variant": 2,
        "style": "story",
        "headline": "Two",
        "body": "Second body.",
        "hashtags": ["#C"],
        "callToAction": "Go.",
    },
]
FACETS: dict[str, Any] = {
    "objective": "Write it",
    "inputs": {"campaign": "Spring", "budget": 12.5, "regions": ["EU", "US"]},
    "research": {"topic": "Fleet", "facts": ["It is fast.", "It is small."], "audience": "engineers", "tone": "bold"},
    "drafts": DRAFTS,
    "review": {
        "scores": [
            {"variant": 1, "score": 60.0, "findings": ["is short"]},
            {"variant": 2, "score": 90.0, "findings": []},
        ],
        "best": 2,
        "summary": "Two is best.",
    },
    "forecast": {"temperature": 21},
}


def _answer(schema: dict[str, Any], facets: dict[str, Any] = FACETS) -> Any:
    bundle = ContextBundle("Write it", {**facets, "output_contract": schema}, (), {})
    return structure(Task("r", "n", 1, bundle))["structured_output"]


def _object(*required: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required or properties)}


TEXT = {"type": "string"}


@pytest.mark.parametrize(
    ("schema", "answer"),
    [
        # Names, in any spelling and with other words for the same.
        (_object(headline=TEXT, body=TEXT), {"headline": "Two", "body": "Second body."}),
        (_object(Title=TEXT, main_text=TEXT, CTA=TEXT), {"Title": "Two", "main_text": "Second body.", "CTA": "Go."}),
        (_object(bestVariant={"type": "integer"}, count={"type": "integer"}), {"bestVariant": 2, "count": 2}),
        (_object(campaign=TEXT, budget={"type": "number"}), {"campaign": "Spring", "budget": 12.5}),
        (_object(temperature={"type": "integer"}), {"temperature": 21}),
        (_object(topic=TEXT, tone={"enum": ["calm", "Bold"]}), {"topic": "Fleet", "tone": "Bold"}),
        # Inside of another object, and inside of a list.
        (_object(post=_object(headline=TEXT, summary=TEXT)), {"post": {"headline": "Two", "summary": "Two is best."}}),
        (_object(meta=_object(audience=TEXT)), {"meta": {"audience": "engineers"}}),
        (
            _object(
                options={"type": "array", "items": _object("id", id={"type": "integer"}, rank={"type": "integer"})}
            ),
            {"options": [{"id": 1, "rank": 2}, {"id": 2, "rank": 1}]},
        ),
        (
            _object(posts={"type": "array", "items": TEXT}),
            {"posts": ["One\n\nFirst body.\n\n#A #B", "Two\n\nSecond body.\n\n#C"]},
        ),
        ({"type": "array", "items": TEXT}, []),
        # Made to fit.
        (_object(score={"type": "number", "maximum": 1}), {"score": 0.9}),
        (_object(score={"type": "integer", "minimum": 1, "maximum": 5}), {"score": 5}),
        (_object(score={"type": "integer", "exclusiveMaximum": 90}), {"score": 89}),
        (_object(headline={"type": "string", "maxLength": 2}), {"headline": "T…"}),
        (_object(hashtags={"type": "array", "items": {"pattern": "^[a-z]$", "type": "string"}}), {"hashtags": ["c"]}),
        (_object(hashtags=TEXT), {"hashtags": "#C"}),
        (_object(facts=TEXT), {"facts": "It is fast. It is small."}),
        (_object(facts={"type": "array", "items": TEXT, "maxItems": 1}), {"facts": ["It is fast."]}),
        (_object(topic={"type": "array", "items": TEXT}), {"topic": ["Fleet"]}),
        (_object(topic={"type": ["null", "string"]}), {"topic": "Fleet"}),
        # What is not known: the default, else the most neutral that is allowed; nothing when it is not required.
        (_object(author=TEXT), {"author": ""}),
        (_object(author={"type": "string", "minLength": 1}), {"author": "unknown"}),
        (_object(author={"type": "string", "default": "the team"}), {"author": "the team"}),
        (_object(author={"type": ["string", "null"]}), {"author": ""}),
        (_object(pages={"type": "integer", "minimum": 3}, done={"type": "boolean"}), {"pages": 3, "done": False}),
        (_object(kind={"enum": ["a", "b"]}, version={"const": 7}), {"kind": "a", "version": 7}),
        (_object("topic", topic=TEXT, author=TEXT), {"topic": "Fleet"}),
        (_object(nothing={"type": "null"}), {"nothing": None}),
        ({"required": ["topic"], "additionalProperties": {"type": "string"}}, {"topic": "Fleet"}),
        # References, branches, all of several.
        ({"$defs": {"t": TEXT}, **_object(topic={"$ref": "#/$defs/t"})}, {"topic": "Fleet"}),
        (
            _object(topic={"oneOf": [{"type": "integer", "minimum": 5}, {"type": "string", "minLength": 3}]}),
            {"topic": "Fleet"},
        ),
        ({"allOf": [_object(topic=TEXT), _object(tone=TEXT)]}, {"topic": "Fleet", "tone": "bold"}),
        (
            _object(pair={"type": "array", "prefixItems": [TEXT, {"type": "integer"}], "items": False}),
            {"pair": ["", 0]},
        ),
    ],
)
def test_an_answer_is_found_and_made_to_fit(schema: dict[str, Any], answer: Any) -> None:
    """Each of these is valid as well."""
    assert _answer(schema) == answer
    assert Schema(schema).details(answer) == ()


def test_a_schema_that_refers_to_itself_ends() -> None:
    """What is required of itself without end cannot be given; validation says so."""
    tree = {"type": "object", "properties": {"child": {"$ref": "#"}}, "required": ["child"]}

    assert Schema(tree).details(_answer(tree)) != ()
    assert _answer({**tree, "required": []}) == {}


def test_an_answer_has_a_size() -> None:
    """A contract for millions of values is refused at once, and trying again would not help."""
    with pytest.raises(CapabilityError) as caught:
        _answer({"type": "array", "minItems": 1000, "items": {"type": "array", "minItems": 1000, "items": {}}})
    assert not caught.value.retryable


def test_without_any_work_before_the_inputs_are_arranged() -> None:
    """Structuring alone is of use, too."""
    facets = {"objective": "x", "inputs": {"a": 1}, "constraints": {}}

    assert _answer(_object(a={"type": "integer"}, summary=TEXT), facets) == {"a": 1, "summary": "x"}


NAMES = ["headline", "body", "hashtags", "score", "variants", "summary", "topic", "facts", "author", "best", "count"]


def _limited(base: dict[str, Any], **limits: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=limits).map(lambda found: {**base, **found})


LEAVES = st.one_of(
    _limited(TEXT, maxLength=st.integers(7, 50), minLength=st.integers(0, 1)),
    _limited({"type": "integer"}, minimum=st.integers(-5, 5), maximum=st.integers(6, 200)),
    _limited({"type": "number"}, exclusiveMinimum=st.integers(-5, 5), exclusiveMaximum=st.integers(7, 200)),
    _limited({"type": "integer"}, multipleOf=st.sampled_from([1, 2, 5]), minimum=st.integers(0, 30)),
    st.just({"type": "boolean"}),
    st.just({"enum": ["a", "b"]}),
    st.just({"type": ["null", "string"]}),
)
SCHEMAS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(
            lambda properties, extra: {**_object(**properties), "additionalProperties": extra},
            st.dictionaries(st.sampled_from(NAMES), inner, min_size=1, max_size=4),
            st.booleans(),
        ),
        _limited({"type": "array"}, items=inner, minItems=st.integers(0, 3), maxItems=st.integers(3, 5)),
        st.lists(inner, min_size=1, max_size=3).map(lambda branches: {"anyOf": branches}),
    ),
    max_leaves=8,
)


@UNTIMED
@given(SCHEMAS)
def test_common_schemas_get_valid_answers(schema: dict[str, Any]) -> None:
    """Whatever objects, lists, texts, numbers, flags and choices are put together."""
    assert Schema(schema).details(_answer(schema)) == ()


@UNTIMED
@given(
    st.dictionaries(
        st.sampled_from(["properties", "required", "items", "enum", "anyOf", "allOf", "minItems", "type"]), JSON
    )
)
def test_any_valid_schema_gets_an_answer_or_a_refusal(schema: dict[str, Any]) -> None:
    """Valid or not is for validation to say, but no schema breaks the work."""
    if not isinstance(taken(lambda: Schema(schema)), FlexError):
        with suppress(CapabilityError):  # it wants too much
            json.dumps(_answer(schema))
