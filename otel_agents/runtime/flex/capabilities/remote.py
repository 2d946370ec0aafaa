"""A capability that an OpenAI-compatible endpoint serves: one request an attempt; must not know plans or retries."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import httpx

from otel_agents.runtime.flex.capabilities.capability import Capability, CapabilityError, Kind, Task
from otel_agents.runtime.flex.facets import Facet

if TYPE_CHECKING:
    import ssl

TIMEOUT_S: Final = 60.0
MAX_ANSWER: Final = 4_000_000
"""Bytes of an answer."""
MAX_RETRY_AFTER_S: Final = 300.0

BACKOFF_S: Final = 1.0
"""Before the second attempt: who is asked too much, or starts again, needs longer than a function of ours."""

_FENCED: Final = re.compile(r"```\w*\n(.*)```", re.DOTALL)
_RETRYABLE: Final = frozenset({408, 409, 425, 429})
_SERVER_ERROR: Final = 500
_OK: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a model is asked, and how.

    Attributes:
        url: What stands before `/chat/completions`.
        model: What the endpoint calls the model.
        system: What the model is told to be and do.
        key_env: The environment variable with the API key; read at each call and kept nowhere.
        timeout_s: Seconds of one request, from its start to the last byte of the answer.
    """

    url: str
    model: str
    system: str
    key_env: str | None = None
    timeout_s: float = TIMEOUT_S


def remote(
    capability_id: str,
    endpoint: Endpoint,
    *,
    facets: Mapping[str, Facet],
    input: tuple[str, ...],  # noqa: A002 - the name in Capability
    output: tuple[str, ...],
    label: str = "",
    kind: Kind = "agent",
    optional_input: tuple[str, ...] = (),
    attempts: int | None = None,
) -> Capability:
    """Return a capability that asks a model for its output facets, as JSON.

    Args:
        facets: All facets by name (`registry.facets`): the schemas of the output are shown to the model.
    """
    schema = {
        "type": "object",
        "properties": {name: dict(facets[name].schema) for name in output},
        "required": list(output),
        "additionalProperties": False,
    }
    return Capability(
        id=capability_id,
        label=label or capability_id,
        kind=kind,
        input=input,
        optional_input=optional_input,
        output=output,
        run=_work(endpoint, schema),
        version=endpoint.model,
        timeout_s=endpoint.timeout_s,
        attempts=attempts,
        backoff_s=BACKOFF_S,
    )


def _work(endpoint: Endpoint, schema: Mapping[str, Any]) -> Callable[[Task], Awaitable[Mapping[str, Any]]]:
    async def ask(task: Task) -> Mapping[str, Any]:
        """Ask the model, and return the facets that it answered; whether they are valid is for the engine to say."""
        try:
            async with asyncio.timeout(endpoint.timeout_s):
                return _facets(await _post(endpoint, _request(endpoint, schema, task)))
        except TimeoutError:
            raise CapabilityError(f"The endpoint gave no answer within {endpoint.timeout_s:g} s") from None
        except httpx.TransportError as error:
            raise CapabilityError(f"The endpoint cannot be reached: {type(error).__name__}") from error

    return ask


def _request(endpoint: Endpoint, schema: Mapping[str, Any], task: Task) -> dict[str, Any]:
    rules = [
        "Answer with one JSON object that keeps the given schema, and with nothing else.",
        *task.bundle.instructions,
    ]
    given = {"objective": task.bundle.objective, **task.bundle.facets}
    feedback = [{"role": "user", "content": f"Feedback on the answer before: {task.feedback}"}] if task.feedback else []
    return {
        "model": endpoint.model,
        "messages": [
            {"role": "system", "content": "\n".join([endpoint.system, *rules])},
            {"role": "user", "content": json.dumps(given, ensure_ascii=False)},
            *feedback,
        ],
        "response_format": {"type": "json_schema", "json_schema": {"name": "facets", "schema": schema}},
    }


async def _post(endpoint: Endpoint, request: Mapping[str, Any]) -> bytes:
    key = os.environ.get(endpoint.key_env, "") if endpoint.key_env else ""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    url = f"{endpoint.url.rstrip('/')}/chat/completions"
    # The whole request has its own time limit.
    async with (
        httpx.AsyncClient(timeout=None, verify=_trust()) as client,  # noqa: S113
        client.stream("POST", url, json=request, headers=headers) as response,
    ):
        _check(response)
        body = bytearray()
        async for part in response.aiter_bytes():
            body += part
            if len(body) > MAX_ANSWER:
                raise CapabilityError(f"The answer is longer than {MAX_ANSWER} bytes", retryable=False)
        return bytes(body)


@cache
def _trust() -> ssl.SSLContext:
    """Return the certificates that are trusted; reading them takes longer than a request."""
    return httpx.create_ssl_context()


def _check(response: httpx.Response) -> None:
    """Raise unless the endpoint took the request. What it says besides is left out: it may repeat the request."""
    status = response.status_code
    if status != _OK:
        raise CapabilityError(
            f"The endpoint answered with status {status}",
            retryable=status in _RETRYABLE or status >= _SERVER_ERROR,
            retry_after_s=retry_after(response.headers.get("Retry-After")),
        )


def retry_after(header: str | None, now: datetime | None = None) -> float | None:
    """Return the seconds of a `Retry-After` header, which holds seconds or a date; at most 300."""
    if not header:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            moment = parsedate_to_datetime(header)
        except ValueError:
            return None
        now = datetime.now(UTC) if now is None else now
        seconds = (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds()
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_S) if seconds == seconds else None  # noqa: PLR0124 - NaN


def _facets(body: bytes) -> Mapping[str, Any]:
    """Return the object that the model wrote."""
    try:
        choice = json.loads(body)["choices"][0]
        content = choice["message"].get("content")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise CapabilityError("The answer is no chat completion") from None
    if not isinstance(content, str):
        raise CapabilityError("The model refused to answer", retryable=False)
    if choice.get("finish_reason") == "length":
        raise CapabilityError("The answer was cut off")
    try:
        found = json.loads(_unfenced(content))
    except (ValueError, RecursionError):
        raise CapabilityError("The model did not answer with JSON") from None
    if not isinstance(found, dict):
        raise CapabilityError("The model did not answer with a JSON object")
    return found


def _unfenced(content: str) -> str:
    """Return the content without the code fence, and the words around it, that models like to add."""
    text = content.strip()
    fenced = None if text.startswith("{") else _FENCED.search(text)
    return fenced[1] if fenced else text
