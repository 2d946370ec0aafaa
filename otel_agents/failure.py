"""Tells one raised exception from another, without keeping it alive; knows no operation."""

from __future__ import annotations

from types import CodeType
from typing import NamedTuple


class Failure(NamedTuple):
    """What tells one raised exception from another without holding on to it: host objects must not live longer."""

    identity: int
    code: CodeType | None
    line: int

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        """Return the mark of an exception: its address and the place that raised it."""
        traceback = error.__traceback__
        if traceback is None:
            return cls(id(error), None, 0)
        while traceback.tb_next is not None:
            traceback = traceback.tb_next
        return cls(id(error), traceback.tb_frame.f_code, traceback.tb_lineno)
