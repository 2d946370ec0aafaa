"""What is known when an answer is arranged, found by the names that a schema uses; must not know schemas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from otel_agents.runtime.flex.capabilities.brief import plain_name
from otel_agents.runtime.flex.capabilities.composing import full_text

# Names that mean the same, the one that facets use first.
_GROUPS: Final = (
    (
        "variants",
        "variant_list",
        "posts",
        "drafts",
        "options",
        "candidates",
        "versions",
        "items",
        "results",
        "proposals",
    ),
    ("best", "post", "winner", "recommended", "recommendation", "selected", "draft", "choice"),
    ("headline", "title", "hook", "heading"),
    ("body", "content", "copy", "main_text", "description"),
    ("text", "full_text", "post_text", "message", "caption"),
    ("hashtags", "tags"),
    ("callToAction", "cta", "call_to_action", "closing"),
    ("score", "rating", "quality", "points"),
    ("rank", "position", "order"),
    ("variant", "number", "id", "index", "no"),
    ("style", "angle", "approach", "format"),
    ("findings", "issues", "remarks", "weaknesses", "feedback", "comments"),
    ("summary", "overview", "conclusion", "rationale", "explanation", "reasoning", "reason"),
    ("best_variant", "best_index", "best_id", "winner_id", "selected_variant", "recommended_variant"),
    ("count", "total", "variant_count", "number_of_variants"),
    ("topic", "subject", "theme"),
    ("facts", "key_points", "points_made", "highlights"),
    ("audience", "target_audience", "readers"),
    ("keywords", "key_words"),
    ("objective", "goal", "task"),
)
_SAME: Final[Mapping[str, tuple[str, ...]]] = {
    plain_name(name): tuple(plain_name(other) for other in group) for group in _GROUPS for name in group
}

Scope = Mapping[str, Any]
NOTHING: Final = object()
"""What is returned for a name that says nothing to us; None may be a value."""


def scope(*sources: Mapping[str, Any]) -> Scope:
    """Return mappings as one, by plain name; of a name that several have the first counts."""
    made: dict[str, Any] = {}
    for source in sources:
        for name, value in source.items():
            made.setdefault(plain_name(name), value)
    return made


def find(name: str, scopes: Sequence[Scope]) -> Any:
    """Return what a name stands for, innermost scope first, in each the name itself before those that mean the same."""
    plain = plain_name(name)
    for each in scopes:
        for candidate in (plain, *_SAME.get(plain, ())):
            if candidate in each:
                return each[candidate]
    return NOTHING


def known(facets: Mapping[str, Any]) -> Scope:
    """Return all that facets say, by name: whole facets, what is in them, then the caller's own inputs."""
    variants = list(_variants(facets))
    review, best = facets.get("review", {}), _best(variants, facets)
    answers: dict[str, Any] = {}
    if variants:
        answers = {"variants": variants, "count": len(variants)}
    if best:
        answers |= {"best": best, "post": best}
    if "best" in review:
        answers["best_variant"] = review["best"]
    mine = {"review", "drafts", "draft", "post", "objective", "inputs", "constraints", "output_contract"}
    others = {name: value for name, value in facets.items() if name not in mine}
    parts = [value for value in others.values() if isinstance(value, Mapping)]
    review = {name: value for name, value in review.items() if name != "best"}
    told = {"objective": facets["objective"], "summary": _summary(facets)}
    return scope(answers, others, best, review, *parts, facets.get("inputs", {}), facets.get("constraints", {}), told)


def _variants(facets: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the drafts, each with its text, its score and its rank."""
    scores = {each["variant"]: each for each in facets.get("review", {}).get("scores", ())}
    ranked = sorted(scores.values(), key=lambda each: (-each["score"], each["variant"]))
    ranks = {each["variant"]: rank for rank, each in enumerate(ranked, start=1)}
    for draft in facets.get("drafts", ()):
        number = draft["variant"]
        rank = {"rank": ranks[number]} if number in ranks else {}
        yield {**draft, **scores.get(number, {}), **rank, "text": full_text(draft)}


def _best(variants: Sequence[Mapping[str, Any]], facets: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the composed post, with what is known of its draft, or the draft that the review picked."""
    wanted = facets.get("review", {}).get("best")
    picked = next((each for each in variants if each["variant"] == wanted), variants[0] if variants else {})
    return {**picked, **facets.get("post", {})}


def _summary(facets: Mapping[str, Any]) -> str:
    """Return a summary for when nobody reviewed anything."""
    facts = facets.get("research", {}).get("facts", ())
    return " ".join(facts[:3]) or str(facets["objective"])
