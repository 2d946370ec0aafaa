"""Small operations on prose: sentences, cutting, keywords; must not know facets."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Final

_WORD: Final = re.compile(r"[^\W_][\w'\u2019.+-]*")
_END: Final = re.compile(r"(?<=[.!?])\s+(?=\S)")
_STOP_WORDS: Final = """
a about above after all also an and any are as at be because been before being below between both but by can
could did do does doing down during each few for from further get gets give gives had has have having he her
here hers him his how i if in into is it its just last less let like make makes many may me more most much my
new no nor not now of off on once one only or other our ours out over own per same she should so some such
than that the their them then there these they this those through to too under until up us use uses using very
was we were what when where which while who whom why will with without would you your yours
"""
_STOP: Final = frozenset(_STOP_WORDS.split())
MIN_KEYWORD: Final = 4


def squeeze(text: str) -> str:
    """Return the text with single spaces."""
    return " ".join(text.split())


def sentences(text: str) -> list[str]:
    """Return the sentences and lines of a text, without bullets in front."""
    lines = (line.strip().lstrip("-*•").strip() for line in text.splitlines())
    return [part.strip() for line in lines if line for part in _END.split(line) if part.strip()]


def sentence(text: str) -> str:
    """Return the text as one sentence: a capital first, a full stop last unless an address stands there."""
    text = capital(squeeze(text).rstrip(" ,;:"))
    ends = not text or text[-1] in ".!?…" or "://" in text.split()[-1]
    return text if ends else f"{text}."


def phrase(text: str) -> str:
    """Return the text as a part of a sentence: without the full stop."""
    return squeeze(text).rstrip(" .!?,;:")


def capital(text: str) -> str:
    """Return the text with a capital first, whatever comes after."""
    return text[:1].upper() + text[1:]


def clip(text: str, length: int) -> str:
    """Return at most so many characters, cut between words, with an ellipsis where something is missing."""
    if len(text) <= length:
        return text
    cut = text[: max(length - 1, 0)]
    whole = cut.rsplit(None, 1)[0].rstrip(" ,;:.-") if " " in cut.strip() else cut
    return f"{whole}…"[:length]


def words(text: str) -> list[str]:
    """Return the words of a text, as they are written."""
    return [word.rstrip(".'\u2019+-") for word in _WORD.findall(text)]


def mentions(text: str, wanted: str) -> bool:
    """Tell whether all words of `wanted` that matter stand in the text, in any order and case."""
    there = {word.lower() for word in words(text)}
    needed = [word.lower() for word in words(wanted) if word.lower() not in _STOP]
    return bool(needed) and there.issuperset(needed)


def keywords(texts: Iterable[str], count: int) -> list[str]:
    """Return the words that come most often, the earliest first where they come equally often."""
    found: Counter[str] = Counter()
    for text in texts:
        found.update(word.lower() for word in words(text) if _matters(word))
    return [word for word, _ in found.most_common(count)]


def _matters(word: str) -> bool:
    return len(word) >= MIN_KEYWORD and word.lower() not in _STOP and word[0].isalpha()


def hashtag(text: str) -> str:
    """Return a hashtag: `platform engineering` gives `#PlatformEngineering`; nothing when no letter is in it."""
    parts = re.findall(r"[^\W_]+", text)
    parts = [part for part in parts if not part.isdigit()] or parts
    tag = "".join(part if part.isupper() else capital(part) for part in parts)
    return f"#{tag}" if any(char.isalpha() for char in tag) else ""
