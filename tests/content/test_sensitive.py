"""Which keys hide secrets, and how they are found in text."""

from __future__ import annotations

import time

import pytest

from otel_agents.content import REDACTED, clean, is_sensitive, redact_text, to_json
from tests.content.material import CANARY, SENSITIVE

HARMLESS = [
    *("name", "author", "tokenizer", "token_count", "prompt_tokens_details", "token_usage", "passed", "compass"),
    *("key", "keys", "secretary", "monkey", "obsession", "", "max_iterations", "authored_by"),
]


@pytest.mark.parametrize("key", SENSITIVE)
def test_sensitive_keys_are_known_in_every_case_style(key: str) -> None:
    """The value is gone under each of them, as text key, as bytes key, in a pair and as a named value."""
    assert is_sensitive(key)
    for shape in ({key: CANARY}, {key.encode(): {"x": CANARY}}, [(key, CANARY)], [[key.encode(), [CANARY]]]):
        assert CANARY not in to_json({"deep": [shape]})
    assert clean([{"name": key, "value": CANARY, "in": "header"}]) == [{"name": key, "value": REDACTED, "in": "header"}]


@pytest.mark.parametrize("key", HARMLESS)
def test_harmless_keys_keep_their_values(key: str) -> None:
    """Words that only look similar are left alone."""
    assert not is_sensitive(key)
    assert clean({key: "v"}) == {key: "v"}


def test_counted_tokens_are_numbers_and_secret_tokens_are_not() -> None:
    """Under a plural key a number is a count, anything else is a secret."""
    value = {"max_tokens": 5, "total_tokens": 7.5, "tokens": ["a"], "access_tokens": "b", "token": 5}
    assert clean(value) == {
        "max_tokens": 5,
        "total_tokens": 7.5,
        "tokens": REDACTED,
        "access_tokens": REDACTED,
        "token": REDACTED,
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"password": "a\\"b", "x": 1}', '{"password": "[redacted]", "x": 1}'),
        (r'{"args": "{\"api_key\": \"abc\", \"q\": 3}"}', r'{"args": "{\"api_key\": \"[redacted]\", \"q\": 3}"}'),
        ("{'author': {'token': 'abc'}, 'n': 1}", "{'author': {'token': '[redacted]'}, 'n': 1}"),
        ("secret={1: 2} and password: x", "secret=[redacted]"),
        ("max_tokens: 100, tokens: abc", "max_tokens: 100, tokens: [redacted]"),
        ("Authorization: Bearer abc\nX: y", "Authorization: [redacted]\nX: y"),
        ("Cookie: a=b; c=d\ntoken=x", "Cookie: [redacted]\ntoken=[redacted]"),
        ("-H 'Authorization: Basic dXNlcg==' http://h", "-H 'Authorization: [redacted]' http://h"),
        ("https://user:pw@host/x?token=abc&y=1", "https://[redacted]@host/x?token=[redacted]&y=1"),
        ("[(b'cookie', b'a=b'), ('token', 'x')]", "[(b'cookie', b'[redacted]'), ('token', '[redacted]')]"),
        (r'{"h": "[[\"token\", \"x\"]]"}', r'{"h": "[[\"token\", \"[redacted]\"]]"}'),
        ('"a token", "the author", 1', '"a token", "the author", 1'),
        ("<secret>abc</secret> <b>c</b>", "<secret>[redacted]</secret> <b>c</b>"),
        ("use sk-abcdefghijklmnop1234 now", "use [redacted] now"),
        ("Incorrect API key: 4f1b. See https://docs", "Incorrect API key: [redacted] See https://docs"),
        ('{"private key": "abc"}', '{"private key": "[redacted]"}'),
        (f"keys AIza{'b' * 35}, glpat-{'c' * 20} hf_{'D4' * 17}", "keys [redacted], [redacted] [redacted]"),
        ("from hf_hub_download_with_progress", "from hf_hub_download_with_progress"),
        ("-----BEGIN RSA PRIVATE KEY-----\nabc", "[redacted]"),
        ("the author: me, a compass: north", "the author: me, a compass: north"),
        ("tell the secret of the token economy", "tell the secret of the token economy"),
    ],
)
def test_secrets_inside_text_are_redacted(text: str, expected: str) -> None:
    """Pairs and known forms of secrets are found in JSON, headers, URLs, markup and assignments."""
    assert redact_text(text) == expected
    assert clean(text) == expected


@pytest.mark.parametrize("cut", range(1, 60))
def test_a_cut_does_not_uncover_a_secret(cut: int) -> None:
    """Wherever the cut falls, no part of the secret is left."""
    shown = clean('{"password": "' + "QZ" * 400 + '", "more": "' + "y" * 600 + '"}', cut)
    assert isinstance(shown, str)
    assert "QZ" not in shown


@pytest.mark.parametrize(
    "piece", ["pass", 'pass"', "token.", 'token:\\"', "://a", "eyJ", "sk-", "\\", '"', "x=", "[{("]
)
def test_redaction_time_grows_with_the_text_only(piece: str) -> None:
    """No text makes the patterns backtrack: ten times the text costs far less than a hundred times the steps."""
    short, long = piece * (2000 // len(piece)), piece * (20_000 // len(piece))
    redact_text(short)
    assert _cpu_s(long) < 40 * _cpu_s(short) + 0.05


def _cpu_s(text: str) -> float:
    def once() -> float:
        began_s = time.process_time()
        redact_text(text)
        return time.process_time() - began_s

    return min(once() for _ in range(3))
