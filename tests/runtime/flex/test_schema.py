"""JSON Schemas of callers: compiled once, bounded, silent about values."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given

from otel_agents.runtime.flex.problem import Detail, FlexError
from otel_agents.runtime.flex.schema import Schema
from otel_agents.runtime.flex.supported import MAX_PATTERN, MAX_SUBSCHEMAS, bad_pattern
from tests.runtime.flex.documents import JSON, UNTIMED, taken


def _refused(document: Any) -> dict[str, str]:
    with pytest.raises(FlexError) as caught:
        Schema(document)
    assert caught.value.code == "invalid_schema"
    return {detail.path: detail.message for detail in caught.value.details}


def test_what_is_wrong_is_told_with_place_and_expectation_only() -> None:
    """The value of the caller stands in no message."""
    schema = Schema(
        {
            "type": "object",
            "properties": {
                "a": {"type": "integer", "minimum": 3},
                "b": {"enum": ["x", "y"]},
                "c": {"type": "array", "uniqueItems": True, "items": {"pattern": "^q"}},
                "d": True,
            },
            "required": ["a", "d"],
            "additionalProperties": False,
        }
    )

    assert schema.details({"a": 1, "b": "s3cret", "c": ["s3cret", "s3cret"], "e": "s3cret"}, "/x") == (
        Detail("/x/a", "is less than 3"),
        Detail("/x/b", 'is none of ["x", "y"]'),
        Detail("/x/c", "has the same item twice"),
        Detail("/x/c/0", 'does not match "^q"'),
        Detail("/x/c/1", 'does not match "^q"'),
        Detail("/x", 'lacks ["d"]'),
        Detail("/x/e", "is not allowed here"),
    )
    assert schema.details({"a": 3, "d": None, "c": ["q", "qq"]}) == ()


def test_details_are_bounded() -> None:
    """A thousand wrong items are fifty details."""
    assert len(Schema({"items": {"type": "string"}}).details([1] * 1000)) == 50


@pytest.mark.parametrize(
    ("document", "path"),
    [
        (True, ""),
        ([], ""),
        ({"type": "foo"}, "/type"),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "/$schema"),
        ({"properties": {"a": {"$ref": "https://example.org/s.json"}}}, "/properties/a/$ref"),
        ({"properties": {"a": {"$ref": "other.json#/x"}}}, "/properties/a/$ref"),
        ({"properties": {"a": {"$ref": "#/$defs/none"}}}, "/properties/a/$ref"),
        ({"allOf": [{"$ref": "#/allOf/x"}]}, "/allOf/0/$ref"),
        ({"properties": {"a": {"$ref": "#none"}}}, "/properties/a/$ref"),
        ({"$ref": "#"}, ""),
        ({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}, ""),
        ({"patternProperties": {"(": {}}}, "/patternProperties"),
        ({"patternProperties": {"a": {}}, "unevaluatedProperties": False}, "/unevaluatedProperties"),
        ({"properties": {str(number): {} for number in range(MAX_SUBSCHEMAS)}}, ""),
    ],
)
def test_a_schema_that_cannot_be_used_is_refused_with_its_place(document: Any, path: str) -> None:
    """No schema at all, another dialect, another document, a reference without end, too large."""
    assert list(_refused(document)) == [path]


def test_a_property_may_be_called_like_a_keyword() -> None:
    """`$ref`, `pattern` and `const` are names like any other where names stand, and data where data stands."""
    schema = Schema(
        {
            "properties": {
                "$ref": {"type": "string"},
                "pattern": {"type": "integer"},
                "const": {"const": {"$ref": "x"}},
            },
            "default": {"$ref": "https://example.org"},
        }
    )

    assert schema.details({"$ref": "a", "pattern": 1, "const": {"$ref": "x"}}) == ()


def test_a_schema_may_refer_to_itself_where_values_end() -> None:
    """A tree is described by a reference to the whole."""
    tree = Schema({"type": "object", "properties": {"children": {"type": "array", "items": {"$ref": "#"}}}})

    assert tree.details({"children": [{"children": []}]}) == ()
    assert [detail.path for detail in tree.details({"children": [{"children": [3]}]})] == ["/children/0/children/0"]


@pytest.mark.parametrize(
    "pattern",
    [r"^\d{4}-\d{2}-\d{2}$", r"^[a-z0-9]+(-[a-z0-9]+)*$", r"^#\w+$", r"\(?\d+\)?", r"^(?!x)(?<year>\d+)", r"\p{Lu}"],
)
def test_common_patterns_are_taken(pattern: str) -> None:
    """Dates, slugs, hashtags, lookahead, named groups and letters of any language."""
    assert bad_pattern(pattern) is None


@pytest.mark.parametrize(
    "pattern",
    [
        "(",
        "a{2,1}",
        "x" * (MAX_PATTERN + 1),
        "((a{1000}){1000}){1000}",
        "(a{0,150}){150}",
        "(?x)#[\n((a{1000}){1000}){1000}#]",
        "(?#[)((a{1000}){1000}){1000}]",
        "(?R)?a",
        "a{99999999999999999999}",
    ],
)
def test_patterns_that_would_cost_too_much_to_compile_are_refused(pattern: str) -> None:
    """Repeats in repeats, also hidden in comments; recursion; nonsense."""
    began = time.monotonic()

    assert _refused({"pattern": pattern}).keys() == {"/pattern"}
    assert time.monotonic() - began < 5


def _doubling() -> dict[str, Any]:
    steps = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(40)}
    return {"$defs": {**steps, "d40": {"type": "string"}}, "$ref": "#/$defs/d0"}


@pytest.mark.parametrize(
    ("document", "value"),
    [
        ({"items": {"pattern": "^(([a-z])+.)+[A-Z]([a-z])+$"}}, ["a" * 3000] * 1000),
        ({"pattern": "(x+x+)+y"}, "x" * 5000),
        ({"patternProperties": {"^(a|aa)+$": {}}}, {"a" * 3000 + "!": 1}),
        ({"uniqueItems": True}, [{"a": number} for number in range(20_000)]),
        ({"items": {"enum": list(range(5000))}}, [-1.5] * 1000 + [5001] * 20_000),
    ],
)
def test_hostile_schemas_cost_bounded_time(document: Any, value: Any) -> None:
    """Catastrophic patterns, references that double, lists that are long: an answer comes within seconds."""
    schema = Schema(document)
    began = time.monotonic()
    details = schema.details(value)

    assert time.monotonic() - began < 10
    assert len(details) <= 50


def test_what_takes_too_much_work_is_invalid() -> None:
    """A value that could not be checked to the end is not taken for valid."""
    too_much = "takes too much work to be checked against the schema"

    assert Schema(_doubling()).details("x") == (Detail("", too_much),)


@UNTIMED
@given(JSON)
def test_any_json_is_either_a_schema_or_refused(document: Any) -> None:
    """Nothing but a FlexError comes out, and a schema answers for any value."""
    schema = taken(lambda: Schema(document))
    if isinstance(schema, FlexError):
        assert schema.code == "invalid_schema"
    else:
        assert isinstance(schema.details({"a": [document]}), tuple)


def test_one_is_one() -> None:
    """1 and 1.0 are the same number to JSON Schema, true is none."""
    schema = Schema({"uniqueItems": True})

    assert schema.details([1, 1.0]) == (Detail("", "has the same item twice"),)
    assert schema.details([1, True, "1"]) == ()
