"""What a client of the progress socket says, and what it then wants; must not know how it is connected."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final, NamedTuple

from otel_agents.bus.projections import ENDINGS, STARTED, STEPS, Record
from otel_agents.door import error_content

MAX_MESSAGE: Final = 4096
MAX_WISHES: Final = 100
MAX_ID: Final = 512
IDS: Final = ("workOrderId", "runId", "correlationId")
FRAMES: Final = frozenset({STARTED.frame, *(step.frame for step in STEPS.values()), *(row.frame for row in ENDINGS)})


class BadMessageError(ValueError):
    """A message that is none: what is wrong with it, and where."""

    def __init__(self, message: str, path: str = "") -> None:
        super().__init__(message)
        self.path = path

    def as_frame(self) -> Record:
        """Return the answer to the message."""
        details = [{"path": self.path, "message": str(self)}] if self.path else []
        return {"type": "error", **error_content("bad_message", str(self), details)}


class Wish(NamedTuple):
    """One subscription: all that is given must be so."""

    ids: tuple[tuple[str, str], ...]
    types: frozenset[str] | None

    def wants(self, frame: Mapping[str, object]) -> bool:
        """Say whether a frame is meant."""
        fits = all(frame.get(name) == value for name, value in self.ids)
        return fits and (self.types is None or frame.get("type") in self.types)


class Wishes:
    """The subscriptions of one client. Without any it wants everything."""

    def __init__(self) -> None:
        self._wishes: tuple[Wish, ...] = ()

    def want(self, frame: Mapping[str, object]) -> bool:
        """Say whether the client wants a frame; may be asked in any thread."""
        wishes = self._wishes
        return not wishes or any(wish.wants(frame) for wish in wishes)

    def answer(self, text: str) -> Record:
        """Do what a message says, and return the answer.

        Raises:
            BadMessageError: It says nothing that is known.
        """
        message = _read(text)
        act = ACTS.get(str(message.get("type")))
        if act is None:
            raise BadMessageError(f"type has to be one of {', '.join(sorted(ACTS))}", "/type")
        return act(self, message)

    def _subscribe(self, message: Mapping[str, object]) -> Record:
        wish = _wish(message)
        if wish not in self._wishes:
            if len(self._wishes) >= MAX_WISHES:
                raise BadMessageError(f"there are {MAX_WISHES} subscriptions already; unsubscribe first")
            self._wishes = (*self._wishes, wish)
        return {**message, "type": "subscribed", "subscriptions": len(self._wishes)}

    def _unsubscribe(self, message: Mapping[str, object]) -> Record:
        wish = _wish(message)
        is_all = not wish.ids and wish.types is None
        self._wishes = () if is_all else tuple(each for each in self._wishes if each != wish)
        return {**message, "type": "unsubscribed", "subscriptions": len(self._wishes)}

    def _ping(self, message: Mapping[str, object]) -> Record:
        return {"type": "pong"}


ACTS: Final = {"subscribe": Wishes._subscribe, "unsubscribe": Wishes._unsubscribe, "ping": Wishes._ping}  # noqa: SLF001


def _read(text: str) -> dict[str, object]:
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        raise BadMessageError("the message is no JSON") from None
    if not isinstance(message, dict):
        raise BadMessageError("the message is no JSON object")
    return message


def _wish(message: Mapping[str, object]) -> Wish:
    unknown = sorted(set(message) - {"type", "types", *IDS})
    if unknown:
        raise BadMessageError(f"no such field; known are type, types, {', '.join(IDS)}", f"/{unknown[0]}")
    ids = tuple((name, _id(name, message[name])) for name in IDS if message.get(name) is not None)
    return Wish(ids, _types(message.get("types")))


def _id(name: str, value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_ID:
        raise BadMessageError(f"{name} has to be a string of 1 to {MAX_ID} characters", f"/{name}")
    return value


def _types(given: object) -> frozenset[str] | None:
    if given is None:
        return None
    if not isinstance(given, list) or not given:
        raise BadMessageError("types has to be a list of frame types", "/types")
    for index, name in enumerate(given):
        if not isinstance(name, str) or name not in FRAMES:
            raise BadMessageError(f"no such frame type; known are {', '.join(sorted(FRAMES))}", f"/types/{index}")
    return frozenset(given)
