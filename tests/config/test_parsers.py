"""What the text of a setting may be."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_agents.config import SETTINGS, Address, Selection, parsers
from otel_agents.content.capture import Capture


@pytest.mark.parametrize("word", ["1", "true", "YES", "On"])
def test_words_for_true(word: str) -> None:
    """Four words mean true, in any case."""
    assert parsers.boolean(word) is True


@pytest.mark.parametrize("word", ["0", "False", "no", "OFF"])
def test_words_for_false(word: str) -> None:
    """Four words mean false, in any case."""
    assert parsers.boolean(word) is False


@pytest.mark.parametrize(
    ("text", "allowed", "refused", "shown"),
    [
        ("all", {"langgraph", "crewai"}, set(), "all"),
        ("none", set(), {"langgraph"}, "none"),
        ("LangGraph, flex", {"langgraph", "flex"}, {"crewai"}, "flex,langgraph"),
        ("-crewai", {"langgraph"}, {"crewai"}, "-crewai"),
        ("all,-crewai,-flex", {"langgraph"}, {"crewai", "flex"}, "-crewai,-flex"),
        ("openai-agents", {"openai_agents"}, {"flex"}, "openai_agents"),
        ("-openai-agents,", {"flex"}, {"openai_agents"}, "-openai_agents"),
    ],
)
def test_a_selection_allows_what_it_says(text: str, allowed: set[str], refused: set[str], shown: str) -> None:
    """Names are wanted, names with a minus are not, and the selection can be written again."""
    selection = parsers.selection(text)
    assert {name for name in allowed | refused if selection.allows(name)} == allowed
    assert str(selection) == shown
    assert parsers.selection(shown) == selection


@pytest.mark.parametrize("text", ["langgraph,-crewai", "all,flex", ",", "a b", "-", "--flex", "flex;yolo", "../x"])
def test_a_selection_that_says_two_things_is_refused(text: str) -> None:
    """Wanted and unwanted names are not mixed, and names are names."""
    with pytest.raises(ValueError, match=r"^(mixes|has|is an empty)"):
        parsers.selection(text)


def test_a_selection_knows_the_names_that_were_given() -> None:
    """Whoever knows the adapters can tell a misspelt one."""
    assert parsers.selection("-a,-b").named == parsers.selection("a,b").named == {"a", "b"}
    assert Selection().named == frozenset()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("on", Address("127.0.0.1", 9465)),
        ("1", Address("127.0.0.1", 9465)),
        ("off", None),
        ("0", None),
        ("8080", Address("127.0.0.1", 8080)),
        ("localhost", Address("localhost", 9465)),
        ("10.0.0.1:0", Address("10.0.0.1", 0)),
        ("[::1]", Address("::1", 9465)),
        ("[::]:80", Address("::", 80)),
        ("my-host.example:80", Address("my-host.example", 80)),
    ],
)
def test_an_address_may_leave_out_parts(text: str, expected: Address | None) -> None:
    """Host, port or both; words for true and false."""
    assert parsers.address(text) == expected


@pytest.mark.parametrize("text", ["host:", ":80", "host:99999", "a b:80", "http://host:80", "::1", "[::1", "host:-1"])
def test_what_is_no_address_is_refused(text: str) -> None:
    """URLs, bare IPv6 and ports out of range are no addresses."""
    with pytest.raises(ValueError, match=r"^(is no address|has no port)"):
        parsers.address(text)


@pytest.mark.parametrize(
    ("host", "is_loopback"),
    [
        *[(host, True) for host in ("127.0.0.1", "127.8.8.8", "::1", "LocalHost")],
        *[(host, False) for host in ("0.0.0.0", "::", "example.org", "localhost.example.org")],
    ],
)
def test_loopback_is_told_from_the_rest(host: str, *, is_loopback: bool) -> None:
    """Only addresses that other machines cannot reach count as loopback."""
    assert Address(host, 1).is_loopback is is_loopback


@pytest.mark.parametrize("address", [Address("::1", 80), Address("127.0.0.1", 0), Address("h", 65535)])
def test_an_address_can_be_written_again(address: Address) -> None:
    """Its text reads back as the same address."""
    assert parsers.address(str(address)) == address


@pytest.mark.parametrize(("text", "expected"), [("WARN", 30), ("fatal", 50), ("trace", 10), ("0", 0), ("25", 25)])
def test_levels_have_names_and_numbers(text: str, expected: int) -> None:
    """Names of the standard library and of its neighbours, or a number."""
    assert parsers.level(text) == expected


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (parsers.level, "101"),
        (parsers.level, "loud"),
        (parsers.whole(1, 10), "0"),
        (parsers.whole(1, 10), "11"),
        (parsers.whole(1, 10), "1_0"),
        (parsers.whole(1, 10), "٣"),
        (parsers.some_of("a", "b"), "a,c"),
        (parsers.one_of("a", "b"), "c"),
        (parsers.one_of("a", "b"), "off"),
        (parsers.store, "sqlite"),
        (parsers.store, "://x"),
        (parsers.path, "a\0b"),
        (parsers.token, "two words"),
        (parsers.token, "ü"),
        (parsers.key, "x" * 15),
        (parsers.key, "sixteen with one space"),
    ],
)
def test_other_text_is_refused(read: Callable[[str], object], text: str) -> None:
    """Each reader says what the text is not."""
    with pytest.raises(ValueError, match=r"^(is|has) "):
        read(text)


def test_stores_are_memory_or_a_url() -> None:
    """A database URL is kept as it was written."""
    assert parsers.store("Memory") == "memory"
    assert parsers.store("postgresql+psycopg://u:p@h/d") == "postgresql+psycopg://u:p@h/d"


def test_off_words_mean_no_file() -> None:
    """A file that is off is none."""
    assert [parsers.path(word) for word in ("off", "none", "audit.jsonl")] == [None, None, "audit.jsonl"]


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
@given(text=st.text(min_size=1))
def test_a_reader_raises_nothing_but_value_errors(setting: object, text: str) -> None:
    """Any text is either a value or a problem that says what it is not."""
    said = "is read"
    try:
        setting.read(text)  # type: ignore[attr-defined]
    except ValueError as error:
        said = str(error)
    assert said.startswith(("is ", "has ", "mixes "))


@pytest.mark.parametrize("setting", [each for each in SETTINGS if each.default is not None], ids=lambda each: each.name)
def test_the_shown_default_reads_as_the_default(setting: object) -> None:
    """What the docs show as default gives the default."""
    assert setting.read(setting.shown) == setting.default  # type: ignore[attr-defined]


def test_capture_modes_are_those_of_content() -> None:
    """The words of the setting are the words that the policy on content knows."""
    (capture,) = (each for each in SETTINGS if each.name == "capture")
    assert capture.accepts == "`NO_CONTENT`, `SPAN_ONLY`, `EVENT_ONLY` or `SPAN_AND_EVENT`"
    flags = [(each.spans, each.events) for each in map(Capture.of, ("NO_CONTENT", "SPAN_ONLY", "EVENT_ONLY"))]
    assert flags == [(False, False), (True, False), (False, True)]
    assert [capture.read(word.lower()) for word in ("NO_CONTENT", "SPAN_AND_EVENT")] == ["NO_CONTENT", "SPAN_AND_EVENT"]
