"""Makes a post of the draft that the review picked; must not know how either came about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from otel_agents.runtime.flex.capabilities.capability import CapabilityError, Task


def compose(task: Task) -> Mapping[str, Any]:
    """Return the best draft as a post, with the whole text as it would be published."""
    facets = task.bundle.facets
    best = facets["review"]["best"]
    for draft in facets["drafts"]:
        if draft["variant"] == best:
            kept = {name: draft[name] for name in ("headline", "body", "hashtags", "callToAction") if name in draft}
            return {"post": {**kept, "text": full_text(draft)}}
    raise CapabilityError(f"The review picked variant {best}, which is not there", retryable=False)


def full_text(draft: Mapping[str, Any]) -> str:
    """Return headline, body and hashtags as one text."""
    return "\n\n".join(part for part in (draft["headline"], draft["body"], " ".join(draft["hashtags"])) if part)
