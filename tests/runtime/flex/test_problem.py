"""Errors as clients get them."""

from __future__ import annotations

import pickle

import pytest

from otel_agents.runtime.flex.problem import CODES, Detail, FlexError, pointer


def test_a_pointer_escapes_what_rfc_6901_says() -> None:
    """Keys with `/` and `~` stay one step; no step at all is the whole."""
    assert pointer("a/b", 0, "~x") == "/a~1b/0/~0x"
    assert pointer() == ""


def test_an_error_says_code_message_and_places() -> None:
    """The body of an answer is the same whatever went wrong, and the code decides the status."""
    error = FlexError("too_deep", "Too deep", [Detail("/a", "is nested too deep")])

    assert error.status == 422
    assert error.as_dict() == {
        "code": "too_deep",
        "message": "Too deep",
        "details": [{"path": "/a", "message": "is nested too deep"}],
    }
    assert str(error) == "Too deep (/a: is nested too deep)"


def test_an_error_comes_back_from_a_store_and_another_process() -> None:
    """What was written is read as the same error."""
    error = FlexError("node_failed", "No", [Detail("", "why")])

    assert FlexError.from_dict(error.as_dict()).as_dict() == error.as_dict()
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.as_dict(), copy.status) == (error.as_dict(), 500)


def test_a_code_of_a_later_version_is_read_as_internal() -> None:
    """A store may have been written by a newer server."""
    assert FlexError.from_dict({"code": "brand_new", "message": "?"}).code == "internal"


def test_details_are_bounded() -> None:
    """However much is wrong, fifty places are told."""
    assert len(FlexError("invalid_envelope", "No", [Detail("", "x")] * 100).details) == 50


def test_a_code_that_is_not_in_the_table_is_a_mistake_of_ours() -> None:
    """Codes are public, so none is made up on the spot."""
    with pytest.raises(KeyError):
        FlexError("made_up", "No")
    assert all(400 <= status <= 599 for status in CODES.values())
