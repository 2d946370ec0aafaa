"""The registry: what may be added, and the contracts that come of it."""

from __future__ import annotations

import pytest

from otel_agents.runtime.flex.capabilities import ANY, Registry
from otel_agents.runtime.flex.capabilities.shipped import shipped
from otel_agents.runtime.flex.facets import Facet
from otel_agents.runtime.flex.problem import Detail, FlexError
from tests.runtime.flex.graphs import capability, registry


def test_capabilities_are_found_by_id_and_by_what_they_give() -> None:
    """In the order in which they were added."""
    own = registry(
        capability("one", ("objective",), ("left",)), capability("two", ("left",), ("right",)), facets=("left", "right")
    )
    own.add(capability("three", (), ("left",)))

    assert [each.id for each in own] == ["one", "two", "three"]
    assert [each.id for each in own.providers("left")] == ["one", "three"]
    assert own.get("two").input == ("left",)
    assert "two" in own
    assert "four" not in own


def test_an_unknown_capability_is_an_error_that_names_the_known_ones() -> None:
    """A client gets it as it is."""
    with pytest.raises(FlexError) as caught:
        registry(capability("one", (), ("draft",))).get("two")

    assert caught.value.as_dict() == {
        "code": "unknown_capability",
        "message": "There is no such capability; there are: one",
        "details": [],
    }


@pytest.mark.parametrize(
    ("added", "message"),
    [
        (capability("research", (), ("draft",)), "there is a capability 'research' already; take another id"),
        (capability("a b", (), ("draft",)), "'a b' is no id: 1 to 100 letters, digits and _ . : -"),
        (capability("x", (), ()), "capability 'x' gives no facet, or names one twice"),
        (capability("x", ("draft",), ("draft",)), "capability 'x' gives no facet, or names one twice"),
        (capability("x", ("left",), ("draft",)), "capability 'x' names facet 'left'; add_facet it first"),
        (capability("x", (), ("drafts",)), "capability 'x' gives 'drafts', which is made elsewhere"),
        (capability("x", (), ("inputs",)), "capability 'x' gives 'inputs', which is made elsewhere"),
    ],
)
def test_a_capability_that_could_not_work_is_refused(added, message) -> None:
    """A mistake at start is told at start, with the fix."""
    with pytest.raises(ValueError) as caught:
        shipped().add(added)
    assert str(caught.value) == message


def test_a_facet_of_ones_own_has_to_be_sound() -> None:
    """Its name is free, what it gathers is there, its schema is one."""
    own = Registry([Facet("row", "Row")])

    with pytest.raises(ValueError, match="there is a facet 'row' already; take another name"):
        own.add_facet(Facet("row", "Row"))
    with pytest.raises(ValueError, match="gathers 'cell', which is not there; add that one first"):
        own.add_facet(Facet("cells", "Cells", gathers="cell"))
    with pytest.raises(FlexError):
        own.add_facet(Facet("bad", "Bad", {"type": "nothing"}))


def test_what_goes_in_and_out_is_held_to_the_facets() -> None:
    """Pointers lead to the facet; what was not asked for is not taken, but for those who take anything."""
    own = Registry([Facet("tree", "Tree", {"type": "object", "properties": {"kids": {"items": {"$ref": "#"}}}})])
    own.add(capability("grow", ("tree",), ("draft",), optional_input=("review",)))
    own.add(capability("take", (), ("post",), optional_input=(ANY,)))

    assert own.input_schema("grow").details({"tree": {"kids": [{}]}}) == ()
    assert own.input_schema("grow").details({"tree": {"kids": [1]}, "x": 1}) == (
        Detail("/tree/kids/0", 'is not of type "object"'),
        Detail("/x", "is not allowed here"),
    )
    assert own.output_schema("grow").details({}) == (Detail("", 'lacks ["draft"]'),)
    assert own.input_schema("take").details({"anything": 1}) == ()
