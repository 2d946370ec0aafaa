"""What the caller wants of a post, read from inputs, constraints and instructions; must not know how posts are made."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from otel_agents.runtime.flex.capabilities.wording import phrase, sentences, squeeze

# What a caller may call it, the plainest name first. Case, `_` and `-` make no difference.
NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "topic": ("topic", "subject", "product", "theme", "title", "name"),
    "facts": ("facts", "points", "keyPoints", "highlights", "benefits", "features", "notes", "news", "details"),
    "audience": ("audience", "targetAudience", "readers", "persona"),
    "tone": ("tone", "voice", "toneOfVoice"),
    "keywords": ("keywords", "hashtags", "tags"),
    "callToAction": ("callToAction", "cta", "action"),
    "link": ("link", "url", "website"),
    "mustInclude": ("mustInclude", "mustMention", "include"),
    "avoid": ("avoid", "forbiddenWords", "mustNotMention", "exclude"),
    "maxWords": ("maxWords", "wordLimit"),
    "maxCharacters": ("maxCharacters", "maxChars", "maxLength", "characterLimit"),
    "maxHashtags": ("maxHashtags", "hashtagLimit"),
}
TONES: Final = ("friendly", "formal", "bold", "playful", "clear")
_TONE_WORDS: Final[Mapping[str, str]] = {
    **{tone: tone for tone in TONES},
    "professional": "formal",
    "serious": "formal",
    "warm": "friendly",
    "casual": "friendly",
    "conversational": "friendly",
    "confident": "bold",
    "provocative": "bold",
    "fun": "playful",
    "humorous": "playful",
    "witty": "playful",
    "neutral": "clear",
}
MAX_WORDS: Final = 180
MAX_CHARACTERS: Final = 3_000  # what LinkedIn takes
MAX_HASHTAGS: Final = 5
SHORT_WORDS: Final = 60

_QUOTED: Final = re.compile(r"""["'\u201c\u2018]([^"'\u201d\u2019]{2,100})["'\u201d\u2019]""")
_ABOUT: Final = re.compile(
    r"\b(?:about|announcing|announce|on|regarding|promoting|introducing|presenting)\s+(.+)", re.IGNORECASE
)
_FOR: Final = re.compile(r"\s+(?:for|aimed at|addressed to|targeting)\s+([^.,;:!?\n]{3,100})", re.IGNORECASE)


def named(source: Mapping[str, Any], what: str) -> Any:
    """Return what a mapping holds under any of the names for it, or None."""
    plain = {plain_name(key): value for key, value in source.items()}
    found = (plain.get(plain_name(name)) for name in NAMES[what])
    return next((value for value in found if value not in (None, "", [], {})), None)


def plain_name(name: str) -> str:
    """Return a name without case and separators."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def texts(value: Any) -> list[str]:
    """Return what a value says, as sentences: text, lists of text, and mappings as `Label: value`."""
    return [squeeze(text) for text in _texts(value) if squeeze(text)]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield from sentences(value)
    elif isinstance(value, bool) or value is None:
        return
    elif isinstance(value, int | float):
        yield f"{value:g}" if isinstance(value, float) else str(value)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, Mapping):
        for key, each in value.items():
            told = texts(each)
            if told:
                yield f"{label(key)}: {', '.join(phrase(text) for text in told)}"


def label(key: str) -> str:
    """Return a key as people write it: `launchDate` gives `Launch date`."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[_-]+", " ", key).strip()
    return spaced[:1].upper() + "".join(
        word if word.isupper() else word.lower() for word in re.split(r"(\s)", spaced[1:])
    )


def topic_of(objective: str) -> str:
    """Return what an objective is about: what stands behind `about` and the like, else all of it."""
    first = next(iter(sentences(objective)), objective)
    about = _ABOUT.search(first)
    return phrase(_FOR.sub("", about.group(1) if about else first)) or phrase(first)


def audience_of(objective: str) -> str | None:
    """Return whom an objective names behind `for`."""
    found = _FOR.search(objective)
    return phrase(found.group(1)) if found else None


def tone_of(said: Iterable[str]) -> str:
    """Return the first tone that is named."""
    for text in said:
        for word in re.findall(r"[a-z]+", text.lower()):
            if word in _TONE_WORDS:
                return _TONE_WORDS[word]
    return "clear"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a post must keep to.

    Attributes:
        must: Phrases that have to be in it.
        avoid: Phrases that must not be.
    """

    must: tuple[str, ...]
    avoid: tuple[str, ...]
    max_words: int
    max_characters: int
    max_hashtags: int


def limits(facets: Mapping[str, Any], feedback: str | None = None) -> Limits:
    """Return the limits that constraints, special instructions and feedback state.

    Instructions are free text; understood are `no hashtags`, `short`, and quoted phrases behind `mention`, `include`,
    `avoid`, `without` and `do not`.
    """
    constraints = facets.get("constraints", {})
    must, avoid = texts(named(constraints, "mustInclude")), texts(named(constraints, "avoid"))
    max_words = _whole(constraints, "maxWords", MAX_WORDS)
    max_hashtags = _whole(constraints, "maxHashtags", MAX_HASHTAGS)
    for instruction in (*facets.get("special_instructions", ()), *([feedback] if feedback else [])):
        said = instruction.lower()
        quoted = _QUOTED.findall(instruction)
        if re.search(r"\b(?:avoid|without|do not|don't|never)\b", said):
            avoid += quoted
        elif re.search(r"\b(?:mention|include|say|use)\b", said):
            must += quoted
        max_words = (
            min(max_words, SHORT_WORDS) if re.search(r"\b(?:short|shorter|brief|concise)\b", said) else max_words
        )
        max_hashtags = 0 if re.search(r"\b(?:no|without) hashtags?\b", said) else max_hashtags
    most = _whole(constraints, "maxCharacters", MAX_CHARACTERS)
    return Limits(tuple(map(phrase, must)), tuple(map(phrase, avoid)), max_words, most, max_hashtags)


def _whole(constraints: Mapping[str, Any], what: str, otherwise: int) -> int:
    value = named(constraints, what)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else otherwise
