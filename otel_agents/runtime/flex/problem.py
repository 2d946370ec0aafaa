"""What goes wrong, as a code, a sentence and the places it concerns; must not know where it is answered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

MAX_DETAILS: Final = 50

# Code -> HTTP status. The last group ends runs, and reaches clients in the `complete` frame.
CODES: Final[Mapping[str, int]] = MappingProxyType(
    {
        "invalid_json": 400,
        "bad_request": 400,
        "too_large": 413,
        "too_deep": 422,
        "invalid_envelope": 422,
        "invalid_schema": 422,
        "invalid_condition": 422,
        "unknown_capability": 422,
        "invalid_answer": 422,
        "plan_rejected": 422,
        "flex_disabled": 404,
        "not_found": 404,
        "not_resolved": 409,
        "already_running": 409,
        "already_resolved": 409,
        "plan_version_mismatch": 409,
        "idempotency_mismatch": 409,
        "finished": 409,
        "overloaded": 503,
        "store_unavailable": 503,
        "node_failed": 500,
        "node_timeout": 500,
        "run_timeout": 500,
        "output_invalid": 500,
        "policy_failed": 500,
        "rejected": 500,
        "expired": 500,
        "interrupted": 500,
        "cancelled": 500,
        "internal": 500,
    }
)


def pointer(*parts: object) -> str:
    """Return the JSON pointer (RFC 6901) made of keys and indexes; no part at all points at the whole."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


@dataclass(frozen=True, slots=True)
class Detail:
    """One thing that is wrong: where (a JSON pointer, empty for the whole) and what, without the value itself."""

    path: str
    message: str


class FlexError(Exception):
    """An error with a code of `CODES`, as a client gets it.

    Attributes:
        code: What kind of error, for programs.
        message: What is wrong, for people; holds no value of the caller.
        details: At most 50 places that it concerns.
        status: The HTTP status, which the code decides unless given.
    """

    def __init__(self, code: str, message: str, details: Iterable[Detail] = (), status: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = tuple(details)[:MAX_DETAILS]
        self.status = CODES[code] if status is None else status

    def __str__(self) -> str:
        places = "; ".join(f"{detail.path or '(whole)'}: {detail.message}" for detail in self.details)
        return f"{self.message} ({places})" if places else self.message

    def __reduce__(self) -> tuple[type[FlexError], tuple[object, ...]]:
        return type(self), (self.code, self.message, self.details, self.status)

    def as_dict(self) -> dict[str, object]:
        """Return `{code, message, details: [{path, message}]}`."""
        details = [{"path": detail.path, "message": detail.message} for detail in self.details]
        return {"code": self.code, "message": self.message, "details": details}

    @classmethod
    def from_dict(cls, stored: Mapping[str, object]) -> FlexError:
        """Return the error that `as_dict` wrote; a code of another version becomes `internal`."""
        code, rows = str(stored["code"]), stored.get("details")
        details = [Detail(str(row["path"]), str(row["message"])) for row in rows] if isinstance(rows, list) else []
        return cls(code if code in CODES else "internal", str(stored["message"]), details)
