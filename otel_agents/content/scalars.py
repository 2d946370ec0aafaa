"""Turn single values into bounded text and numbers; must not look inside containers nor run code of the host."""

from __future__ import annotations

import datetime as dt
import enum
import math
import sys
from collections.abc import Callable
from itertools import islice
from types import GetSetDescriptorType, MappingProxyType, MemberDescriptorType, ModuleType, NoneType
from typing import Any

DEFAULT_LENGTH = 4096
MAX_SCALAR = 256
MAX_NAMES = 1000
MAX_INT = 2**63
MAX_INT_BITS = 512
HASH_LENGTH = 16

MISSING = object()

Scalar = str | int | float | bool | None

_MRO = type.__dict__["__mro__"].__get__
_NAMESPACE = type.__dict__["__dict__"].__get__
_MODULE = type.__dict__["__module__"].__get__
_QUALNAME = type.__dict__["__qualname__"].__get__


def scalar(value: Any) -> Scalar:
    """Return an identifier (a name, an id, a count) as a value that an attribute can hold; never raises.

    Text is at most 256 characters and ends in `…` when it was longer. Integers beyond 64 bits and floats that are
    no number become text. None for everything that has no text of its own without running code of the host.
    """
    if issubclass(type(value), str):
        value = str.__getitem__(value, slice(MAX_SCALAR + 1))
    read = atom_reader(type(value))
    atom = None if read is None else read(value)
    if type(atom) is not str:
        return atom
    return encodable(atom if len(atom) <= MAX_SCALAR else atom[: MAX_SCALAR - 1] + "…")


def name_of(value: Any) -> str:
    """Return what something is called as text that every exporter can carry, "" for what has none; never raises."""
    if type(value) is str and len(value) <= MAX_SCALAR and value.isascii():
        return value
    known = scalar(value)
    return "" if known is None else str(known)


def hashed(value: str, key: bytes) -> str:
    """Return 16 hexadecimal characters by which equal values can be matched, but not read, without the key."""
    import hmac  # only who audits needs it

    text = str.__str__(value).encode("utf-8", "surrogatepass")
    return hmac.new(key, text, "sha256").hexdigest()[:HASH_LENGTH]


def encodable(text: str) -> str:
    """Return text that UTF-8 can carry: lone surrogates become `?`."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def atom_reader(cls: type) -> Callable[[Any], Scalar] | None:
    """Return how a value of this class, being no container, becomes text or a number; None for all other classes."""
    for base, read in _BY_BASE:
        if issubclass(cls, base):
            return read
    return _BY_NAME.get(_known_name(cls))


def _known_name(cls: type) -> str:
    """Return the full name of a class that is what its name says; empty for a class that only bears the name."""
    module, name = _MODULE(cls), _QUALNAME(cls)
    if type(module) is not str or type(name) is not str:
        return ""
    holder = sys.modules.get(module)
    is_real = type(holder) is ModuleType and vars(holder).get(name) is cls
    return f"{module}.{name}" if is_real else ""


def namespaces(cls: type) -> list[MappingProxyType[str, Any]]:
    """Return what each class of the method resolution order holds itself, past any metaclass."""
    return [_NAMESPACE(each) for each in _MRO(cls)]


def instance_dict(value: object) -> dict[str, Any]:
    """Return a copy of what the instance keeps in its own dict, at most 1000 names; empty without one."""
    for space in namespaces(type(value)):
        holder = space.get("__dict__")
        if type(holder) is GetSetDescriptorType:
            # Copied, not looked up: keys may be of a class whose comparison is the host's code.
            pairs = islice(dict.items(holder.__get__(value)), MAX_NAMES)
            return {name: each for name, each in pairs if type(name) is str}
    return {}


def slot_value(value: object, name: str) -> Any:
    """Return what the instance keeps in the slot of this name, else `MISSING`. Runs no property."""
    for space in namespaces(type(value)):
        slot = space.get(name)
        if type(slot) is MemberDescriptorType:
            try:
                return slot.__get__(value)
            except AttributeError:  # declared, but never set
                return MISSING
    return MISSING


def _int(value: int) -> Scalar:
    number = int.__int__(value)
    if -MAX_INT <= number < MAX_INT:
        return number
    bits = number.bit_length()
    return str(number) if bits <= MAX_INT_BITS else f"<int of {bits} bits>"


def _float(value: float) -> Scalar:
    number = float.__float__(value)
    return number if math.isfinite(number) else str(number)


def _bytes(value: bytes) -> str:
    return bytes.decode(value, "utf-8", "replace")


def _member(value: enum.Enum) -> Scalar:
    """Return what a plain enum member stands for if that is text or a number, else its name."""
    own = instance_dict(value)
    for base, read in _PLAIN:
        if type(own["_value_"]) is base:
            return read(own["_value_"])
    return str.__str__(own["_name_"])


def _moment(value: dt.datetime) -> str:
    safe = value.tzinfo is None or _known_name(type(value.tzinfo)) in _SAFE_ZONES
    return (value if safe else value.replace(tzinfo=None)).isoformat()


def _same(value: bool | None) -> bool | None:  # noqa: FBT001
    return value


# A subclass of these is read through the base, which cannot be overridden.
_PLAIN: tuple[tuple[type, Callable[[Any], Scalar]], ...] = (
    (NoneType, _same),
    (bool, _same),
    (str, str.__str__),
    (int, _int),
    (float, _float),
)
_BY_BASE: tuple[tuple[type, Callable[[Any], Scalar]], ...] = (*_PLAIN, (bytes, _bytes), (enum.Enum, _member))
# These have Python code of their own, so that a subclass could answer in its place. Known by name, for a value of them
# exists only where their module has been imported, and most programs should not wait for all of these.
_BY_NAME: dict[str, Callable[[Any], Scalar]] = {
    "datetime.datetime": _moment,
    "datetime.date": dt.date.isoformat,
    "datetime.timedelta": str,
    "decimal.Decimal": str,
    "uuid.UUID": str,
    **{
        f"{module}.{name}": str
        for module in ("pathlib", "pathlib._local")  # the second is where Python 3.13 has them
        for name in ("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath")
    },
}
_SAFE_ZONES = frozenset({"datetime.timezone", "zoneinfo.ZoneInfo"})
