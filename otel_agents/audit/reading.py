"""Reads audit records from files of any size, age and state; must not know what is made of them."""

from __future__ import annotations

import gzip
import json
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from otel_agents.audit.moments import moment
from otel_agents.audit.records import ENTRY, RECORDS

MAX_LINE: Final = 1 << 20
MAX_TEXT: Final = 256
GZIP: Final = b"\x1f\x8b"
SUFFIX: Final = ".jsonl"
LARGEST: Final = sys.float_info.max  # JSON has larger integers, and nothing can be reckoned with them

Record = Mapping[str, object]


class Unusable(Exception):  # noqa: N818  # what it says of the input
    """Input from which nothing can be told; the message is for a person."""


@dataclass(slots=True)
class Quality:
    """What the input was like."""

    files: int = 0
    lines: int = 0
    broken: int = 0  # lines that hold no JSON object
    damaged: int = 0  # compressed files that end in the middle
    unknown: int = 0  # records of no type that we know
    incomplete: Counter[str] = field(default_factory=Counter)  # records without a field, or with no such value


def _text(value: object) -> bool:
    return isinstance(value, str)


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= LARGEST


# By JSON type; a time may also be a number, as in older logs.
CHECKS: Final[Mapping[str, Callable[[object], bool]]] = {
    "ts": lambda value: moment(value) is not None,
    "string": _text,
    "string or null": lambda value: value is None or _text(value),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: _number(value) and isinstance(value, int),
    "number or null": lambda value: value is None or _number(value),
}
FIELDS: Final = {
    row.name: tuple((each.name, CHECKS.get(each.name, CHECKS[each.type])) for each in (*ENTRY, *row.fields))
    for row in RECORDS
}
# Types had no name in the oldest logs; a record is known by a field that no other type has.
TELLING: Final = {own.name: row.name for row in RECORDS for own in row.fields}


def found(paths: Iterable[Path]) -> list[Path]:
    """Return the files to read: each once; of a directory those with `.jsonl` in their names.

    Raises:
        Unusable: One of them is not there or cannot be looked at, or there is none at all.
    """
    files: dict[tuple[int, int], Path] = {}
    for path in paths:
        try:
            inside = sorted(each for each in path.iterdir() if SUFFIX in each.name) if path.is_dir() else [path]
            for each in inside:
                known = each.stat()
                files[known.st_dev, known.st_ino] = each
        except OSError as error:
            raise Unusable(f"{error.filename or path}: {error.strerror}") from None
    if not files:
        raise Unusable(f"there is no file with {SUFFIX} in its name in {', '.join(map(str, paths))}")
    return list(files.values())


def records(paths: Iterable[Path], quality: Quality) -> Iterator[Record]:
    """Yield the records of files, each with all fields of its type, None for those that are missing or no such value.

    Beside them stands `ms`, the moment in milliseconds since 1970, None when it is not known.

    Raises:
        Unusable: A file cannot be read.
    """
    for path in paths:
        quality.files += 1
        for line in lines(path, quality):
            record = parsed(line)
            if record is None:
                quality.broken += 1
            elif (known := _whole(record, quality)) is not None:
                yield known


def lines(path: Path, quality: Quality) -> Iterator[bytes]:
    """Yield the lines of a file that are not blank, decompressed; of one that is too long only its first mebibyte.

    Raises:
        Unusable: The file cannot be read.
    """
    try:
        with opened(path) as file:
            for line in filter(bytes.strip, _cut(file)):
                quality.lines += 1
                yield line
    except (EOFError, zlib.error, gzip.BadGzipFile):
        quality.damaged += 1
    except OSError as error:
        raise Unusable(f"{path}: {error.strerror}") from None


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading, decompressed when it is compressed, whatever it is called."""
    with path.open("rb") as raw:
        if raw.peek(len(GZIP))[: len(GZIP)] != GZIP:
            yield raw
            return
        with gzip.open(raw) as file:
            yield file  # type: ignore[misc]  # reads like one


def parsed(line: bytes) -> dict[str, object] | None:
    """Return the JSON object that a line holds, None when it holds none."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def type_of(record: Record) -> str:
    """Return the type of a record, by its fields when it does not say; "" when it is none."""
    name = record.get("type")
    if isinstance(name, str):
        return name if name in FIELDS else ""
    return next((type_ for telling, type_ in TELLING.items() if telling in record), "")


def _whole(record: Record, quality: Quality) -> Record | None:
    name = type_of(record)
    if not name:
        quality.unknown += 1
        return None
    whole: dict[str, object] = {}
    for each, is_valid in FIELDS[name]:
        value = record.get(each)
        if each not in record or not is_valid(value):
            quality.incomplete[each] += 1
            value = None
        whole[each] = value[:MAX_TEXT] if isinstance(value, str) else value
    whole["type"] = name
    whole["ms"] = moment(record.get("ts"))
    return whole


def _cut(file: BinaryIO) -> Iterator[bytes]:
    while line := file.readline(MAX_LINE):
        rest = line
        while len(rest) == MAX_LINE and not rest.endswith(b"\n"):
            rest = file.readline(MAX_LINE)
        yield line
