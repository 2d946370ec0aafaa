"""A JSON Schema, compiled once, that says what is wrong with a value but never the value; knows no run.

Schemas and values may be hostile, so work is bounded: see the limits below.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any, Final, cast

import regex
from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import SchemaError, ValidationError
from jsonschema.validators import extend
from referencing import Registry
from referencing.exceptions import Unresolvable

from otel_agents.runtime.flex.problem import MAX_DETAILS, Detail, FlexError, pointer

MAX_STEPS: Final = 100_000
"""Keywords and items looked at in one validation; beyond, the value counts as invalid."""
MAX_PATTERN: Final = 1_000
"""Characters of one regular expression."""
PATTERN_TIMEOUT_S: Final = 0.1
"""How long one regular expression may look at one text; beyond, it does not match."""
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

# Where keywords hold no schema, but data that may look like one.
_DATA: Final = ("const", "enum", "default", "examples")
_REFERENCES: Final = ("$ref", "$dynamicRef")
_FORMATS: Final = FormatChecker(formats=("date", "email", "ipv4", "ipv6", "uuid"))
# Compiling a pattern is checked below, by the engine that will run it.
_NO_FORMATS: Final = FormatChecker(formats=())

_steps: ContextVar[list[int]] = ContextVar("flex_schema_steps")


class _TooMuchWorkError(Exception):
    """The validation is given up."""


def _matches(pattern: str, text: str) -> bool:
    try:
        return regex.search(pattern, text, timeout=PATTERN_TIMEOUT_S) is not None
    except TimeoutError:
        raise _TooMuchWorkError from None


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
    patterns = schema.get("patternProperties", {})
    for key in value:
        if key not in schema.get("properties", {}) and not any(_matches(pattern, key) for pattern in patterns):
            yield from validator.descend(value[key], rule, path=key)


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
        left = _steps.get()
        left[0] -= 1 + (len(value) if isinstance(value, list | dict) else 0)
        if left[0] < 0:
            raise _TooMuchWorkError
        yield from keyword(validator, rule, value, schema) or ()

    return check


_OWN: Final = {
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
    "uniqueItems": _unique_items,
}
_Validator: Final[Any] = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    {name: _counted(check) for name, check in {**Draft202012Validator.VALIDATORS, **_OWN}.items()},
)

# What an error says, by keyword; `{}` is what the schema wants. Keywords that are not here say their name only.
_SAYINGS: Final[Mapping[str, str]] = {
    "type": "is not of type {}",
    "enum": "is none of {}",
    "const": "is not {}",
    "minimum": "is less than {}",
    "maximum": "is more than {}",
    "exclusiveMinimum": "is not more than {}",
    "exclusiveMaximum": "is not less than {}",
    "multipleOf": "is no multiple of {}",
    "minLength": "is shorter than {}",
    "maxLength": "is longer than {}",
    "pattern": "does not match {}",
    "format": "is not of format {}",
    "minItems": "has fewer items than {}",
    "maxItems": "has more items than {}",
    "uniqueItems": "has the same item twice",
    "minProperties": "has fewer properties than {}",
    "maxProperties": "has more properties than {}",
    "required": "lacks a required property, of {}",
}
_MAX_SHOWN: Final = 200
_TOO_MUCH: Final = "takes too much work to be checked against the schema"


class Schema:
    """A JSON Schema, draft 2020-12.

    Raises:
        FlexError: `invalid_schema`; paths point into the document.
    """

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document
        check(document)
        self._validator = _Validator(document, registry=Registry(), format_checker=_FORMATS)
        # A reference that leads nowhere or to itself is found by following it.
        if any(detail.message == _TOO_MUCH for detail in self.details(None)):
            raise FlexError("invalid_schema", "The schema refers to itself without end", [Detail("", "has no end")])

    def details(self, value: object, at: str = "") -> tuple[Detail, ...]:
        """Return what is wrong with a value, at most 50 things; messages hold what is expected, never the value.

        Args:
            at: The pointer of the value in what is shown to the reader.
        """
        kept = _steps.set([MAX_STEPS])
        try:
            return self._details(value, at)
        except (_TooMuchWorkError, RecursionError):
            return (Detail(at, _TOO_MUCH),)
        except Unresolvable:
            raise FlexError("invalid_schema", "A reference leads nowhere", [Detail("", "$ref leads nowhere")]) from None
        finally:
            _steps.reset(kept)

    def _details(self, value: object, at: str) -> tuple[Detail, ...]:
        found: list[Detail] = []
        for error in self._validator.iter_errors(value):
            found.append(Detail(at + pointer(*error.absolute_path), _saying(error)))
            if len(found) == MAX_DETAILS:
                break
        return tuple(found)


def _saying(error: ValidationError | SchemaError) -> str:
    keyword, wanted = str(error.validator), cast("Any", error.validator_value)
    if wanted is False:
        return "is not allowed here"
    if keyword == "required":
        wanted = [name for name in wanted if name not in cast("Any", error.instance)]
    text = json.dumps(wanted, ensure_ascii=False, default=str)
    shown = text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"
    return _SAYINGS.get(keyword, f"does not keep {keyword}").replace("{}", shown)


def check(document: object) -> None:
    """Raise `invalid_schema` unless the document is a schema that we can hold a value against."""
    if not isinstance(document, Mapping):
        raise FlexError("invalid_schema", "A JSON Schema is an object", [Detail("", "is no object")])
    try:
        Draft202012Validator.check_schema(document, format_checker=_NO_FORMATS)
    except SchemaError as error:
        detail = Detail(pointer(*error.absolute_path), _saying(error))
        raise FlexError("invalid_schema", "The document is no valid JSON Schema", [detail]) from None
    except RecursionError:
        raise FlexError("invalid_schema", "The schema is nested too deep", [Detail("", "is nested too deep")]) from None
    problems = [Detail(pointer(*path), message) for path, message in _refused(document, ())]
    if problems:
        raise FlexError("invalid_schema", "The schema uses what is not supported", problems)


def _refused(document: object, path: tuple[object, ...]) -> Iterator[tuple[tuple[object, ...], str]]:
    """Yield the places that are valid in a schema and yet not supported."""
    if isinstance(document, list):
        for index, each in enumerate(document):
            yield from _refused(each, (*path, index))
    if not isinstance(document, Mapping):
        return
    is_names = bool(path) and path[-1] in {"properties", "$defs", "definitions", "dependentSchemas"}
    for key, each in document.items():
        if not is_names:
            message = _refusal(key, each, document)
            if message:
                yield (*path, key), message
        if is_names or key not in _DATA:
            yield from _refused(each, (*path, key))


def _refusal(key: str, value: object, beside: Mapping[str, object]) -> str | None:
    if key in _REFERENCES and isinstance(value, str) and not value.startswith("#"):
        return "refers to another document; only references inside this one (`#...`) are followed"
    if key == "$schema" and str(value).rstrip("#") != DIALECT:
        return f"is not {DIALECT}"
    if key == "unevaluatedProperties" and "patternProperties" in beside:
        return "cannot stand beside patternProperties"
    if key == "pattern" and isinstance(value, str):
        return _bad_pattern(value)
    if key == "patternProperties" and isinstance(value, Mapping):
        return next((said for said in map(_bad_pattern, value) if said), None)
    return None


def _bad_pattern(pattern: str) -> str | None:
    if len(pattern) > MAX_PATTERN:
        return f"is a regular expression of more than {MAX_PATTERN} characters"
    try:
        regex.compile(pattern)
    except (regex.error, RecursionError, OverflowError, MemoryError):
        return "is no regular expression"
    return None
