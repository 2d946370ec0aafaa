"""A profile of the running process on request, one at a time; must not know how a process is sampled."""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from otel_agents.door import error_content
from otel_agents.serve.observation import Observation

DEFAULT_S: Final = 10.0
MAX_S: Final = 120.0
JSON: Final = "application/json"


class Profiling:
    """The endpoint."""

    def __init__(self, observation: Observation) -> None:
        self._observation = observation
        self._is_busy = False

    async def take(self, request: Request) -> Response:
        """Profile for some seconds, and return the report."""
        try:
            seconds, form = _asked(request)
        except ValueError as error:
            return JSONResponse(error_content("bad_request", str(error)), 400)
        if self._is_busy:
            busy = error_content("profile_running", "one profile at a time; try again when it is done")
            return JSONResponse(busy, 409, {"retry-after": "10"})
        self._is_busy = True
        try:
            return await self._report(request, seconds, form)
        finally:
            self._is_busy = False

    async def _report(self, request: Request, seconds: float, form: str) -> Response:
        try:
            from otel_agents.serve.sampler import FORMATS, Sampler
        except ModuleNotFoundError:
            missing = error_content("not_installed", "profiles need pyinstrument: pip install 'otel-agents[serve]'")
            return JSONResponse(missing, 501)
        sampler = Sampler()
        self._observation.mark(sampler.profile_id)
        sampler.start()
        try:
            async with asyncio.timeout(seconds):
                await _left(request)
        except TimeoutError:
            pass
        finally:
            self._observation.mark("")
            session = await asyncio.shield(asyncio.to_thread(sampler.stop))
        media_type, render = FORMATS[form]
        body = await asyncio.to_thread(render, session)
        suffix = "html" if form == "html" else "speedscope.json"
        named = f'inline; filename="profile-{sampler.profile_id}.{suffix}"'
        headers = {"x-profile-id": sampler.profile_id, "content-disposition": named, "cache-control": "no-store"}
        return Response(body, headers=headers, media_type=media_type)


def _asked(request: Request) -> tuple[float, str]:
    """Read seconds and format.

    Raises:
        ValueError: One of them is none.
    """
    query = request.query_params
    text = query.get("seconds", str(DEFAULT_S))
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= MAX_S:
        raise ValueError(f"seconds is {text!r}; give a number above 0 up to {MAX_S:g}")
    form = query.get("format") or ("speedscope" if JSON in request.headers.get("accept", "") else "html")
    if form not in ("html", "speedscope"):
        raise ValueError(f"format is {form!r}; give html or speedscope")
    return seconds, form


async def _left(request: Request) -> None:
    """Return when the client leaves."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
