"""Facet provenance: names and places, never values."""

from __future__ import annotations

import pytest

from otel_agents.content.facets import facets

ENTRY = {"facet": "brief", "title": "Brief", "direction": "input", "pointer": "/properties/brief"}


def test_only_the_four_fields_of_an_entry_are_kept() -> None:
    """Whatever else stands in an entry or beside the two sides is left out."""
    given = {"input": [ENTRY | {"value": "s3cret", "example": {"a": 1}}], "output": [], "values": ["s3cret"]}
    assert facets(given) == (
        '{"input":[{"facet":"brief","title":"Brief","direction":"input","pointer":"/properties/brief"}],"output":[]}'
    )


@pytest.mark.parametrize("pointer", ["", "/", "/a/b", "#/a"])
def test_a_json_pointer_is_kept(pointer: str) -> None:
    """A pointer into a schema may be empty, absolute or a fragment."""
    assert facets({"output": [{"pointer": pointer}]}) == f'{{"input":[],"output":[{{"pointer":"{pointer}"}}]}}'


@pytest.mark.parametrize("value", ["ada@example.org", "42", 42, ["/a"], {"a": "/a"}])
def test_a_pointer_that_is_none_is_left_out(value: object) -> None:
    """What stands where a pointer should be may be the value itself."""
    assert facets({"input": [{"facet": "mail", "pointer": value}]}) == '{"input":[{"facet":"mail"}],"output":[]}'


def test_json_text_is_read_the_same_way() -> None:
    """An orchestrator may keep its facets as text."""
    assert facets('{"input":[{"facet":"mail","value":"x"}]}') == '{"input":[{"facet":"mail"}],"output":[]}'


@pytest.mark.parametrize(
    "value", ["free text", "[1]", "", 7, None, [], {}, {"input": "free text"}, {"input": ["free text", 1, {}]}]
)
def test_nothing_of_that_shape_is_nothing(value: object) -> None:
    """Text and values in the place of facets are not recorded at all."""
    assert facets(value) is None
