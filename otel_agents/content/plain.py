"""Copy any value into bounded, redacted, JSON-ready data; must not change, iterate lazily or run what it reads."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

from otel_agents.content.errors import type_name
from otel_agents.content.scalars import (
    DEFAULT_LENGTH,
    MISSING,
    Scalar,
    atom_reader,
    encodable,
    instance_dict,
    namespaces,
    slot_value,
)
from otel_agents.content.sensitive import REDACTED, is_sensitive, redact_text

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

MAX_DEPTH = 16
MAX_ENTRIES = 1000
MAX_KEY = 128
# A string is redacted a little beyond its cut, so that a secret standing across the cut is seen whole.
MARGIN = 512
# All strings together, as a multiple of the length of one.
TOTAL_LENGTHS = 16

CYCLE = "<cycle>"
DEEPER = "<deeper>"
CHANGED = "<changed while read>"
UNREADABLE = "<unreadable>"
MORE = "<more>"

# Under these a name is given beside its value: {"name": "authorization", "value": "..."}.
_NAME_KEYS = frozenset({"name", "key", "header", "field"})
_FIELD_TABLES = ("__dataclass_fields__", "__pydantic_fields__")


def clean(value: object, length: int = DEFAULT_LENGTH) -> Json:
    """Return a JSON-ready copy of a host value; never raises, never runs the host's code.

    Mappings, sequences, sets, dataclasses and pydantic models are copied, down to 16 levels and 1000 entries in all;
    everything else, iterators above all, is named by its class and left alone. Values under sensitive keys are
    redacted at every depth.

    Args:
        value: Anything.
        length: Characters kept of one string, which then ends in `… [cut, N in all]`; all strings together keep at
            most 16 times as many.
    """
    try:
        return _Copy(max(0, length)).value(value, 0)
    except RecursionError:  # the host itself stands near the limit of its stack
        return UNREADABLE


def to_json(value: object, length: int = DEFAULT_LENGTH) -> str:
    """Return `clean(value, length)` as compact JSON text."""
    try:
        return compact(clean(value, length))
    except RecursionError:
        return json.dumps(UNREADABLE)


def compact(data: Json) -> str:
    """Return what `clean` returned, or a part of it, as compact JSON text."""
    return json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def reread(value: object, length: int = DEFAULT_LENGTH) -> Json:
    """Return `clean` of a value that may come as JSON text; None for a text that is none."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return None
    return clean(value, length)


Reader = Callable[["_Copy", Any, int], Json]


