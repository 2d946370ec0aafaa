"""Sends frames as server-sent events, kept alive while nothing happens; must not know where frames come from."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Final

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.responses import Response

from otel_agents.runtime.flex.frames import Frame, timestamp
from otel_agents.runtime.flex.http.answers import dumped
from otel_agents.runtime.flex.problem import FlexError

LINE: Final = "\n"
BROKEN: Final = "stream_broken"

Gone = Callable[[], Awaitable[None]]


def stream(
    frames: AsyncIterator[Frame],
    before: Frame,
    *,
    keep_alive_s: int,
    grace_s: float,
    headers: Mapping[str, str],
    gone: Gone,
) -> Response:
    """Answer with frames, in their order.

    Args:
        frames: What is sent.
        before: A frame of the same run, in the place of the one that the client saw last.
        keep_alive_s: After how many seconds a comment is sent, whatever else is.
        grace_s: How long frames are still sent once the server is told to stop.
        headers: Headers beside those of any stream.
        gone: Awaited when the client leaves before the end.
    """

    async def left(_: object) -> None:
        await gone()

    return EventSourceResponse(
        events(frames, before),
        headers=dict(headers),
        ping=keep_alive_s,
        ping_message_factory=lambda: ServerSentEvent(comment="alive", sep=LINE),
        sep=LINE,
        client_close_handler_callable=left,
        shutdown_grace_period=grace_s,
    )


async def events(frames: AsyncIterator[Frame], before: Frame) -> AsyncGenerator[ServerSentEvent, None]:
    """Yield the event of each frame; when they break off, one more that says why."""
    try:
        async for frame in frames:
            before = frame
            yield ServerSentEvent(dumped(frame.as_dict()), event=frame.type, id=frame.id, sep=LINE)
    except FlexError as error:
        yield ServerSentEvent(dumped(_broken(before, error).as_dict()), event="complete", sep=LINE)


def _broken(before: Frame, error: FlexError) -> Frame:
    """Return a last frame that was never stored: it has the id of the one before, after which a client reads on."""
    payload = {"status": "failed", "reason": BROKEN, "errorType": error.code, "error": error.as_dict()}
    return replace(
        before,
        type="complete",
        timestamp=timestamp(),
        node_id=None,
        capability_id=None,
        facet_provenance=None,
        duration_ms=None,
        status="failed",
        payload=payload,
        message="The stream broke off; the run may go on. Read on after this id.",
    )
