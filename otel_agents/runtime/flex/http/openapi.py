"""The endpoints as an OpenAPI document, made from their table and the models; must not know what they do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from otel_agents.runtime.flex.http.bodies import Nothing, Resolve, Resume
from otel_agents.runtime.flex.http.operations import FRAMES, OPERATIONS, Operation
from otel_agents.runtime.flex.http.schemas import DOCUMENTS, plain
from otel_agents.runtime.flex.problem import CODES

TITLE: Final = "Flex"
VERSION: Final = "1.0"  # of the endpoints, not of the package
SCHEMAS: Final = "#/components/schemas"
TEXT: Final[Mapping[str, Any]] = {"type": "string"}
ID: Final[Mapping[str, Any]] = {"type": "string", "pattern": "^[A-Za-z0-9_.:-]{1,100}$"}
HEADERS: Final[Mapping[str, tuple[str, Mapping[str, Any]]]] = {
    "Idempotency-Key": (
        "A request with a key that was seen before gets the run that was started then.",
        {"type": "string", "pattern": "^[!-~]{1,200}$"},
    ),
    "Last-Event-ID": (
        "The id of the last frame that was seen.",
        {"type": "string", "pattern": "^.{1,100}:[0-9]{1,10}$"},
    ),
}
REASONS: Final[Mapping[int, str]] = {
    400: "The request cannot be read.",
    401: "The token is missing.",
    403: "Host or Origin is not one of this server.",
    404: "There is no such thing, or new runs are switched off.",
    405: "The endpoint has no such method.",
    409: "The state of the run does not allow it.",
    413: "The body is too large.",
    415: "The body is not sent as application/json.",
    422: "The body is read, and not valid.",
    500: "A mistake of the server.",
    503: "Too much to do, or the database is away; `Retry-After` says when to ask again.",
}


def openapi() -> dict[str, Any]:
    """Return the document."""
    paths: dict[str, dict[str, Any]] = {}
    for each in OPERATIONS:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each)
    return {
        "openapi": "3.2.0",
        "info": {"title": TITLE, "version": VERSION, "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
        "security": [{}, {"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": _schemas(),
        },
    }


def _operation(each: Operation) -> dict[str, Any]:
    told: dict[str, Any] = {"operationId": each.id, "summary": each.summary, "parameters": _parameters(each)}
    if each.body is not None:
        content = {"application/json": {"schema": _ref(each.body.__name__)}}
        told["requestBody"] = {"required": True, "content": content}
    told["responses"] = {**_returned(each), **{str(status): _refusal(status) for status in sorted(each.refuses)}}
    return told


def _parameters(each: Operation) -> list[dict[str, Any]]:
    path = [
        {"name": name, "in": "path", "required": True, "schema": dict(ID)} for name in re.findall(r"{(\w+)}", each.path)
    ]
    properties = each.query.model_json_schema(by_alias=True).get("properties", {})
    query = [
        {"name": name, "in": "query", "description": schema.pop("description", ""), "schema": _without_null(schema)}
        for name, schema in properties.items()
    ]
    headers = [
        {"name": name, "in": "header", "description": HEADERS[name][0], "schema": dict(HEADERS[name][1])}
        for name in each.headers
    ]
    return [*path, *query, *headers]


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of what may be written: a parameter that is not given is left out, never null."""
    kept = {name: value for name, value in schema.items() if name not in ("title", "anyOf") and value is not None}
    return {**kept, **next((one for one in schema.get("anyOf", ()) if one != {"type": "null"}), {})}


def _returned(each: Operation) -> dict[str, Any]:
    return {str(status): _answer(status, schema) for status, schema in each.returns}


def _answer(status: int, schema: str) -> dict[str, Any]:
    if schema == FRAMES:
        content = {"text/event-stream": {"itemSchema": _ref("Event")}}
        return {"description": "Frames, until `complete`.", "content": content}
    if not schema:
        reason = {204: "Nothing to tell after that frame.", 307: "New runs are made elsewhere."}
        return {"description": reason[status]}
    return {"description": "Done.", "content": {"application/json": {"schema": _ref(schema)}}}


def _refusal(status: int) -> dict[str, Any]:
    return {"description": REASONS[status], "content": {"application/json": {"schema": _ref("Problem")}}}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"{SCHEMAS}/{name}"}


def _schemas() -> dict[str, Any]:
    """Return every schema by name; what one defines inside itself becomes one of its own."""
    found: dict[str, Any] = {name: dict(make()) for name, make in DOCUMENTS.items()}
    found |= {body.__name__: plain(body.model_json_schema(by_alias=True)) for body in (Nothing, Resolve, Resume)}
    for schema in list(found.values()):
        found |= schema.pop("$defs", {})
        schema.pop("$schema", None)
    return dict(sorted(_moved({**found, **_ANSWERS}).items()))


def _moved(document: Any) -> Any:
    """Return a schema whose references lead to where the schemas are here."""
    if isinstance(document, dict):
        return {key: _moved(each) for key, each in document.items()}
    if isinstance(document, list):
        return [_moved(each) for each in document]
    return document.replace("#/$defs", SCHEMAS) if isinstance(document, str) else document


def _object(required: Iterable[str] | None = None, **properties: Mapping[str, Any]) -> dict[str, Any]:
    needed = list(properties) if required is None else list(required)
    return {"type": "object", "properties": {name: dict(each) for name, each in properties.items()}, "required": needed}


def _list(of: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": dict(of)}


_MOMENT: Final = {"type": "string", "format": "date-time"}
_STATUS: Final = {"enum": ["queued", "running", "awaiting_hitl", "completed", "failed", "cancelled"]}
_RUN: Final[Mapping[str, Mapping[str, Any]]] = {
    "runId": ID, "correlationId": TEXT, "name": TEXT, "status": _STATUS, "planVersion": {"type": ["integer", "null"]},
    "lastSeq": {"type": "integer"}, "createdAt": _MOMENT,
}  # fmt: skip
_QUESTION: Final[Mapping[str, Mapping[str, Any]]] = {
    "requestId": ID, "runId": ID, "correlationId": TEXT, "origin": {"enum": ["policy", "pause", "validation"]},
    "askedAt": _MOMENT,
}  # fmt: skip
_DETAIL: Final = _object(path=TEXT, message=TEXT)
_ERROR: Final = _object(code=TEXT, message=TEXT, details=_list(_DETAIL))
_DATA: Final = {**TEXT, "contentMediaType": "application/json", "contentSchema": _ref("FlexEvent")}
_ANSWERS: Final[Mapping[str, Any]] = {
    "Event": {**_object(("event", "data"), event=TEXT, id=TEXT, data=_DATA), "description": "An event of a stream."},
    "Asked": _object(runId=ID, status=_STATUS),
    "Fired": _object(runId=ID, policyId=ID),
    "Pending": _object(pending=_list(_object(**_QUESTION))),
    "Problem": {**_object(error=_ERROR), "description": f"Codes of errors: {', '.join(CODES)}, and those of HTTP."},
    "Resolved": _object(requestId=ID, runId=ID, decision=TEXT),
    "Run": _object(**_RUN),
    "Runs": _object(runs=_list(_object(**_RUN))),
}
