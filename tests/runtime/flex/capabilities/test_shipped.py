"""The capabilities that come along, one by one and together."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_agents.runtime.flex.capabilities import CapabilityError, Task
from otel_agents.runtime.flex.capabilities.brief import TONES
from otel_agents.runtime.flex.capabilities.composing import compose
from otel_agents.runtime.flex.capabilities.drafting import STYLES, draft
from otel_agents.runtime.flex.capabilities.research import research
from otel_agents.runtime.flex.capabilities.reviewing import RULES, review
from otel_agents.runtime.flex.capabilities.shipped import shipped
from otel_agents.runtime.flex.capabilities.wording import words
from otel_agents.runtime.flex.envelope import read_envelope
from otel_agents.runtime.flex.facets import ContextBundle
from otel_agents.runtime.flex.schema import Schema
from tests.runtime.flex.documents import JSON, POST, POST_SCHEMA, UNTIMED
from tests.runtime.flex.graphs import carry_out, plan


def _task(facets: dict[str, Any], **more: Any) -> Task:
    return Task("r", "n", 1, ContextBundle(facets.get("objective", "x"), facets, (), {}), **more)


def _research(objective: str, inputs: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return research(_task({"objective": objective, "inputs": inputs or {}, **more}))["research"]


SHIPPED = shipped()
FOUND = _research(POST["objective"], POST["inputs"])


def _draft(
    number: int = 1, *, found: dict[str, Any] = FOUND, feedback: str | None = None, **facets: Any
) -> dict[str, Any]:
    given = {"research": found, "variant": {"number": number, "of": 10}, **facets}
    return draft(_task(given, feedback=feedback))["draft"]


async def _answer(envelope: dict[str, Any]) -> Any:
    registry = shipped()
    done = await carry_out(await plan(envelope, registry), read_envelope(envelope), registry)
    return done["structure_output"]["structured_output"]


async def test_variants_of_a_post_come_out_in_the_shape_that_the_caller_wants() -> None:
    """From the envelope to an answer that is valid, readable, and made of what was given."""
    answer = await _answer(POST)

    assert Schema(POST_SCHEMA).details(answer) == ()
    assert [each["headline"] for each in answer["variants"]] == [
        "What does otel-agents 1.0 change for platform engineers?",
        "Plans, handoffs and human approvals become spans, metrics and events",
        "4 things platform engineers should know about otel-agents 1.0",
    ]
    assert answer["variants"][0]["body"] == (
        "A fair question, with a short answer.\n\n"
        "• One command instruments any agent framework, without a change to the code\n"
        "• Plans, handoffs and human approvals become spans, metrics and events\n"
        "• Under two percent of overhead, measured\n"
        "• Launch date: 2026-12-01\n\n"
        "Try it today: https://example.org/otel-agents"
    )
    assert answer["summary"] == (
        "3 variants were reviewed by 9 rules. "
        "Variant 1 (question) is best with 100 of 100 points, and keeps every rule."
    )


async def test_the_same_envelope_gives_the_same_answer() -> None:
    """To the last character."""
    assert json.dumps(await _answer(POST)) == json.dumps(await _answer(POST))


async def test_without_a_contract_the_best_draft_becomes_the_post() -> None:
    """With the whole text as it would be published."""
    envelope = {key: value for key, value in POST.items() if key != "outputContract"}
    registry = shipped()
    done = await carry_out(await plan(envelope, registry), read_envelope(envelope), registry)
    post, best = done["compose_post"]["post"], done["draft_post-1"]["draft"]

    assert post["text"] == f"{best['headline']}\n\n{best['body']}\n\n{' '.join(best['hashtags'])}"


def test_research_takes_facts_from_what_was_given_only() -> None:
    """Named facts first, then other inputs as they are called, then the objective; orders are no facts."""
    found = _research(
        "Write a post about Fleet 2 for site engineers. It ships in May. Keep it short.",
        {
            "key_points": "Rollouts are staged.\n- Rollbacks take seconds",
            "teamSize": 12,
            "beta": True,
            "plans": {"free": 0, "pro": 9.5},
            "tone": "confident",
            "hashtags": ["#fleet", "site ops"],
        },
    )

    assert found == {
        "topic": "Fleet 2",
        "facts": [
            "Rollouts are staged.",
            "Rollbacks take seconds.",
            "Team size: 12.",
            "Plans: Free: 0, Pro: 9.5.",
            "It ships in May.",
        ],
        "audience": "site engineers",
        "tone": "bold",
        "keywords": ["fleet", "site ops"],
        "callToAction": "",
    }


def test_research_without_facts_says_no_more_than_the_topic() -> None:
    """Nothing is made up."""
    found = _research("Announce our new office in Lisbon")

    assert (found["topic"], found["facts"]) == ("our new office in Lisbon", ["Our new office in Lisbon."])
    assert (found["audience"], found["tone"]) == ("you", "clear")


def test_ten_variants_are_ten_different_posts() -> None:
    """Each with its own headline and body, in five styles."""
    drafts = [_draft(number) for number in range(1, 11)]

    assert len({each["headline"] for each in drafts}) == 10
    assert len({each["body"] for each in drafts}) == 10
    assert [each["style"] for each in drafts[:5]] == [style.name for style in STYLES]
    assert all("https://example.org/otel-agents" in each["body"] for each in drafts)


@pytest.mark.parametrize("tone", TONES)
def test_the_tone_is_heard(tone: str) -> None:
    """Each tone takes leave in its own words."""
    drafts = {other: _draft(3, found={**FOUND, "tone": other, "callToAction": ""})["body"] for other in TONES}

    assert [other for other in TONES if drafts[other] == drafts[tone]] == [tone]


def test_limits_of_the_caller_are_kept() -> None:
    """Words, characters, hashtags, phrases that must be in and phrases that must not."""
    constraints = {"maxWords": 40, "maxHashtags": 2, "avoid": ["overhead"], "mustInclude": ["open source"]}
    for number in range(1, 11):
        made = _draft(number, constraints=constraints)
        assert len(words(made["body"])) <= 40
        assert len(made["hashtags"]) == 2
        assert "overhead" not in f"{made['headline']} {made['body']}".lower()
        assert "open source" in made["body"]
    assert len(_draft(1, constraints={"maxCharacters": 50})["body"]) <= 50


def test_instructions_and_feedback_are_followed_as_far_as_they_are_understood() -> None:
    """Shorter, no hashtags, a phrase to mention, a phrase to leave out, another tone."""
    long = {**FOUND, "facts": [f"Fact number {number} takes quite a few words to be told." for number in range(20)]}

    assert _draft(special_instructions=["No hashtags, please"])["hashtags"] == []
    assert "Not to forget: open source." in _draft(feedback='Please mention "open source"')["body"]
    assert "overhead" not in _draft(feedback="Do not say 'overhead'")["body"]
    assert (
        len(words(_draft(found=long, feedback="Make it shorter")["body"]))
        <= 60
        < len(words(_draft(found=long)["body"]))
    )
    assert _draft(3, found={**FOUND, "callToAction": ""}, feedback="More formal")["callToAction"] == (
        "We look forward to your comments."
    )


def test_rules_come_to_a_hundred_points() -> None:
    """A draft that keeps all rules has them all."""
    assert sum(rule.points for rule in RULES) == 100


def test_the_review_tells_drafts_apart_and_says_why() -> None:
    """What costs points is told, and of equals the first is best."""
    good, bad = _draft(1), {**_draft(2), "headline": "H" * 120, "body": "Nothing.", "hashtags": [], "callToAction": ""}
    found = review(_task({"research": FOUND, "drafts": [bad, good, {**good, "variant": 3}]}))["review"]

    assert [(each["variant"], each["score"]) for each in found["scores"]] == [(2, 20.6), (1, 100.0), (3, 100.0)]
    assert found["scores"][0]["findings"] == [
        "leaves out facts",
        "does not name the topic",
        "has a headline without the topic",
        "has a long headline",
        "is too short or too long",
        "asks for nothing",
        "has too few or too many hashtags",
    ]
    assert found["best"] == 1


def test_a_review_of_something_else_composes_nothing() -> None:
    """Trying again would not help."""
    with pytest.raises(CapabilityError) as caught:
        compose(_task({"drafts": [_draft(1)], "review": {"best": 7}}))
    assert not caught.value.retryable


@UNTIMED
@given(
    st.text(min_size=1, max_size=60),
    st.dictionaries(
        st.sampled_from(["facts", "topic", "audience", "tone", "cta", "link", "keywords", "variants", "x y"]), JSON
    ),
    st.dictionaries(
        st.sampled_from(["maxWords", "avoid", "mustInclude", "maxHashtags", "tone", "maxCharacters"]), JSON
    ),
)
def test_whatever_a_caller_gives_the_contracts_are_kept(objective: str, inputs: Any, constraints: Any) -> None:
    """No input makes a capability fail or give what its facet does not allow."""
    facets: dict[str, Any] = {"objective": objective, "inputs": inputs, "constraints": constraints}
    registry = SHIPPED
    facets |= research(_task(facets))
    assert registry.output_schema("research").details({"research": facets["research"]}) == ()
    drafts = [draft(_task({**facets, "variant": {"number": number, "of": 10}}))["draft"] for number in (1, 2, 4, 8)]
    for each in drafts:
        assert registry.output_schema("draft_post").details({"draft": each}) == ()
    reviewed = review(_task({**facets, "drafts": drafts}))
    assert registry.output_schema("review_posts").details(reviewed) == ()
    assert registry.output_schema("compose_post").details(compose(_task({"drafts": drafts, **reviewed}))) == ()
