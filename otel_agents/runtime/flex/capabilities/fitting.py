"""Makes one known value fit the limits of a JSON Schema: texts, numbers, flags; must not know what it means."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

from otel_agents.runtime.flex.capabilities.brief import texts
from otel_agents.runtime.flex.capabilities.wording import clip
from otel_agents.runtime.flex.schema import Schema

SCORE: Final = 100
"""What scores are out of; a schema with another maximum gets them to its scale."""
UNKNOWN: Final = "unknown"

Rule = Mapping[str, Any]


def text(rule: Rule, value: Any) -> str:
    """Return a text that keeps length and pattern, if any way of writing the value does."""
    least, most = rule.get("minLength", 0), rule.get("maxLength")
    if value is None:
        return UNKNOWN[:most] if least else ""
    written = as_text(value)
    forms = [written if most is None else clip(written, most)]
    if "pattern" in rule or "format" in rule:
        schema = Schema({name: rule[name] for name in ("pattern", "format", "minLength", "maxLength") if name in rule})
        forms += [form for form in _forms(written) if not schema.details(form)]
        forms = [form for form in forms if not schema.details(form)] or forms
    return forms[0]


def _forms(written: str) -> Iterator[str]:
    """Yield other ways to write the same."""
    for form in (written.strip(), written.lstrip("#"), f"#{written.lstrip('#')}", " ".join(written.split())):
        yield from (form, form.lower(), form.upper())
    slug = "".join(char if char.isalnum() else " " for char in written.lower()).split()
    yield from ("-".join(slug), "_".join(slug), "".join(slug))


def as_text(value: Any) -> str:
    """Return a value as prose: a mapping by what it calls its text, a list as its parts."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        for name in ("text", "summary", "headline", "title", "name"):
            if isinstance(value.get(name), str):
                return str(value[name])
    if isinstance(value, list):
        parts = [as_text(each) for each in value]
        return (" " if all(part.startswith("#") or part.endswith((".", "!", "?")) for part in parts) else ", ").join(
            parts
        )
    return ", ".join(texts(value))


def number(rule: Rule, value: Any, *, whole: bool) -> float:
    """Return a number within the limits; a score is brought to the scale of the schema."""
    low, high = _limit(rule, "inimum", max), _limit(rule, "aximum", min)
    found = _read(value)
    if high is not None and found > high and found <= SCORE and (low or 0) < high < SCORE:
        found = (low or 0) + (high - (low or 0)) * found / SCORE
    found = found if low is None else max(found, low)
    found = found if high is None else min(found, high)
    step = rule.get("multipleOf", 1 if whole else None)
    if step:
        found = _stepped(found, step, (low, high))
    found = _off(found, rule, 1 if whole else (step or _gap(low, high)))
    return int(found) if whole or float(found).is_integer() else round(found, 6)


def _limit(rule: Rule, ending: str, strictest: Any) -> float | None:
    """Return the limit of a schema on one side, exclusive or not."""
    names = {"inimum": ("minimum", "exclusiveMinimum"), "aximum": ("maximum", "exclusiveMaximum")}[ending]
    limits = [rule[name] for name in names if name in rule]
    return strictest(limits) if limits else None


def _read(value: Any) -> float:
    if isinstance(value, bool) or value is None:
        return float(bool(value))
    if isinstance(value, int | float):
        return value
    if isinstance(value, list | Mapping):
        return len(value)
    try:
        found = float(value)
    except ValueError:
        return 0
    return found if math.isfinite(found) else 0


def _stepped(found: float, step: float, limits: tuple[float | None, float | None]) -> float:
    """Return the nearest multiple within the limits."""
    low, high = limits
    nearest = round(found / step) * step
    if low is not None and nearest < low:
        nearest = math.ceil(low / step) * step
    if high is not None and nearest > high:
        nearest = math.floor(high / step) * step
    return nearest


def _gap(low: float | None, high: float | None) -> float:
    return (high - low) / 2 if low is not None and high is not None and high > low else 1


def _off(found: float, rule: Rule, step: float) -> float:
    """Return the number moved by one step when it stands on a limit that is exclusive."""
    if "exclusiveMinimum" in rule and found <= rule["exclusiveMinimum"]:
        return found + step
    if "exclusiveMaximum" in rule and found >= rule["exclusiveMaximum"]:
        return found - step
    return found


def boolean(value: Any) -> bool:
    """Return a flag; text counts by what it says, and what is not known is false."""
    if isinstance(value, str):
        return value.strip().lower() in {"true", "yes", "on", "1"}
    return bool(value)
