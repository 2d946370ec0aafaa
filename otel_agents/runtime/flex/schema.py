"""A JSON Schema, compiled once, that says what is wrong with a value but never the value; knows no run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import islice
from typing import Any, Final, cast

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import SchemaError, ValidationError
from referencing import Registry

from otel_agents.runtime.flex.keywords import BoundedValidator, TooMuchWorkError, bounded
from otel_agents.runtime.flex.problem import MAX_DETAILS, Detail, FlexError, pointer
from otel_agents.runtime.flex.supported import MAX_SUBSCHEMAS, is_small, unsupported

_FORMATS: Final = FormatChecker(formats=("date", "email", "ipv4", "ipv6", "uuid"))
# Patterns are looked at by `unsupported`, with the engine that will run them.
_NO_FORMATS: Final = FormatChecker(formats=())

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
    "required": "lacks {}",
}
_MAX_SHOWN: Final = 200
_TOO_MUCH: Final = "takes too much work to be checked against the schema"


class Schema:
    """A JSON Schema, draft 2020-12. Limits stand in `supported` and `keywords`.

    Raises:
        FlexError: `invalid_schema`; paths point into the document.
    """

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document
        _check(document)
        self._validator = BoundedValidator(document, registry=Registry(), format_checker=_FORMATS)
        # A reference to itself is found by following it.
        if any(detail.message == _TOO_MUCH for detail in self.details(None)):
            raise FlexError("invalid_schema", "The schema refers to itself without end", [Detail("", "has no end")])

    def part(self, document: Mapping[str, Any]) -> Schema:
        """Return a schema made of parts of this one, in which references lead where they lead here."""
        made = Schema.__new__(Schema)
        made.document = document
        made._validator = self._validator.evolve(schema=document)  # noqa: SLF001 - it is one of us
        return made

    def details(self, value: object, at: str = "") -> tuple[Detail, ...]:
        """Return what is wrong with a value, at most 50 things; messages hold what is expected, never the value.

        Args:
            at: The pointer of the value in what is shown to the reader.
        """
        try:
            with bounded():
                errors = islice(self._validator.iter_errors(value), MAX_DETAILS)
                return tuple(Detail(at + pointer(*error.absolute_path), _saying(error)) for error in errors)
        except (TooMuchWorkError, RecursionError):
            return (Detail(at, _TOO_MUCH),)
        except OverflowError:
            return (Detail(at, "has a number that is too large to be checked"),)


def _saying(error: ValidationError | SchemaError) -> str:
    keyword, wanted = str(error.validator), cast("Any", error.validator_value)
    if wanted is False or not isinstance(error.validator, str):  # the latter: a schema that is `false`
        return "is not allowed here"
    if keyword == "required":
        wanted = [name for name in wanted if name not in cast("Any", error.instance)]
    text = json.dumps(wanted, ensure_ascii=False, default=str)
    shown = text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"
    return _SAYINGS.get(keyword, f"does not keep {keyword}").replace("{}", shown)


def _check(document: object) -> None:
    """Raise `invalid_schema` unless the document is a schema that we can hold a value against."""
    if not isinstance(document, Mapping):
        raise FlexError("invalid_schema", "A JSON Schema is an object", [Detail("", "is no object")])
    try:
        if not is_small(document):
            told = f"has more than {MAX_SUBSCHEMAS} subschemas"
            raise FlexError("invalid_schema", "The schema is too large", [Detail("", told)])
        Draft202012Validator.check_schema(document, format_checker=_NO_FORMATS)
    except SchemaError as error:
        detail = Detail(pointer(*error.absolute_path), _saying(error))
        raise FlexError("invalid_schema", "The document is no valid JSON Schema", [detail]) from None
    except RecursionError:
        raise FlexError("invalid_schema", "The schema is nested too deep", [Detail("", "is nested too deep")]) from None
    problems = unsupported(document)
    if problems:
        raise FlexError("invalid_schema", "The schema uses what is not supported", problems)
