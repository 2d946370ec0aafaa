"""Which rule a message fits, and why it fits none."""

from __future__ import annotations

import dataclasses

import pytest

from otel_agents.runtime.gateway import Match, Rule, Rules, Session, Skip
from tests.adapters.gateways import message

FULL = Rule(
    name="full",
    agent="clerk",
    channels=frozenset({"mail"}),
    senders=frozenset({"ada", "bob"}),
    pattern="refund",
    when=lambda message: "!" in message.text,
)


def _session(key: str = "mail:bob") -> Session:
    return Session(key, "mail", 5)


@pytest.mark.parametrize(
    ("rule", "text", "sender", "expected"),
    [
        (FULL, "a Refund!", "bob", ""),
        (FULL, "a Refund!", "cho", "sender_not_allowed"),
        (FULL, "a gift!", "bob", "filter_mismatch"),
        (FULL, "a refund", "bob", "filter_mismatch"),
        (dataclasses.replace(FULL, enabled=False), "a refund!", "bob", "disabled"),
        (dataclasses.replace(FULL, channels=frozenset({"chat"})), "a refund!", "bob", "no_rule"),
        (Rule(name="any", agent="clerk"), "", "anybody", ""),
    ],
)
def test_a_rule_says_why_a_message_does_not_fit(rule: Rule, text: str, sender: str, expected: str) -> None:
    """Everything that it asks for has to hold."""
    found = Rules([rule]).match(message("mail", text, sender), _session())
    assert found == (Match(rule, sender) if not expected else Skip(expected, int(expected != "no_rule")))


def test_of_several_rules_the_nearest_miss_says_why_and_the_first_fit_is_taken() -> None:
    """Whatever their order."""
    off = Rule(name="off", agent="clerk", enabled=False)
    other = Rule(name="other", agent="clerk", senders=frozenset({"ada"}))
    words = Rule(name="words", agent="clerk", pattern="refund")
    for rules in ([off, other, words], [words, other, off]):
        assert Rules(rules).match(message("mail", "hello"), _session()) == Skip("filter_mismatch", 3)
    assert Rules([off, other, words, Rule(name="last", agent="clerk")]).match(
        message("mail", "a refund"), _session()
    ) == Match(words, "bob")
    assert Rules().match(message("mail", "hello"), _session()) == Skip("no_rule", 0)


def test_a_rule_rests_after_a_match_in_that_session_only() -> None:
    """Until its cooldown is over; another rule may fit meanwhile."""
    now = [100.0]
    rule = Rule(name="r", agent="clerk", cooldown_s=10)
    rules = Rules([rule], clock=lambda: now[0])
    one, other = _session(), _session("mail:ada")
    hello = message("mail", "hello")
    assert rules.match(hello, one) == Match(rule, "bob")
    assert [rules.match(hello, one), rules.match(hello, other)] == [Skip("cooldown", 1), Match(rule, "bob")]
    now[0] += 10
    assert rules.match(hello, one) == Match(rule, "bob")


def test_cooldowns_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest is forgotten: its rule may match again a little early."""
    monkeypatch.setattr("otel_agents.runtime.gateway.rules.MAX_COOLDOWNS", 2)
    rule = Rule(name="r", agent="clerk", cooldown_s=10)
    rules = Rules([rule], clock=lambda: 0.0)
    hello, sessions = message("mail", "hello"), [_session(f"mail:{number}") for number in range(3)]
    for session in sessions:
        rules.match(hello, session)
    assert [type(rules.match(hello, session)) for session in reversed(sessions)] == [Skip, Skip, Match]


def test_a_summary_says_what_a_rule_looks_at() -> None:
    """For people who read an audit."""
    assert FULL.summary == "channel in mail, sender in ada|bob, text matches refund, when <lambda>"
    assert Rule(name="any", agent="clerk").summary == "everything"
