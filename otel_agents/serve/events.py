"""The stream of events as server-sent events, for one client at a time; must not know what an event means.

It is written out here because sse-starlette changes uvicorn's server when it is imported, also the host's own.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import AsyncIterator
from functools import partial
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from otel_agents.bus.event import Event, to_json
from otel_agents.bus.filters import Filter, select
from otel_agents.bus.stream import Stream
from otel_agents.door import error_content
from otel_agents.semconv.events import LIFECYCLE
from otel_agents.serve.observation import Observation

NAME: Final = "events"
KEEP_ALIVE_S: Final = 15.0
STALL_S: Final = 30.0
LOOK_S: Final = 0.5
RETRY_MS: Final = 2000
PARAMETERS: Final = frozenset({"runId", "correlationId", "types", "lifecycle"})
FLAGS: Final = {"1": True, "true": True, "0": False, "false": False}
HEADERS: Final = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
)


def frame(event: Event) -> bytes:
    """Return the frame of an event."""
    return f"event: {event.type}\nid: {event.id}\ndata: {event.to_json()}\n\n".encode()


def gap(reason: str, **more: object) -> bytes:
    """Return the sign that events are missing here. It has no id: a client asks again for what comes after the last."""
    return f"event: gap\ndata: {to_json({'type': 'gap', 'reason': reason, **more})}\n\n".encode()


def wanted(request: Request) -> Filter:
    """Read the filters of a request.

    Raises:
        ValueError: One is not known, or has no such value.
    """
    query = request.query_params
    unknown = sorted(set(query) - PARAMETERS)
    if unknown:
        raise ValueError(f"{', '.join(unknown)}: no such parameter; known are {', '.join(sorted(PARAMETERS))}")
    flag = query.get("lifecycle", "0").lower()
    if flag not in FLAGS:
        raise ValueError(f"lifecycle is {flag!r}; give 1 or 0")
    given = [name.strip() for each in query.getlist("types") for name in each.split(",") if name.strip()]
    types = select(given or None, LIFECYCLE if FLAGS[flag] else None)
    return Filter(types, query.get("runId") or None, query.get("correlationId") or None)


class EventStream:
    """The response to one client: what it missed, as far as the ring has it, then all that comes."""

    def __init__(self, observation: Observation, only: Filter, after_id: str | None) -> None:
        self._observation = observation
        self._only = only
        self._after_id = after_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, until the client leaves, does not read any more, or the observation ends."""
        await send({"type": "http.response.start", "status": 200, "headers": list(HEADERS)})
        if scope["method"] == "HEAD":
            await send({"type": "http.response.body", "body": b""})
            return
        gone = asyncio.create_task(_left(receive))
        sending = asyncio.create_task(self._send(send))
        try:
            await asyncio.wait((gone, sending), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (gone, sending):
                task.cancel()
            await asyncio.gather(gone, sending, return_exceptions=True)

    async def _send(self, send: Send) -> None:
        async for chunk in self._chunks():
            async with asyncio.timeout(STALL_S):  # no wait_for: up to Python 3.11 it may swallow a cancellation
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def _chunks(self) -> AsyncIterator[bytes]:
        ready, loop = asyncio.Event(), asyncio.get_running_loop()
        wake = partial(loop.call_soon_threadsafe, ready.set)
        with self._observation.hub.stream(self._only, name=NAME, after_id=self._after_id, wake=wake) as stream:
            forget = self._observation.on_close(stream.close)
            stopping = asyncio.create_task(_close_with_the_server(stream))
            try:
                yield f"retry: {RETRY_MS}\n\n".encode() + (gap("unknown_id") if stream.gap else b"")
                async for chunk in _frames(stream, ready):
                    yield chunk
            finally:
                stopping.cancel()
                forget()


async def _frames(stream: Stream, ready: asyncio.Event) -> AsyncIterator[bytes]:
    told, is_open = 0, True
    while is_open:
        ready.clear()
        is_open = not stream.closed
        events = stream.take()
        dropped = stream.dropped  # read once: more may be dropped while this is sent
        if dropped > told:
            yield gap("slow_client", dropped=dropped - told)
            told = dropped
        for event in events:
            yield frame(event)
        if is_open and not events and not stream.closed and not await _is_set(ready):
            yield b": keep-alive\n\n"


async def _is_set(ready: asyncio.Event) -> bool:
    try:
        async with asyncio.timeout(KEEP_ALIVE_S):
            return await ready.wait()
    except TimeoutError:
        return False


async def _close_with_the_server(stream: Stream) -> None:
    while not _is_stopping():  # noqa: ASYNC110  # nobody announces it
        await asyncio.sleep(LOOK_S)
    stream.close()


def _is_stopping() -> bool:
    """Say whether the program's own uvicorn is told to stop: it waits for streams, and by default for ever.

    ASGI has no word for that, so its server is looked at, which owns the handlers of signals. They are the main
    thread's, and so is the server: one of another thread, such as ours, ends its streams itself.
    """
    if threading.current_thread() is not threading.main_thread():
        return False
    owners = (getattr(signal.getsignal(number), "__self__", None) for number in (signal.SIGTERM, signal.SIGINT))
    return any(getattr(owner, "should_exit", False) is True for owner in owners)


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def respond(observation: Observation, request: Request) -> Response | EventStream:
    """Return the stream, or what is wrong with the filters."""
    try:
        only = wanted(request)
    except ValueError as error:
        return JSONResponse(error_content("bad_request", str(error)), 400)
    return EventStream(observation, only, request.headers.get("last-event-id"))
