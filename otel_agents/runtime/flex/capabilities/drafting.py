"""Drafts one variant of a post without a model: style by its number, words from the facts; invents nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from otel_agents.runtime.flex.capabilities.brief import Limits, limits, tone_of
from otel_agents.runtime.flex.capabilities.capability import Task
from otel_agents.runtime.flex.capabilities.wording import capital, clip, hashtag, mentions, phrase, sentence, words

HEADLINE: Final = 90
MAX_FACTS: Final = 6

Layout = Callable[[Sequence[str]], str]


def _bullets(facts: Sequence[str]) -> str:
    return "\n".join(f"• {phrase(fact)}" for fact in facts)


def _numbers(facts: Sequence[str]) -> str:
    return "\n".join(f"{number}. {fact}" for number, fact in enumerate(facts, start=1))


def _prose(facts: Sequence[str]) -> str:
    return " ".join(facts)


def _paragraphs(facts: Sequence[str]) -> str:
    return "\n\n".join(facts)


def _arrows(facts: Sequence[str]) -> str:
    return "\n".join(f"→ {phrase(fact)}" for fact in facts)


@dataclass(frozen=True, slots=True)
class Style:
    """One way to write a post; `{topic}`, `{audience}`, `{fact}` and `{count}` are filled in.

    Attributes:
        headlines: One for the first round through the styles, one for the second.
        opening: The paragraph before the facts.
        alone: The same when headline and opening use up all facts.
        layout: How the facts are set.
        spends: How many facts headline and opening use up.
    """

    name: str
    headlines: tuple[str, str]
    opening: str
    layout: Layout
    spends: int = 0
    alone: str = ""


STYLES: Final = (
    Style(
        "question",
        ("What does {topic} change for {audience}?", "Have you looked at {topic} yet?"),
        "A fair question, with a short answer.",
        _bullets,
    ),
    Style(
        "fact first",
        ("{fact}", "Start with this: {fact}"),
        "That alone would be worth a post. There is more to {topic}.",
        _prose,
        spends=1,
        alone="That is the news about {topic} in one line.",
    ),
    Style(
        "list",
        ("{count} {audience} should know about {topic}", "{topic}: {count} to remember"),
        "{answer}",
        _numbers,
    ),
    Style(
        "story",
        ("The story behind {topic}", "How {topic} begins"),
        "It begins with one thing. {first}",
        _paragraphs,
        spends=1,
        alone="It begins with one thing. {first} What comes of it is up to {audience}.",
    ),
    Style(
        "announcement",
        ("{topic}, in short", "For {audience}: {topic}"),
        "{answer}",
        _arrows,
    ),
)


@dataclass(frozen=True, slots=True)
class Tone:
    """How a tone answers and takes leave."""

    answers: str
    farewell: str


_TONES: Final[Mapping[str, Tone]] = {
    "clear": Tone("Here is what {audience} should know.", "What is your view?"),
    "friendly": Tone(
        "Good news for {audience}: here is what you get.", "Tell us what you think, we read every comment!"
    ),
    "formal": Tone("The following is relevant for {audience}.", "We look forward to your comments."),
    "bold": Tone("No fluff. This is what counts for {audience}.", "Agree? Disagree? Say so."),
    "playful": Tone("Grab a coffee: what follows is for {audience}.", "Your turn in the comments!"),
}


def draft(task: Task) -> Mapping[str, Any]:
    """Return one variant: headline, body, hashtags, call to action, and the style that it is written in.

    Variants differ in style (five of them), in the headline from the sixth on, and in which fact comes first.
    """
    facets = task.bundle.facets
    found, number = facets["research"], facets["variant"]["number"]
    kept = limits(facets, task.feedback)
    style, second = STYLES[(number - 1) % len(STYLES)], (number - 1) // len(STYLES) % 2
    facts = _turned([fact for fact in found["facts"] if not _has_any(fact, kept.avoid)], number - 1)[:MAX_FACTS]
    tone = _TONES[tone_of([*([task.feedback] if task.feedback else []), found.get("tone", "")])]
    filled = _filled(found, facts, tone)
    headline = clip(capital(style.headlines[second].format_map(filled)), HEADLINE)
    closing = sentence(found.get("callToAction") or tone.farewell)
    left = facts[style.spends :]
    opening = (style.opening if left or not style.alone else style.alone).format_map(filled)
    body = _body(opening, style.layout, left, (closing, kept))
    return {
        "draft": {
            "variant": number,
            "style": style.name,
            "headline": headline,
            "body": body,
            "hashtags": _hashtags(found, kept),
            "callToAction": closing,
        }
    }


def _filled(found: Mapping[str, Any], facts: Sequence[str], tone: Tone) -> dict[str, str]:
    topic, audience = phrase(found["topic"]), phrase(found.get("audience", "")) or "you"
    first = facts[0] if facts else sentence(topic)
    count = "one thing" if len(facts) == 1 else f"{len(facts)} things"
    answer = tone.answers.replace("{audience}", audience)
    return {
        "topic": topic,
        "audience": audience,
        "fact": phrase(first),
        "first": first,
        "count": count,
        "answer": answer,
    }


def _turned(facts: Sequence[str], by: int) -> list[str]:
    """Return the facts with another one first for each variant."""
    start = by % len(facts) if facts else 0
    return [*facts[start:], *facts[:start]]


def _has_any(text: str, phrases: Sequence[str]) -> bool:
    return any(each.lower() in text.lower() for each in phrases)


def _body(opening: str, layout: Layout, facts: Sequence[str], rest: tuple[str, Limits]) -> str:
    """Return the paragraphs of a post, with as many facts as there is room for, and all that must be said."""
    closing, kept = rest
    for count in range(len(facts), -1, -1):
        shown = facts[:count]
        written = "\n\n".join(part for part in (opening, layout(shown), closing) if part)
        missing = [each for each in kept.must if not mentions(written, each)]
        if missing:
            said = sentence(f"Not to forget: {', '.join(missing)}")
            written = "\n\n".join(part for part in (opening, layout(shown), said, closing) if part)
        if len(words(written)) <= kept.max_words and len(written) <= kept.max_characters:
            return written
    return clip(written, kept.max_characters)


def _hashtags(found: Mapping[str, Any], kept: Limits) -> list[str]:
    tags = [hashtag(word) for word in found.get("keywords", ()) if not _has_any(word, kept.avoid)]
    return list(dict.fromkeys(tag for tag in tags if tag))[: kept.max_hashtags]
