"""Research without a model: the facts of a task, taken from what the caller gave; invents nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from otel_agents.runtime.flex.capabilities.brief import (
    NAMES,
    audience_of,
    label,
    named,
    plain_name,
    texts,
    tone_of,
    topic_of,
)
from otel_agents.runtime.flex.capabilities.capability import Task
from otel_agents.runtime.flex.capabilities.wording import hashtag, keywords, phrase, sentence, sentences

MAX_FACTS: Final = 20
EVERYONE: Final = "you"
# How sentences of an objective begin that say how to write, not what.
_ORDERS: Final = frozenset(
    {
        *("add", "aim", "avoid", "be", "do", "don't", "draft", "ensure", "focus", "give", "include", "keep", "limit"),
        *("make", "mention", "never", "no", "please", "produce", "return", "target", "use", "write", "create"),
    }
)
MAX_KEYWORDS: Final = 5
_UNDERSTOOD: Final = frozenset(plain_name(name) for names in NAMES.values() for name in names) | {"variants"}


def research(task: Task) -> Mapping[str, Any]:
    """Return topic, facts, audience, tone, keywords and call to action.

    Facts are, in this order: what `inputs` calls facts, every other input as `Label: value`, and the sentences of the
    objective behind its first, unless they are orders. Without any of these the topic is the only fact.
    """
    facets = task.bundle.facets
    objective, inputs = facets["objective"], facets.get("inputs", {})
    said = [*texts(named(inputs, "tone")), *texts(named(facets.get("constraints", {}), "tone"))]
    topic = phrase(" ".join(texts(named(inputs, "topic"))) or topic_of(objective)) or objective
    facts = [fact for fact in dict.fromkeys(map(sentence, _facts(objective, inputs))) if fact][:MAX_FACTS]
    audience = ", ".join(texts(named(inputs, "audience"))) or audience_of(objective) or ""
    found = {
        "topic": topic,
        "facts": facts or [sentence(topic) or topic],
        "audience": phrase(audience) or EVERYONE,
        "tone": tone_of([*said, *facets.get("special_instructions", ()), objective]),
        "keywords": _keywords(topic, facts, inputs),
        "callToAction": _call_to_action(inputs),
    }
    return {"research": found}


def _facts(objective: str, inputs: Mapping[str, Any]) -> Iterator[str]:
    yield from texts(named(inputs, "facts"))
    for key, value in inputs.items():
        if plain_name(key) not in _UNDERSTOOD:
            told = texts(value)
            is_prose = isinstance(value, str | list) and any(" " in text for text in told)
            yield from told if is_prose else (f"{label(key)}: {', '.join(map(phrase, told))}" for _ in told[:1])
    yield from (each for each in sentences(objective)[1:] if each.split()[0].lower() not in _ORDERS)


def _keywords(topic: str, facts: list[str], inputs: Mapping[str, Any]) -> list[str]:
    """Return the caller's own keywords, or the topic when it is short and the words that come most often."""
    own = [word.strip(" #") for text in texts(named(inputs, "keywords")) for word in text.split(",")]
    if own:
        return [word for word in own if hashtag(word)]
    short = [topic] if len(topic.split()) <= 3 else []  # noqa: PLR2004 - a hashtag of more words cannot be read
    found = [*short, *keywords([topic, topic, *facts], MAX_KEYWORDS + len(short))]
    tags = {hashtag(word).lower(): word for word in reversed(found) if hashtag(word)}
    return list(reversed(tags.values()))[:MAX_KEYWORDS]


def _call_to_action(inputs: Mapping[str, Any]) -> str:
    action = " ".join(texts(named(inputs, "callToAction")))
    link = " ".join(texts(named(inputs, "link")))
    if action and link and link not in action:
        return f"{phrase(action)}: {link}"
    return action or (f"Read more: {link}" if link else "")
