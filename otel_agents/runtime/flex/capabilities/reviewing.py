"""Reviews drafts by stated rules and picks the best; must not know how drafts are made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from otel_agents.runtime.flex.capabilities.brief import Limits, limits
from otel_agents.runtime.flex.capabilities.capability import Task
from otel_agents.runtime.flex.capabilities.wording import mentions, sentences, words

MIN_WORDS: Final = 25
GOOD_HEADLINE: Final = 60
GOOD_SENTENCE: Final = 20
GOOD_FACTS: Final = 5


@dataclass(frozen=True, slots=True)
class Case:
    """One draft, and what it is held against."""

    headline: str
    body: str
    hashtags: tuple[str, ...]
    call_to_action: str
    topic: str
    facts: tuple[str, ...]
    limits: Limits

    @property
    def text(self) -> str:
        """All that is read."""
        return f"{self.headline}\n{self.body}"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of the review.

    Attributes:
        points: What keeping it is worth; all rules together 100.
        share: How far it is kept, from 0 to 1.
        finding: What is said of a draft that does not keep it in full.
    """

    points: int
    share: Callable[[Case], float]
    finding: str


def _covered(case: Case) -> float:
    """Return the share of the facts that are told, of as many as a post should tell."""
    told = sum(mentions(case.text, fact) for fact in case.facts)
    return min(1.0, told / max(1, min(len(case.facts), GOOD_FACTS)))


def _length(case: Case) -> float:
    count = len(words(case.body))
    return min(1.0, count / MIN_WORDS) if count <= case.limits.max_words else case.limits.max_words / count


def _readable(case: Case) -> float:
    lengths = [len(words(each)) for each in sentences(case.body)]
    return min(1.0, GOOD_SENTENCE * len(lengths) / max(1, sum(lengths)))


def _hashtags(case: Case) -> float:
    most = case.limits.max_hashtags
    wanted = min(3, most)
    count = len(case.hashtags)
    return float(count <= most) * (min(1.0, count / wanted) if wanted else 1.0)


def _keeps_words(case: Case) -> float:
    text = case.text.lower()
    kept = [mentions(case.text, each) or each.lower() in text for each in case.limits.must]
    kept += [each.lower() not in text for each in case.limits.avoid]
    return sum(kept) / len(kept) if kept else 1.0


RULES: Final = (
    Rule(25, _covered, "leaves out facts"),
    Rule(10, lambda case: float(mentions(case.text, case.topic)), "does not name the topic"),
    Rule(10, lambda case: float(mentions(case.headline, case.topic)), "has a headline without the topic"),
    Rule(10, lambda case: min(1.0, GOOD_HEADLINE / max(1, len(case.headline))), "has a long headline"),
    Rule(15, _length, "is too short or too long"),
    Rule(10, _keeps_words, "lacks wanted words or has unwanted ones"),
    Rule(10, lambda case: float(bool(case.call_to_action) and case.call_to_action in case.body), "asks for nothing"),
    Rule(5, _readable, "has long sentences"),
    Rule(5, _hashtags, "has too few or too many hashtags"),
)


def review(task: Task) -> Mapping[str, Any]:
    """Return a score of at most 100 for each draft, what costs it points, and the best; the first of equals."""
    facets = task.bundle.facets
    scores = [_score(each, facets) for each in facets["drafts"]]
    best = max(scores, key=lambda each: (each["score"], -each["variant"]))
    style = next(each["style"] for each in facets["drafts"] if each["variant"] == best["variant"])
    noted = f", though it {' and '.join(best['findings'])}" if best["findings"] else ", and keeps every rule"
    count = "variant was" if len(scores) == 1 else "variants were"
    summary = (
        f"{len(scores)} {count} reviewed by {len(RULES)} rules. "
        f"Variant {best['variant']} ({style}) is best with {best['score']:g} of 100 points{noted}."
    )
    return {"review": {"scores": scores, "best": best["variant"], "summary": summary}}


def _score(draft: Mapping[str, Any], facets: Mapping[str, Any]) -> dict[str, Any]:
    found, kept = facets["research"], limits(facets)
    case = Case(
        headline=draft["headline"],
        body=draft["body"],
        hashtags=tuple(draft["hashtags"]),
        call_to_action=draft.get("callToAction", ""),
        topic=found["topic"],
        facts=tuple(fact for fact in found["facts"] if not any(each.lower() in fact.lower() for each in kept.avoid)),
        limits=kept,
    )
    shares = [(rule, rule.share(case)) for rule in RULES]
    return {
        "variant": draft["variant"],
        "score": round(sum(rule.points * share for rule, share in shares), 1),
        "findings": [rule.finding for rule, share in shares if share < 1],
    }