class _Copy:
    """One copy in the making: what is still allowed, and the containers that are open around the current value."""

    __slots__ = ("characters", "entries", "length", "open")

    def __init__(self, length: int) -> None:
        self.length = length
        self.characters = length * TOTAL_LENGTHS
        self.entries = MAX_ENTRIES
        self.open: set[int] = set()

    def value(self, value: object, depth: int) -> Json:
        read_atom = atom_reader(type(value))
        if read_atom is not None:
            return self.atom(value, read_atom)
        read = _reader(type(value))
        if read is None:
            return f"<{type_name(value)}>"
        if id(value) in self.open:
            return CYCLE
        return DEEPER if depth >= MAX_DEPTH else self.container(value, read, depth)

    def container(self, value: object, read: Reader, depth: int) -> Json:
        self.open.add(id(value))
        try:
            return read(self, value, depth)
        except RecursionError:
            raise
        except RuntimeError:  # another thread of the host added or removed an entry
            return CHANGED
        finally:
            self.open.discard(id(value))

    def atom(self, value: Any, read: Callable[[Any], Scalar]) -> Json:
        if issubclass(type(value), bytes):
            return f"<{bytes.__len__(value)} bytes>"
        atom = read(value)
        return self.text(atom, self.length) if type(atom) is str else atom

    def text(self, text: str, length: int) -> str:
        length = min(length, self.characters)
        shown = redact_text(text[: length + MARGIN]) if length else ""
        is_whole = len(text) <= length + MARGIN
        keep = length if is_whole else min(length, max(0, len(shown) - MARGIN))
        self.characters -= min(keep, len(shown))
        cut = "" if is_whole and len(shown) <= length and (length or not text) else f"… [cut, {len(text)} in all]"
        return encodable(shown[:keep]) + cut

    def mapping(self, pairs: Iterable[tuple[object, object]], depth: int) -> dict[str, Json]:
        taken = list(islice(pairs, self.entries + 1))
        named = _has_sensitive_name(taken)
        copy: dict[str, Json] = {}
        for key, value in taken:
            if self.entries <= 0:
                copy[MORE] = None
                break
            self.entries -= 1
            label = self.key(key)
            hidden = _is_hidden(key, value) or (named and label == "value")
            copy[label] = REDACTED if hidden else self.value(value, depth + 1)
        return copy

    def key(self, key: object) -> str:
        name = _key_text(key)
        return f"<{type_name(key)}>" if name is None else self.text(name, MAX_KEY)

    def sequence(self, values: Iterable[object], depth: int) -> list[Json]:
        taken = list(islice(values, self.entries + 1))
        if len(taken) == 2 and _is_hidden(taken[0], taken[1]):  # noqa: PLR2004 (a header as a pair)
            return [self.value(taken[0], depth + 1), REDACTED]
        copy: list[Json] = []
        for value in taken:
            if self.entries <= 0:
                copy.append(MORE)
                break
            self.entries -= 1
            copy.append(self.value(value, depth + 1))
        return copy

    def record(self, value: object, depth: int) -> dict[str, Json]:
        return self.mapping(_fields(value), depth)


def _fields(value: object) -> list[tuple[object, object]]:
    """Return the declared fields with what the instance stores; those kept out of its repr stay out here, too."""
    own = instance_dict(value)
    table = islice(dict.items(_field_table(type(value)) or {}), MAX_ENTRIES)
    names = [name for name, field in table if type(name) is str and _is_shown(field)]
    pairs = [(name, own[name] if name in own else slot_value(value, name)) for name in names]
    extra = slot_value(value, "__pydantic_extra__")
    kept = [(name, value) for name, value in pairs if value is not MISSING]
    return [*kept, *(islice(dict.items(extra), MAX_ENTRIES) if type(extra) is dict else ())]


def _field_table(cls: type) -> dict[str, Any] | None:
    for space in namespaces(cls):
        for name in _FIELD_TABLES:
            table = space.get(name)
            if type(table) is dict:
                return table
    return None


def _is_shown(field: object) -> bool:
    return slot_value(field, "repr") is not False


def _is_hidden(key: object, value: object) -> bool:
    name = _key_text(key)
    if name is None:
        return False
    number = issubclass(type(value), int | float)
    return is_sensitive(name, number=number)


def _key_text(key: object) -> str | None:
    read = atom_reader(type(key))
    if read is None:
        return None
    atom = read(key)
    return atom if type(atom) is str else json.dumps(atom)


def _has_sensitive_name(pairs: list[tuple[object, object]]) -> bool:
    return any(
        issubclass(type(value), str) and _key_text(key) in _NAME_KEYS and _is_hidden(value, None)
        for key, value in pairs
    )


# Read through the base's own methods, which a subclass cannot override.
_READERS: tuple[tuple[type, Reader], ...] = (
    (dict, lambda copy, value, depth: copy.mapping(dict.items(value), depth)),
    (list, lambda copy, value, depth: copy.sequence(list.__iter__(value), depth)),
    (tuple, lambda copy, value, depth: copy.sequence(tuple.__iter__(value), depth)),
    (set, lambda copy, value, depth: copy.sequence(set.__iter__(value), depth)),
    (frozenset, lambda copy, value, depth: copy.sequence(frozenset.__iter__(value), depth)),
    (deque, lambda copy, value, depth: copy.sequence(deque.__iter__(value), depth)),
)


def _reader(cls: type) -> Reader | None:
    for base, read in _READERS:
        if issubclass(cls, base):
            return read
    return None if _field_table(cls) is None else _Copy.record
