"""The endpoints as a table, from which routes and the OpenAPI document are made; must not know what they do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Literal

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from otel_agents.runtime.flex.envelope import TaskEnvelope
from otel_agents.runtime.flex.http.api import Api
from otel_agents.runtime.flex.http.bodies import Nothing, Resolve, Resume, RunsQuery, StartQuery, StreamQuery

ROOT: Final = "/api/v1/flex"
FRAMES: Final = "FlexEvent"

# What may be wrong with any request, and with a body.
_ANY: Final = (400, 401, 403, 404, 405, 500, 503)
_BODY: Final = (413, 415, 422)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One endpoint.

    Attributes:
        does: The method of `Api`.
        id: Its name in the OpenAPI document.
        summary: What it is for.
        query: Its query parameters.
        headers: Request headers that it reads.
        body: What it takes, None for nothing.
        returns: Status -> the schema of the answer; a stream of frames is `FlexEvent`, nothing is "".
        refuses: Statuses of errors.
    """

    method: Literal["GET", "POST"]
    path: str
    does: Callable[[Api, Request], Awaitable[Response]]
    id: str
    summary: str
    query: type[BaseModel] = Nothing
    headers: tuple[str, ...] = ()
    body: type[BaseModel] | None = None
    returns: tuple[tuple[int, str], ...] = ()
    refuses: tuple[int, ...] = _ANY


def _pending(path: str, name: str) -> Operation:
    return Operation(
        method="GET", path=path, does=Api.pending, id=name, summary="List the questions that are open.",
        returns=((200, "Pending"),),
    )  # fmt: skip


def _resolve(path: str, name: str) -> Operation:
    return Operation(
        method="POST", path=path, does=Api.resolve, id=name, body=Resolve, returns=((200, "Resolved"),),
        summary="Answer a question; the first answer wins, and the run goes on in the background.",
        refuses=(*_ANY, *_BODY, 409),
    )  # fmt: skip


OPERATIONS: Final = (
    Operation(
        method="POST", path=f"{ROOT}/run.stream", does=Api.start, id="startRun", query=StartQuery, body=TaskEnvelope,
        summary="Start a run and stream its frames.", headers=("Idempotency-Key",),
        returns=((200, FRAMES), (307, "")), refuses=(*_ANY, *_BODY, 409),
    ),
    Operation(
        method="GET", path=f"{ROOT}/runs/{{runId}}/stream", does=Api.follow, id="followRun", query=StreamQuery,
        summary="Stream the frames of a run: those that are stored, then those to come.", headers=("Last-Event-ID",),
        returns=((200, FRAMES), (204, "")),
    ),
    Operation(
        method="POST", path=f"{ROOT}/run.resume", does=Api.resume, id="resumeRun", body=Resume,
        summary="Let a paused run go on, with an answer or after one, and stream what follows.",
        returns=((200, FRAMES),), refuses=(*_ANY, *_BODY, 409),
    ),
    Operation(
        method="POST", path=f"{ROOT}/runs/{{runId}}/cancel", does=Api.cancel, id="cancelRun", body=Nothing,
        summary="Ask a run to stop, also one that waits.", returns=((202, "Asked"),), refuses=(*_ANY, *_BODY, 409),
    ),
    Operation(
        method="POST", path=f"{ROOT}/runs/{{runId}}/policies/{{policyId}}/fire", does=Api.fire, id="firePolicy",
        body=Nothing, summary="Fire a policy whose trigger is manual.", returns=((202, "Fired"),),
        refuses=(*_ANY, *_BODY, 409),
    ),
    Operation(
        method="GET", path=f"{ROOT}/runs/{{runId}}", does=Api.describe, id="describeRun",
        summary="Show a run: its state, plan and nodes, without inputs and outputs.", returns=((200, "Run"),),
    ),
    Operation(
        method="GET", path=f"{ROOT}/runs", does=Api.runs, id="listRuns", query=RunsQuery,
        summary="List runs, the newest first.", returns=((200, "Runs"),),
    ),
    _pending(f"{ROOT}/hitl/pending", "listQuestions"),
    _resolve(f"{ROOT}/hitl/resolve", "answerQuestion"),
    _pending("/api/hitl/pending", "listQuestionsAlias"),
    _resolve("/api/hitl/resolve", "answerQuestionAlias"),
)  # fmt: skip


def routes(api: Api) -> list[BaseRoute]:
    """Return a route for each operation."""
    return [Route(each.path, _endpoint(api, each), methods=[each.method], name=each.id) for each in OPERATIONS]


def _endpoint(api: Api, operation: Operation) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        return await operation.does(api, request)

    return endpoint
