"""What the tests of content are made of: hostile objects, records, values of all kinds."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Any, NoReturn

from hypothesis import strategies as st

CANARY = "canary-7f3a9c"


def refuse(*args: object, **kwargs: object) -> NoReturn:
    raise AssertionError("the host's code was run")


_TRAPS: dict[str, object] = dict.fromkeys(
    (
        *("__str__", "__repr__", "__len__", "__iter__", "__getitem__", "__contains__", "__eq__", "__hash__"),
        *("__bool__", "__int__", "__index__", "__float__", "__bytes__", "__format__", "__getattribute__"),
        *("__getattr__", "__fspath__", "__next__", "items", "keys", "values", "get", "decode", "encode", "isoformat"),
        *("dict", "model_dump", "to_json", "__reduce__", "__copy__", "__deepcopy__", "__dir__", "lower", "bit_length"),
    ),
    refuse,
)


class _Meta(type):
    """A class of classes that refuses every look at its classes."""

    __module__ = property(refuse)
    __name__ = property(refuse)
    __mro__ = property(refuse)
    __hash__ = refuse
    __eq__ = refuse
    __instancecheck__ = refuse
    __subclasscheck__ = refuse


def hostile(base: type, *args: object) -> Any:
    lie = {"__class__": property(refuse), "__dict__": property(refuse)}
    cls = _Meta("Hostile", (base,), {**_TRAPS, **lie})
    return base.__new__(cls, *args)  # type: ignore[call-overload]


HOSTILE = f"{__name__}.Hostile"


def hostile_dict() -> Any:
    value = hostile(dict)
    dict.__setitem__(value, "a", 1)
    return value


def hostile_list() -> Any:
    value = hostile(list)
    list.append(value, 1)
    return value


class Colour(enum.Enum):
    RED = "red"
    MIXED = (1, 2)


@dataclass
class Plain:
    inner: object
    unset: int = field(init=False)


SENSITIVE = [
    *("token", "access_token", "accessToken", "refresh-token", "id_token", "githubtoken", "GITHUB_TOKEN", "tokens"),
    *("secret", "client_secret", "clientSecret", "MY_SECRET_VALUE", "password", "passwd", "userPassword2", "pwd"),
    *("apikey", "api_key", "API-KEY", "X-Api-Key", "openai_api_key", "access_key", "aws_secret_access_key", "pass"),
    *("authorization", "Proxy-Authorization", "auth", "cookie", "Set-Cookie", "cookies", "credential", "credentials"),
    *("private_key", "privateKey", "session", "session_id", "sessionId", "passphrase", "jwt", "csrf_token"),
]


_ATOMS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.dates() | st.uuids()
_KEYS = st.text() | st.integers() | st.none() | st.binary() | st.tuples(st.integers())
VALUES = st.recursive(
    _ATOMS,
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(_KEYS, inner)
        | st.tuples(inner, inner)
        | inner.map(Plain)
        | inner.map(lambda value: iter([value]))
    ),
    max_leaves=30,
)
