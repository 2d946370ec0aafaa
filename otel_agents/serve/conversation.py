"""The progress socket: one WebSocket, its frames and its messages; must not know which runs there are."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import Final, NamedTuple

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from otel_agents.bus.event import rfc3339, to_json
from otel_agents.bus.projections import Record
from otel_agents.door import error_content
from otel_agents.serve.board import Client
from otel_agents.serve.observation import Observation
from otel_agents.serve.wishes import MAX_MESSAGE, BadMessageError, Wishes

STALL_S: Final = 10.0
MAX_BAD: Final = 100


class Reason(NamedTuple):
    """Why we end a conversation: a code of the WebSocket protocol, and a word for programs and some for people."""

    code: int
    word: str
    text: str


GOING_AWAY: Final = Reason(1001, "going_away", "the observation ends")
TEXT_ONLY: Final = Reason(1003, "text_only", "messages are JSON text")
TOO_MANY_BAD: Final = Reason(1008, "too_many_bad_messages", f"more than {MAX_BAD} messages were none")
TOO_LARGE: Final = Reason(1009, "message_too_large", f"a message has at most {MAX_MESSAGE} characters")
SLOW: Final = Reason(1013, "slow_client", "too many frames were waiting; connect again")
TOO_MANY: Final = Reason(1013, "too_many_clients", "there are too many clients; connect again later")


class Farewell(Exception):  # noqa: N818  # the end of a conversation, not a failure
    """We end it."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.word)
        self.reason = reason


class Conversation:
    """One client."""

    def __init__(self, observation: Observation, socket: WebSocket) -> None:
        self._board = observation.board
        self._socket = socket
        self._wishes = Wishes()
        self._ready = asyncio.Event()
        loop = asyncio.get_running_loop()
        self._client = Client(self._wishes.want, partial(loop.call_soon_threadsafe, self._ready.set))
        self._bad = 0

    async def hold(self) -> None:
        """Talk until one of both leaves."""
        await self._socket.accept()
        if not self._board.join(self._client):
            await self._close(TOO_MANY if self._board.is_open else GOING_AWAY)
            return
        end = GOING_AWAY
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._listen())
                both.create_task(self._speak())
        except* Farewell as ends:
            end = next(each.reason for each in ends.exceptions if isinstance(each, Farewell))
        except* TimeoutError:
            self._client.is_slow = True
        except* (WebSocketDisconnect, OSError):
            pass
        finally:
            self._board.leave(self._client)
        await self._close(end)

    async def _listen(self) -> None:
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect
            text = message.get("text")
            if text is None:
                raise Farewell(TEXT_ONLY)
            if len(text) > MAX_MESSAGE:
                raise Farewell(TOO_LARGE)
            self._client.answer({**self._answer(text), "timestamp": rfc3339(time.time_ns())})

    def _answer(self, text: str) -> Record:
        try:
            return self._wishes.answer(text)
        except BadMessageError as error:
            self._board.reject()
            self._bad += 1
            if self._bad > MAX_BAD:
                raise Farewell(TOO_MANY_BAD) from None
            return error.as_frame()

    async def _speak(self) -> None:
        while True:
            self._ready.clear()
            for text in self._client.take():
                async with asyncio.timeout(STALL_S):  # no wait_for: up to Python 3.11 it may swallow a cancellation
                    await self._socket.send_text(text)
            if self._client.is_slow:
                raise Farewell(SLOW)
            if not self._board.is_open:
                raise Farewell(GOING_AWAY)
            await self._ready.wait()

    async def _close(self, end: Reason) -> None:
        """Say why, then close; a client that does not read gets neither, and is not waited for."""
        if self._socket.client_state is not WebSocketState.CONNECTED:
            return
        last = {"type": "error", "timestamp": rfc3339(time.time_ns()), **error_content(end.word, end.text)}
        try:
            async with asyncio.timeout(STALL_S):
                await self._socket.send_text(to_json(last))
                await self._socket.close(end.code, end.text)
        except (WebSocketDisconnect, OSError, TimeoutError, RuntimeError):
            pass


async def converse(observation: Observation, socket: WebSocket) -> None:
    """Serve a WebSocket."""
    await Conversation(observation, socket).hold()
