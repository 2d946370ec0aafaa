"""Arranges what is known into an instance of the caller's JSON Schema; must not know where knowledge is from.

Values are found by the names of properties. What is required and not known gets the schema's default or the most
neutral value that the schema takes, never an invented one: if that does not do, validation says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import unquote

from otel_agents.runtime.flex.capabilities.capability import CapabilityError, Task
from otel_agents.runtime.flex.capabilities.fitting import boolean, number, text
from otel_agents.runtime.flex.capabilities.knowledge import NOTHING, Scope, find, known, scope
from otel_agents.runtime.flex.schema import Schema

MAX_VALUES: Final = 10_000
"""Values of one answer."""
MAX_DEPTH: Final = 32
MAX_BRANCHES: Final = 20
"""Branches of an `anyOf` or `oneOf` that are tried."""

Rule = Mapping[str, Any]


def structure(task: Task) -> Mapping[str, Any]:
    """Return an instance of the output contract.

    Raises:
        CapabilityError: The contract wants more than `MAX_VALUES` values.
    """
    facets = task.bundle.facets
    builder = _Builder(facets["output_contract"])
    pool = known(facets)
    return {"structured_output": builder.build(facets["output_contract"], NOTHING, (pool,))}


class _Builder:
    """Builds one answer, and counts what it costs."""

    def __init__(self, document: Rule) -> None:
        self._document = document
        self._schema = Schema(document)
        self._left = MAX_VALUES
        self._depth = 0

    def build(self, rule: object, value: Any, scopes: Sequence[Scope]) -> Any:
        """Return an instance of a schema.

        Args:
            value: What is known for this place, or NOTHING.
            scopes: Where names are looked up, the innermost first.
        """
        self._left -= 1
        if self._left < 0:
            raise CapabilityError(f"The output contract wants more than {MAX_VALUES} values", retryable=False)
        self._depth += 1
        try:
            return None if self._depth > MAX_DEPTH else self._build(self._flat(rule), value, scopes)
        finally:
            self._depth -= 1

    def _build(self, rule: Rule, value: Any, scopes: Sequence[Scope]) -> Any:
        for keyword in ("oneOf", "anyOf"):
            if rule.get(keyword):
                return self._branch({k: v for k, v in rule.items() if k != keyword}, rule[keyword], (value, scopes))
        if "const" in rule:
            return rule["const"]
        if rule.get("enum"):
            return _choice(rule, value)
        if value is NOTHING and "default" in rule:
            return rule["default"]
        build = getattr(self, f"_{_type(rule, value)}")
        return build(rule, value, scopes)

    def _branch(self, rest: Rule, branches: Sequence[object], known_here: tuple[Any, Sequence[Scope]]) -> Any:
        """Return what the first branch makes that is then valid, those of the value's own type first.

        If none is, what the first of them makes.
        """
        value, scopes = known_here
        first: Any = NOTHING
        rules = [_merged([rest, self._flat(branch)]) for branch in branches[:MAX_BRANCHES]]
        for rule in sorted(rules, key=lambda each: _type(each, value) != _PYTHON.get(type(value))):
            made = self._build(rule, value, scopes)
            first = made if first is NOTHING else first
            if not self._schema.part(rule).details(made):
                return made
        return first

    def _object(self, rule: Rule, value: Any, scopes: Sequence[Scope]) -> dict[str, Any]:
        inner = (scope(value), *scopes) if isinstance(value, Mapping) else scopes
        required, properties = rule.get("required", ()), rule.get("properties", {})
        made: dict[str, Any] = {}
        for name, each in properties.items():
            # What is not required is taken from right here only, and not from what is said around it.
            found = find(name, inner if name in required else inner[:1])
            if name in required or (found is not NOTHING and found is not None):
                made[name] = self.build(each, found, inner)
        for name in required:
            if name not in made:
                made[name] = self.build(rule.get("additionalProperties", {}), find(name, inner), inner)
        if not properties and isinstance(value, Mapping):
            return dict(value)
        return made

    def _array(self, rule: Rule, value: Any, scopes: Sequence[Scope]) -> list[Any]:
        first, items = rule.get("prefixItems", ()), rule.get("items", {})
        values = value if isinstance(value, list) else [] if value is NOTHING or value is None else [value]
        least, most = rule.get("minItems", 0), rule.get("maxItems", MAX_VALUES)
        count = max(least, min(most, max(len(values), len(first))))
        if items is False:
            count = min(count, len(first))
        made = []
        for index in range(min(count, MAX_VALUES + 1)):
            known_here = values[index] if index < len(values) else NOTHING
            made.append(self.build(first[index] if index < len(first) else items, known_here, scopes))
        return made

    def _string(self, rule: Rule, value: Any, scopes: Sequence[Scope]) -> str:
        return text(rule, None if value is NOTHING else value)

    def _number(self, rule: Rule, value: Any, scopes: Sequence[Scope]) -> float:
        return number(rule, None if value is NOTHING else value, whole=False)

    def _integer(self, rule: Rule, value: Any, scopes: Sequence[Scope]) -> float:
        return number(rule, None if value is NOTHING else value, whole=True)

    def _boolean(self, rule: Rule, value: Any, scopes: Sequence[Scope]) -> bool:
        return boolean(None if value is NOTHING else value)

    def _null(self, rule: Rule, value: Any, scopes: Sequence[Scope]) -> None:
        return None

    def _any(self, rule: Rule, value: Any, scopes: Sequence[Scope]) -> Any:
        return None if value is NOTHING else value

    def _flat(self, rule: object) -> Rule:
        """Return a schema with references followed and `allOf` merged into it; `true` takes anything."""
        flat: Rule = rule if isinstance(rule, Mapping) else {}
        for _ in range(MAX_DEPTH):
            target = flat.get("$ref", flat.get("$dynamicRef"))
            parts = flat.get("allOf", ())
            if not isinstance(target, str) and not parts:
                break
            rest = {name: each for name, each in flat.items() if name not in {"$ref", "$dynamicRef", "allOf"}}
            pointed = [self._at(target)] if isinstance(target, str) else []
            flat = _merged([rest, *pointed, *(part for part in parts if isinstance(part, Mapping))])
        return flat

    def _at(self, reference: str) -> Rule:
        """Return the schema that a pointer leads to; of one that is named by an anchor nothing is known."""
        if reference != "#" and not reference.startswith("#/"):
            return {}
        place: Any = self._document
        for part in reference.split("/")[1:]:
            key = unquote(part).replace("~1", "/").replace("~0", "~")
            place = place[int(key)] if isinstance(place, list) else place.get(key, {})
        return place if isinstance(place, Mapping) else {}


def _merged(rules: Sequence[Rule]) -> Rule:
    """Return one schema for several that all hold; of a keyword that cannot be joined the first one counts."""
    merged: dict[str, Any] = {}
    for rule in rules:
        for keyword, each in rule.items():
            there = merged.get(keyword)
            if isinstance(there, Mapping) and isinstance(each, Mapping):
                merged[keyword] = {**each, **there}
            elif keyword in {"required", "allOf"} and there is not None:
                merged[keyword] = [*there, *(one for one in each if one not in there)]
            else:
                merged.setdefault(keyword, each)
    return merged


_BY_KEYWORD: Final = (
    (("properties", "required"), "object"),
    (("items", "prefixItems", "minItems", "maxItems"), "array"),
    (("minLength", "maxLength", "pattern", "format"), "string"),
    (("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"), "number"),
)
_PYTHON: Final[Mapping[type, str]] = {
    dict: "object",
    list: "array",
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    type(None): "null",
}


def _type(rule: Rule, value: Any) -> str:
    """Return which type to build: of several the one that the value has, else the first that is not null."""
    types = rule.get("type")
    if isinstance(types, str):
        return types
    own = _PYTHON.get(type(value), "")
    if isinstance(types, list) and types:
        return own if own in types else next((each for each in types if each != "null"), "null")
    return next((name for keywords, name in _BY_KEYWORD if any(each in rule for each in keywords)), "any")


def _choice(rule: Rule, value: Any) -> Any:
    """Return the value if it is allowed, in whatever case it is written, else the default or the first allowed."""
    allowed = rule["enum"]
    if value in allowed:
        return value
    same = [
        each for each in allowed if isinstance(each, str) and isinstance(value, str) and each.lower() == value.lower()
    ]
    return same[0] if same else rule.get("default", allowed[0])
