"""Tells one raised exception from another, without keeping it alive; knows no operation."""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

FRAMES: Final = 32  # innermost ones, by which a raised exception is known again


class Failure(NamedTuple):
    """What tells one raised exception from another without holding on to it: host objects must not live longer.

    Its address and the frames that it left, as far as they were known. Neither would do alone: Python likes to make
    the next exception where the last one was, and code likes to raise again where it raised before.
    """

    identity: int
    depth: int
    places: int

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        """Return the mark of an exception."""
        places = _places(error, FRAMES)
        return cls(id(error), len(places), hash(places))

    def is_of(self, error: BaseException) -> bool:
        """Whether this is the mark of the exception, which may have left more frames since."""
        return id(error) == self.identity and hash(_places(error, self.depth)) == self.places


def _places(error: BaseException, count: int) -> tuple[tuple[int, int], ...]:
    """Return the innermost places that an exception left, as code and instruction."""
    left: deque[tuple[int, int]] = deque(maxlen=count)
    step = error.__traceback__
    while step is not None:
        left.append((id(step.tb_frame.f_code), step.tb_lasti))
        step = step.tb_next
    return tuple(left)
