"""Reads what a request brings, within limits and with a place for each problem; must not know what it is for."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect, Request

from otel_agents.runtime.flex.document import MAX_BYTES, read_document
from otel_agents.runtime.flex.http.bodies import MAX_INT
from otel_agents.runtime.flex.problem import Detail, FlexError, pointer

T = TypeVar("T", bound=BaseModel)

ID: Final = re.compile(r"[A-Za-z0-9_.:-]{1,100}")
KEY: Final = re.compile(r"[!-~]{1,200}")
COUNT: Final = re.compile(r"[0-9]{1,10}")


async def read_body(request: Request) -> bytes:
    """Return the body.

    Raises:
        FlexError: It has too many bytes, said before they are read where the client says how many come; or too few.
    """
    said = request.headers.get("content-length", "0")
    if said.isdigit() and int(said) > MAX_BYTES:
        raise _too_large()
    parts, size = [], 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > MAX_BYTES:
                raise _too_large()
            parts.append(part)
    except ClientDisconnect:  # nobody reads the answer; the log of the server is spared a traceback
        raise FlexError("bad_request", "The client left before the body was whole") from None
    return b"".join(parts)


async def read_model(request: Request, model: type[T]) -> T:
    """Return the body as a model; no body at all is an empty object."""
    document = await asyncio.to_thread(read_document, await read_body(request) or b"{}")
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise FlexError("bad_request", "The body is not valid", _details(error)) from None


def read_query(request: Request, model: type[T]) -> T:
    """Return the query parameters; a name that is unknown or stands there twice is a problem."""
    values: dict[str, object] = {}
    for name, value in request.query_params.multi_items():
        values[name] = value if name not in values else [values[name], value]
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise FlexError("bad_request", "The query parameters are not valid", _details(error)) from None


def read_id(request: Request, name: str, missing: str) -> str:
    """Return an id out of the path; what cannot be one is not looked up.

    Args:
        missing: What is said then.
    """
    given = str(request.path_params[name])
    if not ID.fullmatch(given):
        raise FlexError("not_found", missing)
    return given


def read_run_id(request: Request) -> str:
    """Return the run that the path names."""
    return read_id(request, "runId", "There is no such run")


def read_key(request: Request) -> str | None:
    """Return the Idempotency-Key."""
    key = request.headers.get("idempotency-key")
    if key is not None and not KEY.fullmatch(key):
        raise FlexError("bad_request", "Idempotency-Key has 1 to 200 visible ASCII characters")
    return key


def read_position(request: Request, run_id: str, otherwise: int) -> int:
    """Return the number of the frame that the client saw last, from Last-Event-ID where that is given."""
    seen = request.headers.get("last-event-id")
    if not seen:
        return otherwise
    run, _, seq = seen.rpartition(":")
    if run != run_id or not COUNT.fullmatch(seq) or int(seq) > MAX_INT:
        raise FlexError("bad_request", "Last-Event-ID is not the id of a frame of this run")
    return int(seq)


def _details(error: ValidationError) -> Iterator[Detail]:
    for found in error.errors(include_url=False, include_context=False, include_input=False):
        yield Detail(pointer(*found["loc"]), found["msg"])


def _too_large() -> FlexError:
    return FlexError("too_large", f"The body has more than {MAX_BYTES} bytes")
