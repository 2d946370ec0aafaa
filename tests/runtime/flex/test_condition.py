"""JSON Logic conditions: checked once, bounded each time."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given

from otel_agents.runtime.flex.condition import Condition, ConditionError
from otel_agents.runtime.flex.problem import FlexError
from tests.runtime.flex.documents import JSON, UNTIMED, taken

BIG = list(range(100_000))
DATA = {
    "output": {"review": {"score": 42, "tags": ["a", "b"]}},
    "inputs": {"big": BIG, "twin": [*BIG[:-1], -1], "dots": "." * 900_000},
}


FAILURES = {"ZeroDivisionError", "OverflowError", "TypeError", "ValueError", "AttributeError", "RecursionError"}


def _answer(condition: Condition, data: dict[str, Any]) -> str:
    """Return the answer, or why there is none."""
    try:
        return str(condition.holds(data))
    except ConditionError as error:
        return str(error)


@pytest.mark.parametrize(
    ("document", "holds"),
    [
        (True, True),
        (False, False),
        ({"<": [{"var": "output.review.score"}, 50]}, True),
        ({"and": [{"in": ["a", {"var": "output.review.tags"}]}, {"!": [{"var": "output.none"}]}]}, True),
        ({"==": [{"var": "output.review.score"}, "42"]}, True),
        ({"some": [{"var": "output.review.tags"}, {"===": [{"var": ""}, "c"]}]}, False),
        ({"missing": ["output.none"]}, True),
        ({"var": "output.review.tags"}, True),
        ({"if": [{"var": "nothing"}, True, False]}, False),
        ({"<": [{"var": "inputs.big.length"}, 5]}, False),
        ({"in": [99_999, {"var": "inputs.big"}]}, True),
        ({"in": ["..", {"var": "inputs.dots"}]}, True),
    ],
)
def test_a_condition_holds_or_not(document: Any, holds: bool) -> None:
    """Truth is JavaScript's, as JSON Logic says."""
    assert Condition(document).holds(DATA) is holds


@pytest.mark.parametrize(
    ("document", "path"),
    [
        (None, ""),
        ("x", ""),
        (3, ""),
        ([], ""),
        ({}, ""),
        ({"==": [1, 1], "!=": [1, 2]}, ""),
        ({"frobnicate": [1]}, "/frobnicate"),
        ({"log": ["x"]}, "/log"),
        ({"and": [True, {"or": [{"nope": 1}]}]}, "/and/1/or/0/nope"),
        ({"map": [[1, 2], {"filter": [[1], True]}]}, "/map/1/filter"),
    ],
)
def test_what_is_no_condition_is_refused_with_its_place(document: Any, path: str) -> None:
    """No operation, one that is unknown or prints, or loops in loops."""
    with pytest.raises(FlexError) as caught:
        Condition(document)

    assert caught.value.code == "invalid_condition"
    assert [detail.path for detail in caught.value.details] == [path]


@pytest.mark.parametrize(
    "document",
    [
        {"/": [1, 0]},
        {"reduce": [{"var": "inputs.big"}, {"cat": [{"var": "accumulator"}, {"var": "accumulator"}]}, "x"]},
        {"reduce": [{"var": "inputs.big"}, {"*": [{"var": "accumulator"}, 9]}, 9]},
        {"map": [{"var": "inputs.big"}, {"+": [{"var": ""}, 1]}]},
        {"all": [{"var": "inputs.big"}, True]},
        {"or": [{"in": [-1, {"var": "inputs.big"}]}] * 3000},
        {"or": [{"===": [{"var": "inputs.big"}, {"var": "inputs.twin"}]}] * 3000},
        {"map": [[0] * 9000, [[1] * 90_000]]},
        {"or": [{"var": {"var": "inputs.dots"}}] * 9000},
        {"cat": [{"var": "inputs.dots"}] * 200},
    ],
)
def test_operands_that_make_no_sense_and_endless_work_are_told(document: Any) -> None:
    """Whatever the library raises is one error, and nothing grows without end."""
    began = time.monotonic()

    assert _answer(Condition(document), DATA) in FAILURES
    assert time.monotonic() - began < 5


@UNTIMED
@given(JSON, JSON)
def test_any_json_is_either_a_condition_or_refused(document: Any, data: Any) -> None:
    """Neither reading nor asking raises anything else."""
    condition = taken(lambda: Condition(document))
    if isinstance(condition, FlexError):
        assert condition.code == "invalid_condition"
    else:
        assert _answer(condition, {"inputs": data}) in {"True", "False", *FAILURES}


@UNTIMED
@given(JSON, JSON)
def test_operations_on_anything_answer_or_are_told(one: Any, other: Any) -> None:
    """Each operation takes operands of any type without another exception."""
    for name in (
        "==",
        "<",
        "+",
        "-",
        "/",
        "%",
        "in",
        "substr",
        "missing",
        "missing_some",
        "min",
        "merge",
        "var",
        "all",
    ):
        condition = Condition({name: [{"var": "one"}, {"var": "other"}]})
        assert _answer(condition, {"one": one, "other": other}) in {"True", "False", *FAILURES}
