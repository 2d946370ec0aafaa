"""JSON Schema keywords whose work is bounded, whatever schema and value are; must not know what is validated."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

import regex
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

MAX_STEPS: Final = 50_000
"""Keywords looked at in one validation; ten items of a list count as one."""
PATTERN_S: Final = 0.1
"""Seconds that one regular expression may look at one text."""
PATTERNS_S: Final = 1.0
"""Seconds that all of them together may take in one validation."""
_ITEMS_A_STEP: Final = 10


class TooMuchWorkError(Exception):
    """The validation is given up."""


@dataclass(slots=True)
class _Budget:
    """What one validation may still cost."""

    steps: int = MAX_STEPS
    pattern_s: float = PATTERNS_S


_budget: ContextVar[_Budget] = ContextVar("flex_schema_budget")


@contextmanager
def bounded() -> Iterator[None]:
    """Give one validation its budget; inside, `TooMuchWorkError` may be raised."""
    kept = _budget.set(_Budget())
    try:
        yield
    finally:
        _budget.reset(kept)


def _matches(pattern: str, text: str) -> bool:
    budget, began = _budget.get(), time.monotonic()
    try:
        return regex.search(pattern, text, timeout=max(min(PATTERN_S, budget.pattern_s), 1e-3)) is not None
    except TimeoutError:
        raise TooMuchWorkError from None
    finally:
        budget.pattern_s -= time.monotonic() - began


def _pattern(validator: Any, pattern: str, value: Any, schema: Any) -> Iterator[ValidationError]:
    if validator.is_type(value, "string") and not _matches(pattern, value):
        yield ValidationError("")


def _pattern_properties(validator: Any, patterns: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
    if validator.is_type(value, "object"):
        for pattern, subschema in patterns.items():
            for key in (key for key in value if _matches(pattern, key)):
                yield from validator.descend(value[key], subschema, path=key, schema_path=pattern)


def _additional_properties(validator: Any, rule: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
    if not validator.is_type(value, "object"):
        return
    named, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    for key in value:
        if key not in named and not any(_matches(pattern, key) for pattern in patterns):
            yield from _inside(validator, value[key], rule, key)


def _inside(validator: Any, value: Any, rule: Any, key: str) -> Iterator[ValidationError]:
    """Descend; for a schema that is `false` the library forgets where it was."""
    if rule is False:
        yield ValidationError("", path=[key])
    else:
        yield from validator.descend(value, rule, path=key)


def _required(validator: Any, names: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
    """Tell once of all that is missing, where the library tells of each."""
    if validator.is_type(value, "object") and not all(name in value for name in names):
        yield ValidationError("")


def _unique_items(validator: Any, wanted: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
    if wanted and validator.is_type(value, "array"):
        seen = {json.dumps(_canonical(item), sort_keys=True) for item in value}
        if len(seen) != len(value):
            yield ValidationError("")


def _canonical(value: Any) -> Any:
    """Return the value with 1.0 as 1, which JSON Schema does not tell apart."""
    if isinstance(value, dict):
        return {key: _canonical(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_canonical(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _counted(keyword: Callable[..., Any]) -> Callable[..., Iterator[ValidationError]]:
    """Return the check of a keyword, which gives up when too much was done already."""

    def check(validator: Any, rule: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
        budget = _budget.get()
        size = sum(len(each) for each in (rule, value) if isinstance(each, list | dict))
        budget.steps -= 1 + size // _ITEMS_A_STEP
        if budget.steps < 0:
            raise TooMuchWorkError
        yield from keyword(validator, rule, value, schema) or ()

    return check


_OWN: Final = {
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
    "required": _required,
    "uniqueItems": _unique_items,
}
BoundedValidator: Final[Any] = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    {name: _counted(check) for name, check in {**Draft202012Validator.VALIDATORS, **_OWN}.items()},
)
"""Draft 2020-12; to be used inside `bounded()`."""
