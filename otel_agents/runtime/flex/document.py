"""JSON that came from outside, read strictly and with limits; must not know what it means."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

from otel_agents.runtime.flex.problem import MAX_DETAILS, Detail, FlexError, pointer

MAX_BYTES: Final = 1_000_000
MAX_DEPTH: Final = 32

_TOO_DEEP: Final = f"is nested deeper than {MAX_DEPTH} levels"
_TOO_LARGE: Final = f"A document has at most {MAX_BYTES} bytes"


def read_document(body: bytes | Mapping[str, Any]) -> Any:
    """Return the value of a JSON text, or a copy of a value that could be one: later changes to it do not count.

    Raises:
        FlexError: `invalid_json`, `too_large`, `too_deep`.
    """
    document = _parse(body) if isinstance(body, bytes) else body
    problems: list[Detail] = []
    for path, message in _problems(document, ()):
        problems.append(Detail(pointer(*path), message))
        if len(problems) == MAX_DETAILS or message == _TOO_DEEP:
            break
    if problems:
        code = "too_deep" if problems[-1].message == _TOO_DEEP else "invalid_json"
        raise FlexError(code, "The document is nothing that we take", problems[-1:] if code == "too_deep" else problems)
    return document if isinstance(body, bytes) else _copied(document)


def _copied(document: Any) -> Any:
    text = json.dumps(document, default=dict)  # a mapping that is no dict is the same to JSON
    if len(text) > MAX_BYTES:
        raise FlexError("too_large", _TOO_LARGE, [Detail("", f"has more than {MAX_BYTES} bytes")])
    return json.loads(text)


def as_whole(number: object) -> object:
    """Return 2 for 2.0, which JSON Schema says is a whole number, too; anything else as it is."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


def _parse(body: bytes) -> Any:
    if len(body) > MAX_BYTES:
        raise FlexError("too_large", _TOO_LARGE)
    try:
        return json.loads(body.decode("utf-8"), object_pairs_hook=_once)
    except RecursionError:
        raise FlexError("too_deep", "The document is nested too deep", [Detail("", _TOO_DEEP)]) from None
    except json.JSONDecodeError as error:
        place = f"{error.msg}, in line {error.lineno}, column {error.colno}"
        raise FlexError("invalid_json", "The body is not JSON", [Detail("", place)]) from None
    except UnicodeDecodeError as error:
        raise FlexError("invalid_json", "The body is not UTF-8", [Detail("", f"at byte {error.start}")]) from None
    except ValueError as error:
        # A key twice, or a number with more digits than Python reads.
        raise FlexError("invalid_json", "The body is not JSON", [Detail("", str(error))]) from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object; of a key that is there twice one value would be dropped in silence."""
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("an object has the same key twice")
    return made


def _problems(value: object, path: tuple[object, ...]) -> Iterator[tuple[tuple[object, ...], str]]:
    """Yield the places that no store and no other JSON reader could take."""
    if len(path) > MAX_DEPTH:
        yield path, _TOO_DEEP
    elif isinstance(value, Mapping):
        for key, each in value.items():
            if not isinstance(key, str) or not _is_text(key):
                yield path, "has a key that is no text"
            else:
                yield from _problems(each, (*path, key))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _problems(each, (*path, index))
    else:
        message = _scalar(value)
        if message:
            yield path, message


def _scalar(value: object) -> str | None:
    if isinstance(value, str):
        return None if _is_text(value) else "is text with a NUL character or half a surrogate pair"
    if isinstance(value, float):
        return None if math.isfinite(value) else "is no finite number"
    if isinstance(value, int) and not isinstance(value, bool):
        return None if value.bit_length() <= _MAX_BITS else "is too large a number"
    return None if value is None or isinstance(value, bool) else "is nothing that JSON has"


_MAX_BITS: Final = 1024


def _is_text(text: str) -> bool:
    """Tell whether every database and every UTF-8 writer takes this text."""
    return "\0" not in text and not any("\ud800" <= char <= "\udfff" for char in text)
