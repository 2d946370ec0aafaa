"""What each endpoint does: reads the request, asks the coordinator, answers; must not know how runs are executed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from otel_agents.runtime.flex.envelope import read_envelope
from otel_agents.runtime.flex.frames import Frame
from otel_agents.runtime.flex.hitl import Answer
from otel_agents.runtime.flex.http import reading
from otel_agents.runtime.flex.http.answers import answer
from otel_agents.runtime.flex.http.bodies import Nothing, Resolve, Resume, RunsQuery, StartQuery, StreamQuery
from otel_agents.runtime.flex.http.lifetime import Lifetime
from otel_agents.runtime.flex.http.streams import Gone, stream
from otel_agents.runtime.flex.problem import FlexError
from otel_agents.runtime.flex.settings import Settings

DISCONNECT: Final = "disconnect"
NO_CONTENT: Final = 204
ACCEPTED: Final = 202
REDIRECTED: Final = 307
LAST_FRAMES_S: Final = 2.0  # after the seconds of nodes: runs are given back, and streams end by themselves


class Api:
    """The endpoints of one coordinator."""

    def __init__(self, lifetime: Lifetime, settings: Settings) -> None:
        self._lifetime = lifetime
        self._settings = settings

    async def start(self, request: Request) -> Response:
        """Start a run and stream its frames."""
        if not self._settings.runs_enabled:
            return self._disabled()
        query = reading.read_query(request, StartQuery)
        key = reading.read_key(request)
        envelope = await asyncio.to_thread(read_envelope, await reading.read_body(request))
        accepted = await self._lifetime.coordinator.accept(envelope, idempotency_key=key)
        leave = query.on_disconnect or ("cancel" if self._settings.cancel_on_disconnect else "continue")
        gone = self._cancel_at_leave(accepted.run_id) if leave == "cancel" else _nothing
        return self._stream(accepted.run_id, accepted.correlation_id, 0, gone)

    async def follow(self, request: Request) -> Response:
        """Stream the frames of a run after the last one that the client saw."""
        run_id = reading.read_run_id(request)
        query = reading.read_query(request, StreamQuery)
        after = reading.read_position(request, run_id, query.after)
        run = await self._lifetime.coordinator.describe(run_id)
        if not await self._lifetime.coordinator.has_more(run_id, after):
            return Response(status_code=NO_CONTENT, headers={"Cache-Control": "no-store"})
        return self._stream(run_id, str(run["correlationId"]), after)

    async def resume(self, request: Request) -> Response:
        """Let a paused run go on, and stream the frames of what follows."""
        reading.read_query(request, Nothing)
        body = await reading.read_model(request, Resume)
        given = None if body.decision is None else Answer(body.decision, body.value, body.text, body.by)
        after = await self._lifetime.coordinator.resume(
            body.run_id,
            expected_plan_version=body.expected_plan_version,
            answer=given,
            request_id=body.request_id,
        )
        run = await self._lifetime.coordinator.describe(body.run_id)
        return self._stream(body.run_id, str(run["correlationId"]), after)

    async def cancel(self, request: Request) -> Response:
        """Ask a run to stop."""
        run_id = reading.read_run_id(request)
        reading.read_query(request, Nothing)
        await reading.read_model(request, Nothing)
        status = await self._lifetime.coordinator.cancel(run_id, source="api")
        return answer({"runId": run_id, "status": status}, ACCEPTED)

    async def fire(self, request: Request) -> Response:
        """Fire a policy whose trigger is `manual`."""
        run_id = reading.read_run_id(request)
        reading.read_query(request, Nothing)
        await reading.read_model(request, Nothing)
        policy_id = reading.read_id(request, "policyId", "There is no such policy")
        await self._lifetime.coordinator.fire(run_id, policy_id)
        return answer({"runId": run_id, "policyId": policy_id}, ACCEPTED)

    async def describe(self, request: Request) -> Response:
        """Show a run without its content."""
        run_id = reading.read_run_id(request)
        reading.read_query(request, Nothing)
        return answer(await self._lifetime.coordinator.describe(run_id))

    async def runs(self, request: Request) -> Response:
        """List runs, the newest first."""
        query = reading.read_query(request, RunsQuery)
        rows = await self._lifetime.coordinator.runs(status=query.status, limit=query.limit, after=query.after)
        return answer({"runs": rows})

    async def pending(self, request: Request) -> Response:
        """List the questions that nobody has answered yet."""
        reading.read_query(request, Nothing)
        return answer({"pending": await self._lifetime.coordinator.pending()})

    async def resolve(self, request: Request) -> Response:
        """Answer a question; the run goes on in the background."""
        reading.read_query(request, Nothing)
        body = await reading.read_model(request, Resolve)
        run_id = await self._lifetime.coordinator.resolve(
            body.request_id, Answer(body.decision, body.value, body.text, body.by)
        )
        return answer({"requestId": body.request_id, "runId": run_id, "decision": body.decision})

    def _disabled(self) -> Response:
        if self._settings.legacy_url:
            return RedirectResponse(self._settings.legacy_url, REDIRECTED)
        raise FlexError("flex_disabled", "New runs are switched off here")

    def _cancel_at_leave(self, run_id: str) -> Gone:
        async def gone() -> None:
            try:
                await self._lifetime.coordinator.cancel(run_id, source=DISCONNECT)
            except FlexError:  # it has ended meanwhile, or the store is away: nobody is left to be told
                pass

        return gone

    def _stream(self, run_id: str, correlation_id: str, after: int, gone: Gone | None = None) -> Response:
        frames: AsyncIterator[Frame] = self._lifetime.coordinator.frames(run_id, after)
        return stream(
            frames,
            Frame(run_id=run_id, correlation_id=correlation_id, type="log", seq=after),
            keep_alive_s=round(self._settings.keep_alive_s),
            grace_s=self._settings.grace_s + LAST_FRAMES_S,
            headers={"Flex-Run-Id": run_id, "Flex-Correlation-Id": correlation_id},
            gone=gone or _nothing,
        )


async def _nothing() -> None:
    """Let the run go on."""
