"""Which JSON Schemas are taken: valid ones, small, closed in themselves, with harmless patterns; knows no value."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import regex
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from otel_agents.runtime.flex.problem import Detail, pointer

MAX_SUBSCHEMAS: Final = 1_000
MAX_PATTERN: Final = 1_000
"""Characters of one regular expression."""
MAX_REPEATS: Final = 20_000
"""How long a regular expression may get when counted repeats are written out."""
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

# Where keywords hold no schema, but data that may look like one; and where they hold schemas by name.
_DATA: Final = frozenset({"const", "enum", "default", "examples"})
_BY_NAME: Final = frozenset({"properties", "$defs", "definitions", "dependentSchemas", "patternProperties"})
_TOKENS: Final = re.compile(r"\\.|\[\^?(?:\\.|[^\]\\])*\]|\{\d*,?\d*\}|.", re.DOTALL)
_ECMA_GROUPS: Final = (":", "=", "!", "<")

Path = tuple[object, ...]
Found = Iterator[tuple[Path, str]]


def unsupported(document: Mapping[str, Any]) -> list[Detail]:
    """Return the places of a valid schema that are not taken, and why."""
    resolver = Registry().resolver_with_root(DRAFT202012.create_resource(document))
    return [Detail(pointer(*path), message) for path, message in _walk(document, (), resolver)]


def is_small(document: Mapping[str, Any]) -> bool:
    """Tell whether the schema has so few objects in it that checking it takes less than a second or so."""
    return sum(1 for _ in _mappings(document)) <= MAX_SUBSCHEMAS


def _mappings(value: object) -> Iterator[object]:
    if isinstance(value, Mapping):
        yield value
    for each in value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ():
        yield from _mappings(each)


def _walk(schema: object, path: Path, resolver: Any) -> Found:
    """Yield what is not taken in a schema or a list of schemas."""
    if isinstance(schema, list):
        for index, each in enumerate(schema):
            yield from _walk(each, (*path, index), resolver)
    if not isinstance(schema, Mapping):
        return
    if path and "$id" in schema:
        resolver = resolver.in_subresource(DRAFT202012.create_resource(schema))
    for keyword, each in schema.items():
        for message in _refusals(keyword, each, schema, resolver):
            yield (*path, keyword), message
        if keyword in _BY_NAME and isinstance(each, Mapping):
            for name, inner in each.items():
                yield from _walk(inner, (*path, keyword, name), resolver)
        elif keyword not in _DATA:
            yield from _walk(each, (*path, keyword), resolver)


def _refusals(keyword: str, value: object, beside: Mapping[str, object], resolver: Any) -> Iterator[str | Any]:
    if keyword in {"$ref", "$dynamicRef"} and isinstance(value, str):
        yield from _reference(value, resolver)
    if keyword == "$schema" and str(value).rstrip("#") != DIALECT:
        yield f"is not {DIALECT}"
    if keyword == "unevaluatedProperties" and "patternProperties" in beside:
        yield "cannot stand beside patternProperties"
    patterns = [value] if keyword == "pattern" else value if keyword == "patternProperties" else ()
    if isinstance(patterns, list | Mapping):
        yield from (said for said in (bad_pattern(str(each)) for each in patterns) if said)


def _reference(target: str, resolver: Any) -> Iterator[str]:
    if not target.startswith("#"):
        yield "refers to another document; only references inside this one (`#...`) are followed"
        return
    try:
        resolver.lookup(target)
    except (Unresolvable, ValueError, TypeError):
        # The last two: a pointer with a name where a list has numbers.
        yield "leads nowhere"


def bad_pattern(pattern: str) -> str | None:
    """Return what is wrong with a regular expression: ECMA 262 as far as it is common."""
    if len(pattern) > MAX_PATTERN:
        return f"is a regular expression of more than {MAX_PATTERN} characters"
    tokens = _TOKENS.findall(pattern)
    for three in zip(tokens, tokens[1:], [*tokens[2:], ""], strict=False):
        # Others may switch comments on, in which repeats can be hidden, or recursion.
        if three[:2] == ("(", "?") and three[2] not in _ECMA_GROUPS:
            return "is a regular expression with a group that ECMA 262 does not know"
    if _written_out(tokens) > MAX_REPEATS:
        return f"is a regular expression whose repeats come to more than {MAX_REPEATS}"
    try:
        regex.compile(pattern)
    except (regex.error, RecursionError, OverflowError, MemoryError):
        return "is no regular expression"
    return None


def _written_out(pieces: list[str]) -> int:
    """Return how many characters a pattern has when `a{3}` is written as `aaa`; at least, for odd patterns."""
    groups, last = [0], 0
    for piece in pieces:
        if piece == "(":
            groups.append(0)
        elif len(piece) > 1 and piece[0] == "{":
            times = max([int(number) for number in re.findall(r"\d+", piece)], default=1)
            groups[-1] += last * max(times - 1, 0)
            last *= max(times, 1)
        else:
            last = groups.pop() if piece == ")" and len(groups) > 1 else 1
            groups[-1] += last
    return sum(groups)
