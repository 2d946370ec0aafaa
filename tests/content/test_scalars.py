"""Identifiers fit an attribute, and hashes need their key."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_agents.content import hashed, scalar
from tests.content.material import VALUES, Colour

_SURROGATES = st.text(st.characters(codec=None), max_size=40)


@given(value=VALUES | _SURROGATES)
def test_any_scalar_fits_an_attribute(value: object) -> None:
    """An identifier is None, a flag, a 64-bit number or at most 256 encodable characters."""
    found = scalar(value)
    assert type(found) in (type(None), bool, int, float, str)
    if type(found) is int:
        assert -(2**63) <= found < 2**63
    if type(found) is str:
        assert len(found) <= 256
        found.encode()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a", "a"),
        ("", ""),
        ("x" * 300, "x" * 255 + "…"),
        (True, True),
        (3, 3),
        (2**70, str(2**70)),
        (float("inf"), "inf"),
        (b"id-1", "id-1"),
        (Colour.RED, "red"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ([1], None),
        (object(), None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_scalar_is_the_value_or_nothing(value: object, expected: object) -> None:
    """Identifiers keep their type; what has no text of its own is None."""
    found = scalar(value)
    assert (found, type(found)) == (expected, type(expected))


def test_a_hash_needs_its_key() -> None:
    """Equal values match under one key, differ under another, and do not show."""
    assert hashed("session-1", b"k") == "9dc9dd74bb4052cd"
    assert hashed("session-1", b"k") != hashed("session-1", b"other")
    assert hashed("\ud800", b"k") != hashed("?", b"k")
