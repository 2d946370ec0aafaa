"""The JSON Schema of the configuration file, by which editors complete and check it; must not know any row."""

from __future__ import annotations

from typing import Any, Final

from otel_agents.cleaning import EACH
from otel_agents.config.settings import SETTINGS
from otel_agents.patching.targets.grammar import MAX_LENGTH
from otel_agents.patching.targets.naming import ATTRIBUTE, BUILTIN, CLASS, METHOD, RUNTIME
from otel_agents.patching.targets.vocabulary import (
    DECLARED,
    EXCEPTIONS,
    FIELDS,
    OUTCOMES,
    OWN,
    SHAPES,
    SHORT,
    TOKENS,
    Declared,
)
from otel_agents.semconv.agents import attribute

Schema = dict[str, Any]
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
PLAIN: Final[Schema] = {"type": ["string", "number", "boolean"], "maxLength": MAX_LENGTH}
PATH: Final[Schema] = {"$ref": "#/$defs/path"}
ALWAYS: Final = ("method", "kind", "runtime", "run_id", "correlation_id", "attributes", "result", "shape")


def json_schema() -> Schema:
    """Return the schema of the whole file."""
    settings = {each.name: _setting(each.brief) for each in SETTINGS if each.in_file}
    return {
        "$schema": DIALECT,
        "title": "otel-agents",
        "description": "Settings of otel-agents, and methods that are watched.",
        "type": "object",
        "required": ["version"],
        "additionalProperties": False,
        "properties": {
            "version": {"const": 1, "description": "The version of this format."},
            **settings,
            "targets": {"type": ["array", "null"], "items": {"$ref": "#/$defs/target"}, "description": _TARGETS},
        },
        "$defs": {"path": {**PLAIN, "description": _PATH}, "target": _target(), **_known()},
    }


_TARGETS: Final = "Methods of an orchestrator, and what each call of them is."
_PATH: Final = (
    "A path such as `arg.name`, `self.current.name`, `result.items[0].id`, `len(result.nodes)`, `type(error)`, with "
    "alternatives after `|`; or a constant."
)


def _setting(brief: str) -> Schema:
    plain = ["string", "number", "boolean", "null"]
    return {"description": brief, "anyOf": [{"type": plain}, {"type": "array", "items": {"type": "string"}}]}


def _target() -> Schema:
    """Return the schema of a row: its fields, and by kind the attributes that it may set."""
    kinds = {"enum": list(DECLARED), "description": FIELDS["kind"]}
    fields: Schema = {name: {**PATH, "description": brief} for name, brief in FIELDS.items()}
    fields |= {
        "method": {"type": "string", "pattern": _whole(METHOD.pattern), "description": FIELDS["method"]},
        "kind": kinds,
        "runtime": {"type": "string", "pattern": _whole(RUNTIME.pattern), "description": FIELDS["runtime"]},
        "shape": {"enum": list(SHAPES), "description": FIELDS["shape"]},
        "outcome": _outcome(),
        "attributes": {"type": "object", "description": FIELDS["attributes"]},
        "result": {"type": "object", "description": FIELDS["result"]},
    }
    return {
        "type": "object",
        "required": ["method", "kind"],
        "additionalProperties": False,
        "properties": fields,
        "allOf": [_of_kind(each) for each in DECLARED.values()],
    }


def _of_kind(declared: Declared) -> Schema:
    """Return what holds for rows of one kind."""
    is_fact = declared.kind is None
    allowed = [*ALWAYS, *(["when"] if is_fact else ["outcome"]), *(["name"] if declared.subject else [])]
    allowed += [field for field, name in SHORT.items() if name in declared.attributes]
    then: Schema = {
        "properties": {
            "attributes": _attributes(declared, with_tokens=False),
            "result": _attributes(declared, with_tokens=True),
        },
        "propertyNames": {"enum": allowed},
    }
    if not declared.rejected and not is_fact:
        then["properties"]["outcome"] = {"propertyNames": {"not": {"const": "rejected_when"}}}
    return {
        "if": {"properties": {"kind": {"const": declared.name}}, "required": ["kind"]},
        "then": then,
        "description": declared.brief,
    }


def _attributes(declared: Declared, *, with_tokens: bool) -> Schema:
    names = [name for name in declared.attributes if with_tokens or name not in TOKENS]
    schema: Schema = {
        "properties": {name: {"$ref": f"#/$defs/{name}"} for name in names},
        "additionalProperties": False,
    }
    if declared.kind is not None:
        own = "|".join(front.replace(".", r"\.") for front in OWN)
        schema["patternProperties"] = {rf"^(?!{own}|error\.type$){_inner(ATTRIBUTE.pattern)}$": PATH}
    return schema


def _known() -> Schema:
    names = dict.fromkeys(name for declared in DECLARED.values() for name in declared.attributes)
    return {name: _attribute(name) for name in names}


def _attribute(name: str) -> Schema:
    row = attribute(name)
    brief = {"description": row.brief} if row is not None else {}
    if name in EACH:
        fields = {"each": PATH, **dict.fromkeys(EACH[name], PATH)}
        return {**brief, "type": "object", "required": ["each"], "minProperties": 2,
                "additionalProperties": False, "properties": fields}  # fmt: skip
    return {**brief, **PATH}


def _outcome() -> Schema:
    exception = {"type": "string", "anyOf": [{"pattern": _whole(CLASS.pattern)}, {"pattern": _whole(BUILTIN.pattern)}]}
    fields: Schema = {name: {**PATH, "description": brief} for name, brief in OUTCOMES.items()}
    fields |= {name: {"type": "array", "items": exception, "description": OUTCOMES[name]} for name in EXCEPTIONS}
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": fields,
        "description": FIELDS["outcome"],
    }


def _inner(pattern: str) -> str:
    r"""Return a pattern as JSON Schema has it: without ``[^\W\d]``, which not every dialect reads alike."""
    for python, plain in ((r"[^\W\d]", "[A-Za-z_]"), (r"[\w", "[A-Za-z0-9_"), (r"\w", "[A-Za-z0-9_]")):
        pattern = pattern.replace(python, plain)
    return pattern


def _whole(pattern: str) -> str:
    return f"^{_inner(pattern)}$"
