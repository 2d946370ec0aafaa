"""Exceptions are told by type and stack alone."""

from __future__ import annotations

import json

import pytest

from otel_agents.content import exception_frames, type_name
from tests.content.material import CANARY, Plain


def test_type_names_are_qualified_unless_builtin() -> None:
    """`error.type` is the class with its module, builtins bare, whatever the class says of itself."""
    assert type_name(ValueError(CANARY)) == "ValueError"
    assert type_name(json.JSONDecodeError("m", "d", 0)) == "json.decoder.JSONDecodeError"
    assert type_name(Plain) == "tests.content.material.Plain"
    assert len(type_name(type("N" * 999, (), {}))) == 256


def _chain() -> BaseException:
    try:
        try:
            raise KeyError(CANARY)
        except KeyError as cause:
            raise RuntimeError(CANARY) from cause
    except RuntimeError as exc:
        return exc


def test_frames_show_stack_and_types_of_the_chain_alone() -> None:
    """The interpreter's layout, without messages, source lines and locals."""
    line = _chain.__code__.co_firstlineno
    assert exception_frames(_chain()) == (
        "Traceback (most recent call last):\n"
        f'  File "{__file__}", line {line + 3}, in _chain\n'
        "KeyError\n"
        "\nThe above exception was the direct cause of the following exception:\n\n"
        "Traceback (most recent call last):\n"
        f'  File "{__file__}", line {line + 5}, in _chain\n'
        "RuntimeError\n"
    )


def test_frames_are_limited_to_the_innermost() -> None:
    """Of a deep stack the frames next to the failure stay, and the number of the others."""

    def sink(depth: int) -> None:
        if depth == 0:
            raise ValueError
        sink(depth - 1)

    with pytest.raises(ValueError) as caught:
        sink(40)
    lines = exception_frames(caught.value, 3).splitlines()
    assert lines[1] == "  ... 39 frames left out"
    assert (len(lines), lines[-1]) == (6, "ValueError")
    assert exception_frames(ValueError(CANARY)) == "ValueError\n"


def test_frames_of_a_looped_chain_and_a_group_end() -> None:
    """A chain that loops is followed once; a group names the types inside it."""
    first, second = ValueError(CANARY), KeyError(CANARY)
    first.__cause__, second.__cause__ = second, first
    assert exception_frames(first).count("ValueError") == 1
    group = ExceptionGroup(CANARY, [ValueError(CANARY) for _ in range(10)])
    assert exception_frames(group) == f"ExceptionGroup ({', '.join(['ValueError'] * 8)}, +2 more)\n"
